"""What a process tells of this camera's health, built from its real parts."""
