"""A distribution `odd-sources` that provides the source type `odd`, for tests that break it."""

from __future__ import annotations

GOOD = """
from typing import Literal
from eugenie_cli.site.source_types import SourceSettings, SourceType
class Settings(SourceSettings):
    type: Literal["odd"]
"""
"""The module's beginning, without the SOURCE that its entry point names."""

NEXT = "install a version of odd-sources for this version of eugenie, with its dependencies, or uninstall it"
"""The hint of its errors."""
