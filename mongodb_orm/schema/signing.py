"""How a model says that its documents name who wrote them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Signing:
    """The fields that say who wrote a document, as `with actor(...)` told.

    Attributes:
        creator: The field that holds who made it.
        updater: The field that holds who changed it last; it moves with `updated_at`.
    """

    creator: str = "created_by"
    updater: str = "updated_by"
