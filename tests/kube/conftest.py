"""Fixtures and hooks of the tests in this folder."""

from hooks import pytest_sessionfinish, pytest_terminal_summary  # noqa: F401
from servers import server  # noqa: F401  (a fixture)
