"""The audit log as RFC 6962 and C2SP have it: leaves, the Merkle tree, checkpoints.

No disk, no keys.
"""
