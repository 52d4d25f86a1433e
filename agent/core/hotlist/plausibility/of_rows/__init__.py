"""What is doubted of a single row: values that no plate and no state has. One file a concern."""
