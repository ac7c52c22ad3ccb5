"""Recordings to replay: messages in time order, generated from history in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from eugenie_cli.history.store import History
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming.encoder import Composer

SLICE_READINGS = 1_000_000
"""Readings of history in memory at once, if they are evenly spread: about 25 MB."""

KeyedMessage = tuple[str | None, bytes]


@dataclass(frozen=True)
class Stretch:
    """Consecutive messages in time order: their instants, int64 [N] in ms, and a function from index to message."""

    ts: np.ndarray
    message: Callable[[int], KeyedMessage]


@dataclass
class Recording:
    """Messages to replay. `start_ms` and `end_ms`: the first and last instant; None without messages."""

    start_ms: int | None
    end_ms: int | None
    stretches: Callable[[], Iterator[Stretch]]
    rejected: Counter[str] = field(default_factory=Counter)
    """Records of a file that are not readings of the site, by reason; they cannot be sent."""


@dataclass(frozen=True)
class Chosen:
    """What to replay. Instants in ms since 1970 UTC: start <= ts < end."""

    assets: tuple[str, ...]
    start_ms: int | None = None
    end_ms: int | None = None
    file: Path | None = None
    """JSON lines as they are, or CSV by the mapping of `source`. None: the history."""
    source: str | None = None
    """The name of a source; None: the only one."""


def of_history(site: Site, history: History, chosen: Chosen) -> Recording:
    """The readings of the chosen assets, encoded by the site's mapping. Raises EugenieError."""
    spans = [span for span in history.summary() if span.asset in chosen.assets and span.readings]
    if not spans:
        return Recording(None, None, lambda: iter(()))
    start = max(min(span.start_ms for span in spans), -(2**62) if chosen.start_ms is None else chosen.start_ms)
    end = min(max(span.end_ms for span in spans) + 1, 2**62 if chosen.end_ms is None else chosen.end_ms)
    if start >= end:
        return Recording(None, None, lambda: iter(()))
    duration = max(span.end_ms for span in spans) - min(span.start_ms for span in spans) + 1
    per_ms = sum(span.readings for span in spans) / duration
    width = max(int(SLICE_READINGS / per_ms), 1)
    compose = Composer(site)

    def stretches() -> Iterator[Stretch]:
        for begin in range(start, end, width):
            yield _slice(history, chosen.assets, begin, min(begin + width, end), compose)

    return Recording(start, end - 1, stretches)


def _slice(history: History, assets: Sequence[str], start: int, end: int, compose: Composer) -> Stretch:
    by_asset = [history.read(asset, start, end) for asset in assets]
    series = [(readings.asset, name) for readings in by_asset for name in readings.names]
    first_columns = np.cumsum([0, *(len(readings.names) for readings in by_asset)])
    column = np.concatenate(
        [readings.sensor + offset for readings, offset in zip(by_asset, first_columns[:-1], strict=True)]
    )
    ts = np.concatenate([readings.ts for readings in by_asset])
    value = np.concatenate([readings.value for readings in by_asset])
    order = np.argsort(ts, kind="stable")
    column, ts, value = column[order], ts[order], value[order]

    def message(index: int) -> KeyedMessage:
        asset, sensor = series[column[index]]
        return asset, compose(asset, sensor, int(ts[index]), float(value[index]))

    return Stretch(ts, message)
