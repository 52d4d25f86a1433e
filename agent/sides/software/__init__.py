"""The process that tries a version of the software: once, as root, without a network."""
