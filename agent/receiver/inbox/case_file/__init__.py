"""One opened lead as a PDF for a case file: tagged, with its fonts inside."""
