"""How the shipped networks were trained; never part of an installed camera."""
