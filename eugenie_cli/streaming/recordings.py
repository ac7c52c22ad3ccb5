"""What can be replayed: messages in time order, made of history in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from eugenie_cli.history.store import History
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming.encoder import Composer

SLICE_READINGS = 1_000_000
"""Readings of history in memory at once, as far as they are evenly spread: some 25 MB."""

KeyedMessage = tuple[str | None, bytes]


@dataclass(frozen=True)
class Stretch:
    """Some messages in time order: their instants, int64 [N] in ms, and each by its place."""

    ts: np.ndarray
    message: Callable[[int], KeyedMessage]


@dataclass
class Recording:
    """Messages to replay. `start_ms` and `end_ms`: the first and last instant; None when there is no message."""

    start_ms: int | None
    end_ms: int | None
    stretches: Callable[[], Iterator[Stretch]]
    rejected: Counter[str] = field(default_factory=Counter)
    """Records of a file that are no readings of the site, by reason: they cannot be sent."""


@dataclass(frozen=True)
class Chosen:
    """Which part of it. Instants in ms since 1970 UTC: start <= ts < end."""

    assets: tuple[str, ...]
    start_ms: int | None = None
    end_ms: int | None = None


def of_history(site: Site, history: History, chosen: Chosen) -> Recording:
    """The readings of the chosen assets, as messages by the site's mapping. Raises EugenieError."""
    spans = [one for one in history.summary() if one.asset in chosen.assets and one.readings]
    if not spans:
        return Recording(None, None, lambda: iter(()))
    start = max(min(one.start_ms for one in spans), -(2**62) if chosen.start_ms is None else chosen.start_ms)
    end = min(max(one.end_ms for one in spans) + 1, 2**62 if chosen.end_ms is None else chosen.end_ms)
    if start >= end:
        return Recording(None, None, lambda: iter(()))
    whole = max(one.end_ms for one in spans) - min(one.start_ms for one in spans) + 1
    per_ms = sum(one.readings for one in spans) / whole
    width = max(int(SLICE_READINGS / per_ms), 1)
    compose = Composer(site)

    def stretches() -> Iterator[Stretch]:
        for begin in range(start, end, width):
            yield _slice(history, chosen.assets, begin, min(begin + width, end), compose)

    return Recording(start, end - 1, stretches)


def _slice(history: History, assets: Sequence[str], start: int, end: int, compose: Composer) -> Stretch:
    found = [history.read(asset, start, end) for asset in assets]
    series = [(one.asset, name) for one in found for name in one.names]
    first = np.cumsum([0, *(len(one.names) for one in found)])
    place = np.concatenate([one.sensor + offset for one, offset in zip(found, first[:-1], strict=True)])
    ts = np.concatenate([one.ts for one in found])
    value = np.concatenate([one.value for one in found])
    order = np.argsort(ts, kind="stable")
    place, ts, value = place[order], ts[order], value[order]

    def message(index: int) -> KeyedMessage:
        asset, sensor = series[place[index]]
        return asset, compose(asset, sensor, int(ts[index]), float(value[index]))

    return Stretch(ts, message)
