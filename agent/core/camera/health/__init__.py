"""How a camera is, in coarse numbers: what is told, and the message that tells it."""
