"""The page with which anybody checks a report in a browser, offline (docs/ref/report.md)."""
