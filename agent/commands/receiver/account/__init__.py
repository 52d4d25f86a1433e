"""`platewarden receiver account …`: one file a command."""

from agent.commands.lazy_group import group

app = group(__name__, "Who may sign in to the inbox of `receiver serve`.")
