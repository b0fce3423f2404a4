"""Where the settings come from."""

from .settings import Settings

__all__ = ["Settings"]
