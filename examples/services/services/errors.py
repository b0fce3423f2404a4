"""What can go wrong in the words of the application."""

from __future__ import annotations


class AccountError(Exception):
    """The root of the application's own errors."""


class UnknownUserError(AccountError):
    """There is no such user."""


class AlreadyTakenError(AccountError):
    """Somebody else has that name or address.

    Attributes:
        fields: Which of them.
    """

    def __init__(self, fields: tuple[str, ...]) -> None:
        super().__init__(f"Taken already: {', '.join(fields)}.")
        self.fields = fields
