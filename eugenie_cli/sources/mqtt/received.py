"""A message as it came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Received(NamedTuple):
    """`at_ms`: when it arrived, ms since 1970 UTC; `headers`: its user properties; `mid`: by which it is acknowledged
    on the connection of that number, 0 if it is not to be.
    """

    topic: str
    payload: bytes
    at_ms: int
    headers: Mapping[str, bytes]
    mid: int = 0
    connection: int = 0
