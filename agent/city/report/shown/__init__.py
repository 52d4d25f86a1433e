"""How a report is shown: one HTML page, JSON, CSV."""
