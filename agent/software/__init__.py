"""Versions of the software on a camera's disk, the processes that run one of them, and what the log
is told of it.
"""
