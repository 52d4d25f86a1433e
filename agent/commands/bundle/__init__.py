"""`platewarden bundle`: for the city's key holders. Found a city, sign what changes, publish it,
show who holds what.
"""

from agent.commands.lazy_group import group

app = group(__name__, "Sign and publish what cameras obey (for the city's key holders).")
