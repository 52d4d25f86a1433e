"""The reader of stacked characters: the recogniser's network, trained further on such plates."""
