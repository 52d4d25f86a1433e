"""The demo on signed bundles: a push that one of two signed, and what a stranger can check."""
