"""The package's own logger."""

from __future__ import annotations

import logging

from .exceptions import ConfigurationError


class _OwnHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to stderr, unless the root logger has handlers: then each line would appear twice."""

    def emit(self, record: logging.LogRecord) -> None:
        if not logging.getLogger().handlers:
            super().emit(record)


def setup_logging(level: int | str = "INFO") -> logging.Logger:
    """Set the level of the logger `mongodb_orm` and let it print; the root logger is left alone.

    At DEBUG every command is logged with model, operation, duration and the shape of its filter, without values.

    Args:
        level: A level's name or number.

    Returns:
        The logger.

    Raises:
        ConfigurationError: When there is no such level.

    Example:
        >>> setup_logging(level="DEBUG")
    """
    logger = logging.getLogger("mongodb_orm")
    try:
        logger.setLevel(level.upper() if isinstance(level, str) else level)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(
            f"{level!r} is no log level.", hint="Use DEBUG, INFO, WARNING, ERROR or CRITICAL."
        ) from error
    if not any(isinstance(handler, _OwnHandler) for handler in logger.handlers):
        handler = _OwnHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
        logger.addHandler(handler)
    return logger
