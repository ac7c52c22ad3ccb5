"""Settings common to sources with a live side, whose readings `eugenie bridge` sends to the site's topic."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from eugenie_cli.site.base import Section
from eugenie_cli.site.field_types import PositiveMs

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(kB|MB|GB|KiB|MiB|GiB)")
_UNITS = {"kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def parse_size(given: Any) -> int:
    """`"500MB"`, `"1.5GiB"` -> bytes. Raises ValueError for anything else, including a number without a unit."""
    match = _SIZE.fullmatch(given.strip()) if isinstance(given, str) else None
    if match is None:
        raise ValueError("a size needs a number and a unit: 500MB or 2GiB")
    return int(float(match[1]) * _UNITS[match[2]])


def show_size(size: int) -> str:
    """Bytes -> text from which `parse_size` returns the same number."""
    for unit in ("GiB", "GB", "MiB", "MB", "KiB", "kB"):
        if size and size % _UNITS[unit] == 0:
            return f"{size // _UNITS[unit]}{unit}"
    return f"{size / 1_000}kB"


def _at_least(size: int) -> int:
    if size < 1_000_000:
        raise ValueError("must be at least 1MB")
    return size


Size = Annotated[
    int,
    BeforeValidator(lambda given: given if isinstance(given, int) and given > 0 else parse_size(given)),
    AfterValidator(_at_least),
    PlainSerializer(show_size, when_used="json"),
    WithJsonSchema({"type": "string", "examples": ["1GiB"]}),
]


class BridgeSettings(Section):
    """How live readings reach the site's topic."""

    store: Size = Field(
        1 << 30, description="disk space for readings while Kafka cannot be reached; of more, the oldest are lost"
    )
    patience: PositiveMs = Field(2_000, description="how long readings wait for Kafka before they are stored on disk")


class PollingBridge(BridgeSettings):
    """The live side of a source that is asked again and again, such as a database."""

    every: PositiveMs = Field(5_000, description="how often the source is asked for new rows")
    overlap: PositiveMs = Field(
        60_000,
        description="how much older than the newest row another one may be that is written later: so much is read"
        " again each time, and compared with what was sent",
    )
