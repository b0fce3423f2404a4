"""How many commands a piece of code sends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..monitoring import CommandEvent, add_command_listener


@contextmanager
def assert_commands(count: int | None = None, *, at_most: int | None = None) -> Iterator[list[CommandEvent]]:
    """Fail when the block sends another number of commands to the database.

    Args:
        count: How many commands it must send.
        at_most: How many it may send.

    Yields:
        The list of commands, which grows while the block runs.

    Raises:
        AssertionError: At the end of the block; it lists what was sent, without values.

    Example:
        >>> with assert_commands(1):
        ...     users = await User.filter(city="Oslo")
    """
    sent: list[CommandEvent] = []
    stop = add_command_listener(sent.append)
    try:
        yield sent
    finally:
        stop()
    is_wrong = (count is not None and len(sent) != count) or (at_most is not None and len(sent) > at_most)
    if is_wrong:
        wanted = f"{count}" if count is not None else f"at most {at_most}"
        lines = [f"  {event.model}.{event.operation} {event.shape}" for event in sent]
        raise AssertionError("\n".join([f"{wanted} commands were expected, {len(sent)} were sent:", *lines]))
