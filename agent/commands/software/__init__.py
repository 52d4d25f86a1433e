"""`platewarden software`: which version of the software a city's cameras run. Release one, see what
a release says, and, on a camera, try it and keep it or go back.
"""

from agent.commands.lazy_group import group

app = group(__name__, "Release new software to cameras, and try it on one.")
