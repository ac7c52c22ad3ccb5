"""Shared by tests: sites, plants, servers and tools. Contains no tests."""

from pathlib import Path

FOLDER = Path(__file__).parent
