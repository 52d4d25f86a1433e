"""`platewarden audit`: for auditors (docs/guide/auditor.md)."""

from agent.commands.lazy_group import group

app = group(__name__, "Check a camera's audit logs.")
