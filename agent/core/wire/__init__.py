"""What goes between a camera, a city and a recipient: sealed reads, receipts, enrolments, key
lists, epochs.
"""
