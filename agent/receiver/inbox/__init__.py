"""`receiver serve`: a local web inbox over the store, where every opening is an access record."""
