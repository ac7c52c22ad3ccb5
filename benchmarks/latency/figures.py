"""Figures from a live plant's readings and scores: latencies in milliseconds, by the broker's clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from benchmarks.common.plant import STEP_MS, Plant
from benchmarks.common.waiting import Check
from benchmarks.latency.watch import Score
from eugenie_cli.broker import consume
from eugenie_cli.site.schema import Site


@dataclass(frozen=True)
class Sent:
    """The gateway's readings: their instants in ms since 1970, and when the broker accepted them."""

    asset: np.ndarray
    ts: np.ndarray
    taken: np.ndarray


def readings(site: Site, since_ms: int, until_ms: int, check: Check) -> Sent:
    """All readings that the broker accepted between two times. Raises whatever `check` raises.

    The topic has one partition and no end: a reading after `until_ms` shows that all earlier ones have been read.
    """

    def ended() -> bool:
        check()
        return False

    rows = []
    for record in consume.read(site, str(site.topics.readings), since_ms=since_ms, follow=True, stop=ended):
        if record.timestamp_ms > until_ms:
            break
        reading = orjson.loads(record.value or b"")
        rows.append((reading["asset"], reading["ts"].rstrip("Z"), record.timestamp_ms))
    assets, texts, taken = zip(*rows, strict=True)
    return Sent(np.array(assets), np.array(texts, "datetime64[ms]").astype(np.int64), np.array(taken))


def figures_of(
    site: Site, plant: Plant, scores: Sequence[Score], sent: Sent, between: tuple[int, int]
) -> dict[str, Any]:
    """Latencies in milliseconds. Raises RuntimeError if rows are missing or have no score."""
    begin, end = between
    expected = (end // STEP_MS - begin // STEP_MS) * plant.assets
    scored = {(score.asset, score.edge): score for score in scores if score.scored}
    if len(scored) != expected:
        raise RuntimeError(f"{len(scored):,} of {expected:,} rows have a score")
    completed = completion(sent, sorted({score.edge for score in scores}), site.stream.out_of_orderness)
    committed = site.stream.delivery == "exactly-once"
    done = {row: score.read_ms if committed else score.taken_ms for row, score in scored.items()}
    latency = np.array([at - completed[edge] for (_, edge), at in done.items()])
    whole = np.array(list(done.values())) - np.array(last_readings(sent, done))
    read = np.array([score.read_ms - completed[score.edge] for score in scored.values()])
    count = int(((sent.taken >= begin) & (sent.taken < end)).sum())
    return {
        "p50_ms": percentile(latency, 50),
        "p99_ms": percentile(latency, 99),
        "max_ms": float(latency.max()),
        "readings_per_s": count / (end - begin) * 1_000,
        "rows": len(scored),
        "read_p50_ms": percentile(read, 50),
        "read_p99_ms": percentile(read, 99),
        "from_last_reading_p50_ms": percentile(whole, 50),
        "from_last_reading_p99_ms": percentile(whole, 99),
        "step_ms": STEP_MS,
        "out_of_orderness_ms": site.stream.out_of_orderness,
        "checkpoint_ms": site.stream.checkpoint,
    }


def completion(sent: Sent, edges: list[int], out_of_orderness: int) -> dict[int, int]:
    """Edge -> when the broker accepted the first reading that completes the rows of that edge."""
    order = np.argsort(sent.taken, kind="stable")
    furthest = np.maximum.accumulate(sent.ts[order])
    positions = np.searchsorted(furthest, np.array(edges) + out_of_orderness)
    return dict(zip(edges, sent.taken[order][positions].tolist(), strict=True))


def last_readings(sent: Sent, rows: Iterable[tuple[str, int]]) -> list[int]:
    """When the broker accepted the last reading of each row (asset, edge): the asset's last one with ts <= edge."""
    by_asset = {}
    for asset in np.unique(sent.asset):
        own = sent.asset == asset
        order = np.argsort(sent.ts[own], kind="stable")
        by_asset[str(asset)] = sent.ts[own][order], np.maximum.accumulate(sent.taken[own][order])
    return [int(by_asset[asset][1][np.searchsorted(by_asset[asset][0], edge, "right") - 1]) for asset, edge in rows]


def percentile(values: np.ndarray, share: float) -> float:
    return float(np.percentile(values, share))
