"""The clerk's work: drafts, proposals, signatures, publishing, lists.

The commands only parse and print.
"""
