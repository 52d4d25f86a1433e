"""Was the whole plate seen? What place, text and picture say against it (P10)."""
