"""Connections: configuration, the registry, the embedded server, health."""

from .config import DatabaseConfig, redact_uri
from .embedded import EmbeddedServer, start_embedded, stop_embedded
from .health import health_check, health_report
from .lifecycle import close_all_connections
from .registry import Binding, Connection, ConnectionManager, close_driver, connections

__all__ = [
    "Binding",
    "Connection",
    "ConnectionManager",
    "DatabaseConfig",
    "EmbeddedServer",
    "close_all_connections",
    "close_driver",
    "connections",
    "health_check",
    "health_report",
    "redact_uri",
    "start_embedded",
    "stop_embedded",
]
