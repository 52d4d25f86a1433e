"""`platewarden policy`: for the city. Write, check, explain and compare policies."""

from agent.commands.lazy_group import group

app = group(__name__, "Write, check, explain and compare a city's policies.")
