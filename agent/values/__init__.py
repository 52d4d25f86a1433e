"""Slotted values as classes: to a reader and to mypy the standard library's dataclasses, and at run
time classes that equal them and cost a small part of theirs to make (docs/design/start.md).
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import asdict, dataclass, field, fields, replace
else:
    from agent.values.made_class import asdict, dataclass, field, fields, replace

__all__ = ["asdict", "dataclass", "field", "fields", "replace"]
