"""`platewarden receiver`: the recipients' side. Receives and keeps sealed reads, opens one for a
person who may see it, destroys keys on their day.
"""

from agent.commands.lazy_group import group

app = group(__name__, "Receive, keep and open sealed reads (for the people whom a policy names).")
