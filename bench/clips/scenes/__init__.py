"""One kind of scene a file.

To add one: a function from seed (and what varies) to Clip, and its name in catalogue.py.
"""
