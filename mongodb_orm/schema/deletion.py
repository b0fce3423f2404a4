"""How a model says that deleting only marks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SoftDeletion:
    """The fields that a soft delete writes and that reads look at.

    Attributes:
        flag: The field that is True for a deleted document.
        moment: The field that holds when it was deleted.
    """

    flag: str = "is_deleted"
    moment: str = "deleted_at"
