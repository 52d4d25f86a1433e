"""Where a camera may call: the addresses that the policy lists, and nothing else. How it speaks
MQTT there is agent/mqtt's.
"""
