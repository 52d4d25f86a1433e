"""A city's own MQTT broker: certificates, access list, configuration, and a check of what any
broker really does. The broker itself is other people's software.
"""
