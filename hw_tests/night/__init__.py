"""The rig's night: runs the tests, writes the page, and tells somebody when it failed."""
