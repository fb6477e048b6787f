"""What a port freezes by itself, and the part of airmark that is Python."""
include("$(PORT_DIR)/boards/manifest.py")
module("airmark_helpers.py")
