"""Is a list what it seems? What is doubted before anything is taken: one file a concern."""
