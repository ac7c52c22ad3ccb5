"""PostgreSQL compared with a loop over SQLAlchemy's rows: the CPU time of this process, without the server's.

The table is long: instant, tag, value, quality. The loop only fetches rows, and keeps their values. eugenie fetches
columns, then maps and checks every reading, then imports them into a history. Turns alternate; the best turn of each
counts, since disturbances make a turn longer, never shorter.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from benchmarks.common import report
from eugenie_cli.console import Console
from eugenie_cli.history.site_history import open_history
from eugenie_cli.site.load import load_site
from eugenie_cli.sources.importing import import_sources
from eugenie_cli.sources.interface import Tally
from eugenie_cli.sources.sql.open import open_database
from eugenie_cli.sources.sql.reader import SqlReader
from eugenie_cli.sources.sql.statements import reading_table
from eugenie_cli.sources.sql.times import TimeColumn
from eugenie_cli.sources.windows.pace import Pace
from eugenie_cli.sources.windows.reader import Span

TESTS = Path(__file__).parents[2] / "tests"
COLUMNS = ("ts", "tag", "value", "quality")
START, START_MS, STEP_MS = "2026-01-01T00:00:00Z", 1_767_225_600_000, 100
SPAN_ROWS = 250_000
"""Rows of a query, about as many as the width of spans settles at."""

FILL = """
INSERT INTO log
SELECT '{start}'::timestamptz + i * interval '{step} ms', 'A' || i % 20 || '.PV' || i / 20 % 8, i * 0.001, 192
FROM generate_series(0, {last}) i
"""
SITE = """\
site: bench
workspace: {folder}
sources:
  - name: db
    type: sql
    url: postgresql://127.0.0.1:{port}/plant
    username: postgres
    table: log
    start: {start}
    window: 31d
    readings: {{tag: {{path: tag}}, quality: {{path: quality, scheme: opcda}}}}
classes:
  pump: {{sensors: [{sensors}]}}
assets: {{{assets}}}
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="benchmarks.databases", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the table")
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    sys.path.insert(0, str(TESTS))
    from support.sql_servers import postgresql  # the tests' own starter

    progress = Console()
    report.end_on_term()
    with report.failures_in_words(progress), postgresql() as server, tempfile.TemporaryDirectory() as folder:
        progress.say(f"{options.rows:,} rows into PostgreSQL on port {server.port}")
        server.run(
            "CREATE TABLE log (ts timestamptz, tag text, value double precision, quality int)",
            FILL.format(start=START, step=STEP_MS, last=options.rows - 1),
            "CREATE INDEX ON log (ts)",
            "VACUUM ANALYZE log",
        )
        best: dict[str, float] = {}
        for turn in range(options.turns):
            runs = _runs(Path(folder) / str(turn), server.port, options.rows)
            for name, run in runs.items():
                began = time.process_time()
                found = run()
                spent = (time.process_time() - began) / options.rows * 1e6
                assert found == options.rows, f"{name} found {found:,} rows"
                best[name] = min(spent, best.get(name, spent))
                progress.say(f"turn {turn + 1}: {name}: {spent:.2f} CPU s a million rows")
    report.finish(
        "databases",
        {
            "rows": options.rows,
            **{f"{name}_cpu_s_per_million": spent for name, spent in best.items()},
            **{f"{name}_ratio": best["row_loop"] / best[name] for name in ("columns", "readings", "import")},
        },
    )


def _runs(folder: Path, port: int, rows: int) -> dict[str, Callable[[], int]]:
    """Name -> what is measured; each returns the number of rows that it has read."""
    folder.mkdir()
    sensors = ", ".join(f"{{name: s{number}}}" for number in range(8))
    tags = {f"A{asset}": ", ".join(f"s{number}: A{asset}.PV{number}" for number in range(8)) for asset in range(20)}
    assets = ", ".join(f"{name}: {{class: pump, tags: {{{given}}}}}" for name, given in tags.items())
    (folder / "site-configs").mkdir()
    file = folder / "site-configs" / "site.yaml"
    file.write_text(SITE.format(folder=folder, port=port, start=START, sensors=sensors, assets=assets))
    site = load_site(file)
    source = site.sources[0]
    width = SPAN_ROWS * STEP_MS
    end = START_MS + rows * STEP_MS
    spans = [Span(start, min(end, start + width)) for start in range(START_MS, end, width)]

    def row_loop() -> int:
        engine = sa.create_engine(f"postgresql+psycopg://postgres@127.0.0.1:{port}/plant")
        query = sa.text("SELECT ts, tag, value, quality FROM log WHERE ts >= :start AND ts < :end")
        count = 0
        with engine.connect().execution_options(stream_results=True, max_row_buffer=10_000) as connection:
            for span in spans:
                kept = []
                first, last = TimeColumn.of("instant", {"unit": "iso"}, "UTC").bound(span)
                for row in connection.execute(query, {"start": first, "end": last}):
                    kept.append((row.ts, row.tag, row.value, row.quality))
                count += len(kept)
        engine.dispose()
        return count

    def columns() -> int:
        database = open_database(source, site)
        at = TimeColumn.of("instant", {"unit": "iso"}, "UTC")
        statements = (reading_table("log", COLUMNS, "ts", at, span) for span in spans)
        count = sum(batch.num_rows for statement in statements for batch in database.fetch(statement, SPAN_ROWS))
        database.close()
        return count

    def readings() -> int:
        reader, pace = SqlReader(source, site), Pace(source.pace)
        count = sum(len(batch.ts) for span in spans for batch in reader.read(span, Tally(), pace))
        reader.close()
        return count

    def whole_import() -> int:
        import_sources(site)
        return sum(item.rows for item in open_history(site).items("db").values())

    return {"row_loop": row_loop, "columns": columns, "readings": readings, "import": whole_import}


if __name__ == "__main__":
    main()
