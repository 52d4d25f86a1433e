"""From pixels to plates: the two networks, how they are loaded, and what their outputs mean."""
