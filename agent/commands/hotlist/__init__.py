"""`platewarden hotlist`: for the city's staff. Imports an agency's list, adds and withdraws single
plates, shows counts; never prints a plate.
"""

from agent.commands.lazy_group import group

app = group(__name__, "Keep a city's hot list.")
