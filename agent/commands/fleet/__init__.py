"""`platewarden fleet`: a city's cameras as one, from what they tell of their health."""

from agent.commands.lazy_group import group

app = group(__name__, "See a city's cameras as one: who is well, silent, or needs a ladder.")
