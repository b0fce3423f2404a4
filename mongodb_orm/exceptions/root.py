"""The root of the error tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_PACKAGE = __name__.rpartition(".")[0]


class MongoDBORMError(Exception):
    """The root of the tree.

    Attributes:
        problem: What went wrong, one sentence.
        hint: What to do about it, one sentence, or an empty string.
        code: The server's error code, where the server said no.
        labels: The server's error labels, such as `"TransientTransactionError"`.
        docs_page: The place in the documentation that explains the error; a traceback shows it below the message.
        is_outcome_unknown: Whether a write that ended like this may be stored or not: only reading tells.

    Facts such as `model`, `field`, `value` and `index` are attributes of the errors that know them.
    """

    is_outcome_unknown: bool = False

    def __init__(
        self, problem: str, *, hint: str = "", code: int | None = None, labels: Sequence[str] = (), **facts: Any
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint
        self.code = code
        self.labels: tuple[str, ...] = tuple(labels)
        self.facts: Mapping[str, Any] = facts
        for name, value in facts.items():
            setattr(self, name, value)
        self.add_note(f"More: {self.docs_page} in the documentation of mongodb_orm.")

    @property
    def docs_page(self) -> str:
        """The page and section that explain the error; of a class of your own, those of the class that it derives from.

        Example:
            >>> DuplicateDocumentError("...").docs_page
            'errors.md#duplicatedocumenterror'
        """
        ours = next(kind for kind in type(self).__mro__ if kind.__module__.startswith(_PACKAGE))
        return f"errors.md#{ours.__name__.lower()}"

    def __reduce__(self) -> tuple[Any, ...]:
        """Let errors cross processes: the arguments of a subclass differ, so the facts are what is kept."""
        return _restored, (type(self), self.args, self.__dict__)

    def __str__(self) -> str:
        return f"{self.problem} {self.hint}" if self.hint else self.problem

    def has_label(self, label: str) -> bool:
        """Return whether the server put `label` on the error."""
        return label in self.labels


def _restored(kind: type[MongoDBORMError], args: tuple[Any, ...], state: dict[str, Any]) -> MongoDBORMError:
    error = kind.__new__(kind, *args)
    error.args = args  # which the builtin ConnectionError sets in __init__ alone
    error.__dict__.update(state)
    return error
