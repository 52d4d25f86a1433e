"""A moment, how far the clock that told it is trusted, and how that trust is judged."""
