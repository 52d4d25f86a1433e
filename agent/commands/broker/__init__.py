"""`platewarden broker`: for whoever runs a city's MQTT broker. Certificates, access list,
configuration, and a check of what the broker really does.
"""

from agent.commands.lazy_group import group

app = group(__name__, "Set a city's broker up, and see what it really does.")
