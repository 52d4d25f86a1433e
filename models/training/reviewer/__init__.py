"""The reader that is asked where the recogniser is in doubt: the same network, trained on that."""
