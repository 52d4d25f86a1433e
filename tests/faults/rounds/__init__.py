"""`make faults ROUNDS=n`: the real line, one fault a round, and what was lost by it
(docs/ref/faults.md).
"""
