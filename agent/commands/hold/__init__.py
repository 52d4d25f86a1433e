"""`platewarden hold`: for those who may order that a recipient keeps a read beyond its deadline."""

from agent.commands.lazy_group import group

app = group(__name__, "Order that reads are held beyond their deadline, for a case.")
