# Frozen into the unix port: what a board's firmware has of it.
include("$(MPY_DIR)/extmod/asyncio")
module("airmark_helpers.py", base_path="../../boards/micropython")
