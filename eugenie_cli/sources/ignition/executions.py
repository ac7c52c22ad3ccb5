"""When the gateway executed its scan classes (sqlth_sce): in between it was down, and no tag was recorded."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from eugenie_cli.sources.sql.databases import Database
from eugenie_cli.sources.sql.faults import MissingTableError
from eugenie_cli.sources.sql.statements import Statement, table_of
from eugenie_cli.sources.windows.plan import span_key
from eugenie_cli.sources.windows.reader import Span

SHORTEST_MS = 60_000
"""Shorter interruptions are not named: changing a scan class is one, too."""
RATES = 3
"""Executions that may be missing before it counts as an interruption: the gateway was only busy."""


@dataclass(frozen=True)
class Execution:
    """A scan class ran from `start_ms` to `end_ms`, every `rate_ms`."""

    start_ms: int
    end_ms: int
    rate_ms: int


def read_executions(database: Database, prefix: str) -> Mapping[int, Sequence[Execution]]:
    """By number of the scan class, in time order. Empty if the gateway does not record them."""
    table = table_of(f"{prefix}sqlth_sce", ("scid", "start_time", "end_time", "rate"))
    try:
        rows = database.rows(Statement(sa.select(*table.c), {}))
    except MissingTableError:
        return {}
    found: dict[int, list[Execution]] = {}
    for number, start, end, rate in rows:
        if number is not None and start is not None and end is not None:
            found.setdefault(int(number), []).append(Execution(int(start), int(end), int(rate or 0)))
    return {number: sorted(runs, key=lambda run: run.start_ms) for number, runs in found.items()}


def interruptions(executions: Mapping[int, Sequence[Execution]], classes: Collection[int], span: Span) -> Iterator[str]:
    """Sentences about times, also in a span, in which none of some scan classes ran, between two executions."""
    runs = sorted((run for number in classes for run in executions.get(number, ())), key=lambda run: run.start_ms)
    reached = None
    for run in runs:
        if reached is not None:
            is_long = run.start_ms - reached > max(SHORTEST_MS, RATES * run.rate_ms)
            if is_long and reached < span.end_ms and run.start_ms > span.start_ms:
                between = span_key(reached, run.start_ms - reached).replace("/", " and ")
                yield f"the gateway recorded nothing between {between}: it was down, or its history was off (sqlth_sce)"
        reached = run.end_ms if reached is None else max(reached, run.end_ms)
