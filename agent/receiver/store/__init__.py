"""Where a recipient's sealed reads are kept: one port, and a store for one machine or for many."""
