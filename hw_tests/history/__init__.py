"""What nights on the rig leave behind: a small JSON record each, and one page that compares
them.
"""
