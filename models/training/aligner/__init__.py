"""Training of the aligner: the network that finds a proposal's corners and tells plates from the
rest.
"""
