"""The root of the error tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class MongoDBORMError(Exception):
    """The root of the tree.

    Attributes:
        problem: What went wrong, one sentence.
        hint: What to do about it, one sentence, or an empty string.
        code: The server's error code, where the server said no.
        labels: The server's error labels, such as `"TransientTransactionError"`.

    Facts such as `model`, `field`, `value` and `index` are attributes of the errors that know them.
    """

    def __init__(
        self, problem: str, *, hint: str = "", code: int | None = None, labels: Sequence[str] = (), **facts: Any
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint
        self.code = code
        self.labels = tuple(labels)
        self.facts: Mapping[str, Any] = facts
        for name, value in facts.items():
            setattr(self, name, value)

    def __str__(self) -> str:
        return f"{self.problem} {self.hint}" if self.hint else self.problem

    def has_label(self, label: str) -> bool:
        """Return whether the server put `label` on the error."""
        return label in self.labels
