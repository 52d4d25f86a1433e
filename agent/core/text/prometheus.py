"""Prometheus' text format 0.0.4, as node_exporter's textfile collector reads it."""

from collections.abc import Iterable, Iterator, Mapping

Sample = tuple[Mapping[str, str], int | float]
"""Labels, and a value; a bool counts as 0 or 1."""


def gauge(name: str, told: str, samples: Iterable[Sample]) -> Iterator[str]:
    """The lines of one metric. `told`: its help."""
    yield f"# HELP {name} {told}"
    yield f"# TYPE {name} gauge"
    for labels, value in samples:
        named = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        yield f"{name}{{{named}}} {value + 0}" if named else f"{name} {value + 0}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
