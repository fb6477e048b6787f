"""Settings of all tests."""

from hypothesis import settings

# How long an example takes says more of the machine's load than of the code.
settings.register_profile("airmark", deadline=None)
settings.load_profile("airmark")
