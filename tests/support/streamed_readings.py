"""What a bridge has sent to the topic of readings."""

from __future__ import annotations

import numpy as np
import orjson

from eugenie_cli.broker import consume
from eugenie_cli.errors import EugenieError
from eugenie_cli.site.schema import Site

Streamed = tuple[str, str, int, float | None]
"""Asset, sensor, instant in ms since 1970 UTC, value or None."""


def streamed(site: Site) -> list[Streamed]:
    """All records of the topic, in its order; none if the bridge has not made the topic yet."""
    try:
        read = [*consume.read(site.kafka_access, str(site.topics.readings), since_ms=0, until_end=True)]
    except EugenieError:
        return []
    records = [orjson.loads(record.value or b"") for record in read]
    instants = np.array([record["ts"].removesuffix("Z") for record in records], "M8[ms]").astype(np.int64).tolist()
    return [
        (record["asset"], record["sensor"], ts, record["value"]) for record, ts in zip(records, instants, strict=True)
    ]
