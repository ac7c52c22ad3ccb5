"""SQL over the history: read-only queries by DuckDB on the committed parts, and on nothing else.

DuckDB can open only the parts that the manifest lists, cannot install or load an extension, and its configuration is
locked before the user's statement runs. Only a SELECT is accepted: what DuckDB may read, it may also write.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.history.overlaps import overlaps
from eugenie_cli.history.part_files import ITEM
from eugenie_cli.history.snapshot import Placed, Snapshot
from eugenie_cli.history.store import History

TABLE = "readings"
COLUMNS = "asset, sensor, ts, value, quality"
BATCH_ROWS = 50_000
"""Rows of a result in memory at a time."""

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",  # a variable of this program is not a table
}
_NO_PARTS = (
    "SELECT NULL::VARCHAR AS asset, NULL::VARCHAR AS sensor, NULL::TIMESTAMPTZ AS ts, NULL::DOUBLE AS value, "
    "NULL::UTINYINT AS quality LIMIT 0"
)
_READINGS = (  # not isnan(value): DuckDB takes a column for free of NaN by its statistics, which leave NaN out
    "SELECT asset::VARCHAR AS asset, sensor::VARCHAR AS sensor, ts, "
    "CASE WHEN quality = 0 THEN NULL WHEN value = 0 THEN 0::DOUBLE ELSE value END AS value, quality"  # -0.0 is 0.0
)


Row = tuple[Any, ...]
"""Values as JSON has them: instants are ISO 8601 text, numbers int or float, a value that is not finite is None."""


@dataclass(frozen=True)
class SqlResult:
    """The result of a query: the names of its columns, all different, and its rows, read in batches."""

    columns: tuple[str, ...]
    rows: Iterator[Row]


@contextmanager
def query(history: History, statement: str) -> Iterator[SqlResult]:
    """The result of a SELECT on the table `readings`, valid within the `with` block.

    Columns: asset and sensor (text), ts (timestamp, in UTC), value (float64, NULL if the quality is bad) and quality
    (192 or 0). One reading for each asset, sensor and instant, chosen as `History.read` does. Raises EugenieError,
    also while the rows are read, for any other statement, for one that fails, and if a part is missing.
    """
    snapshot = history.snapshot()
    with tempfile.TemporaryDirectory(prefix="eugenie-sql-") as spill, duckdb.connect(":memory:", config=_CONFIG) as db:
        selected = _select(db, statement)
        files = [str(history.root / file) for file in snapshot.by_file]
        try:
            db.execute(f"SET temp_directory = {_text(spill)}; SET TimeZone = 'UTC'")
            db.execute(f"SET allowed_paths = {_list(files)}")
            db.execute("SET enable_external_access = false; SET lock_configuration = true")
            db.execute(f"CREATE VIEW {TABLE} AS {_table(snapshot, history.root)}")
            reader = db.sql(selected).to_arrow_reader(BATCH_ROWS)
            yield SqlResult(_distinct(reader.schema.names), _rows(reader, files))
        except duckdb.Error as error:
            raise _failed(error, files) from error


def _select(db: duckdb.DuckDBPyConnection, statement: str) -> Any:
    """The statement, parsed. Raises EugenieError if it is not one SELECT."""
    try:
        statements = db.extract_statements(statement)
    except duckdb.Error as error:
        raise _failed(error, ()) from error
    if [parsed.type for parsed in statements] != [duckdb.StatementType.SELECT]:
        raise EugenieError(
            "a query is one SELECT: only `eugenie import` and `eugenie history drop` change the history",
            hint=f'for example: eugenie history sql "select sensor, count(*) from {TABLE} group by sensor"',
            exit_code=ExitCode.USAGE,
        )
    return statements[0]


def _table(snapshot: Snapshot, root: Path) -> str:
    """The SELECT that is the table. Only parts in which an instant may occur twice are deduplicated: that is slow."""
    repeating = {_place(placed) for overlap in overlaps(snapshot) for placed in overlap.parts}
    once = [placed for placed in snapshot.placed if not (_place(placed) in repeating or placed.part.repeated)]
    often = [placed for placed in snapshot.placed if _place(placed) in repeating or placed.part.repeated]
    selects = [f"SELECT {COLUMNS} FROM ({of_parts})" for of_parts in _of_parts(once, root, aged=False)]
    if often:
        # the rule of `batch.merge`: the later export counts, then the good reading, then the larger value
        selects.append(
            f"SELECT {COLUMNS} FROM ({' UNION ALL '.join(_of_parts(often, root, aged=True))}) QUALIFY "
            "row_number() OVER (PARTITION BY asset, sensor, ts ORDER BY age DESC, value IS NULL, value DESC) = 1"
        )
    return " UNION ALL ".join(selects) or _NO_PARTS


def _place(placed: Placed) -> tuple[str, int | None]:
    return placed.part.file, placed.part.item


def _of_parts(placed: Sequence[Placed], root: Path, *, aged: bool) -> Iterator[str]:
    """SELECTs of the readings of parts (`aged`: with their ages): of whole files, and of parts of merged files."""
    whole = [(_text(str(root / entry.part.file)), entry) for entry in placed if entry.part.item is None]
    merged = [(_text(str(root / entry.part.file)), entry) for entry in placed if entry.part.item is not None]
    if whole and not aged:
        yield f"{_READINGS} FROM read_parquet([{', '.join(path for path, _ in whole)}])"
    elif whole:
        ages = ", ".join(f"({path}, {entry.age})" for path, entry in whole)
        files = ", ".join(dict.fromkeys(path for path, _ in whole))
        yield (
            f"{_READINGS}, age FROM read_parquet([{files}], filename = true) "
            f"JOIN (VALUES {ages}) AS ages (file, age) ON file = filename"
        )
    if merged:
        ages = ", ".join(f"({path}, {entry.part.item}, {entry.age})" for path, entry in merged)
        files = ", ".join(dict.fromkeys(path for path, _ in merged))
        yield (
            f"{_READINGS}, age FROM read_parquet([{files}], filename = true) AS parts "
            f"JOIN (VALUES {ages}) AS ages (file, number, age) ON file = filename AND number = parts.{ITEM}"
        )


def _rows(reader: pa.RecordBatchReader, files: Sequence[str]) -> Iterator[Row]:
    try:
        for batch in reader:
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                yield tuple(map(_plain, row))
    except (duckdb.Error, pa.ArrowException, OSError) as error:  # Arrow wraps DuckDB's errors in its own
        raise _failed(error, files) from error


def _plain(value: Any) -> Any:
    """A value of Arrow as JSON has it."""
    if isinstance(value, datetime):
        text = value.isoformat(timespec="microseconds" if value.microsecond % 1_000 else "milliseconds")
        return text.replace("+00:00", "Z")
    if isinstance(value, Decimal):  # a sum of integers
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Names of columns; the second one of a name is `name 2`."""
    seen: dict[str, int] = {}
    distinct = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        distinct.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return tuple(distinct)


def _failed(error: Exception, files: Sequence[str]) -> EugenieError:
    """What is wrong with a query, in DuckDB's words, which show the place."""
    missing = next((file for file in files if not Path(file).exists()), None)
    if missing is not None:
        return EugenieError(
            f"{missing} is missing from the history",
            hint="repeat the query if an import is running; else restore the file, or run `eugenie import --again`",
        )
    return EugenieError(str(error), hint=f"the table is {TABLE}({COLUMNS}); the language is DuckDB's SQL")


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _list(texts: Sequence[str]) -> str:
    return "[" + ", ".join(map(_text, texts)) + "]"
