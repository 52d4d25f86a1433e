"""From plates in single frames to one sighting a vehicle. Everything here carries plates (P2)."""
