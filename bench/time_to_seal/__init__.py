"""How long after its first readable frame a listed plate is sealed (docs/ref/performance.md)."""
