"""What is doubted of several entries together: twins, and many at once. One file a concern."""
