"""How a model says that saves are checked against what was loaded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Versioning:
    """The field by which a stale save is found.

    Attributes:
        field: An int that every write of an object increments, in the same update that checks it.
    """

    field: str = "version"
