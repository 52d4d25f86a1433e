"""The parts of `doctor`, each a process of its own: who sees plates dials nobody, who dials sees no
plate (P2).
"""
