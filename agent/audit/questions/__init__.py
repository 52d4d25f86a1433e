"""The questions of docs/guide/auditor.md, asked of verified logs."""
