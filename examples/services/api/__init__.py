"""HTTP: what comes in is checked, what goes wrong is answered."""

from .app import create_app

__all__ = ["create_app"]
