"""`platewarden receiver hold …`: one file a command."""

from agent.commands.lazy_group import group

app = group(__name__, "Reads that are kept beyond their deadline, by a signed hold.")
