"""An agency's list, and acts by hand, into the hot list: rows are read, checked and compiled."""
