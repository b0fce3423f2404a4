"""What tests of applications need."""

from .data import build_test_data, create_test_data

__all__ = ["build_test_data", "create_test_data"]
