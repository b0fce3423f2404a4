"""What tests of applications need."""

from ..drivers.recording import RecordingDriver
from .counting import assert_commands
from .data import build_test_data, create_test_data
from .rollback import rolled_back
from .searching import SearchCase, search_cases

__all__ = [
    "RecordingDriver",
    "SearchCase",
    "assert_commands",
    "build_test_data",
    "create_test_data",
    "rolled_back",
    "search_cases",
]
