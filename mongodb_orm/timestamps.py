"""The clock: UTC, aware, in the whole milliseconds that BSON keeps."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

_MILLISECOND = timedelta(milliseconds=1)
_LAST = datetime.max.replace(microsecond=999000, tzinfo=UTC)


def current_datetime() -> datetime:
    """Return the current time as MongoDB would store it: aware, UTC, whole milliseconds.

    Example:
        >>> current_datetime().tzinfo
        datetime.timezone.utc
    """
    return datetime.fromtimestamp(time.time_ns() // 1_000_000 / 1000, UTC)  # a third of the time that rounding takes


def in_utc(value: datetime) -> datetime:
    """Return `value` in UTC and whole milliseconds; a naive value is taken as UTC.

    BSON dates are milliseconds since the epoch (https://bsonspec.org/spec.html), so this is what a stored value
    will be when it is read again.

    Raises:
        ValueError: When its moment in UTC is before the year 1 or after the year 9999.
    """
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    elif value.tzinfo is not UTC:
        try:
            value = value.astimezone(UTC)
        except OverflowError as error:
            raise ValueError("the moment in UTC is not within the years 1 to 9999") from error
    excess = value.microsecond % 1000
    return value.replace(microsecond=value.microsecond - excess) if excess else value


def later_than(previous: datetime | None) -> datetime:
    """Return the current time, at least one millisecond after `previous`, so that an update always shows."""
    now = current_datetime()
    if previous is None:
        return now
    return max(now, min(in_utc(previous), _LAST - _MILLISECOND) + _MILLISECOND)
