"""What the tests on hardware stand on: the device by labgrid, its network, the chart it looks at,
and the probe that runs on it.
"""
