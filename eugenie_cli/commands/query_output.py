"""Prints the result of a query, row by row: as a table, a JSON array of objects, or CSV."""

from __future__ import annotations

import csv
import io
import json
from itertools import chain, islice

from eugenie_cli.console import Console
from eugenie_cli.history.sql import SqlResult

TABLE_ROWS = 1_000  # more rows than anyone reads; a table is laid out in memory


def print_rows(console: Console, result: SqlResult, output: str) -> None:
    """`output`: table, json or csv. A table ends after `TABLE_ROWS` rows, and says so."""
    if output == "csv":
        _csv(console, result)
    elif output == "json":
        _json(console, result)
    else:
        rows = list(islice(result.rows, TABLE_ROWS + 1))
        console.table(result.columns, rows[:TABLE_ROWS])
        if len(rows) > TABLE_ROWS:
            console.say(f"the first {TABLE_ROWS:,} rows; `-o csv` and `-o json` print all")


def _csv(console: Console, result: SqlResult) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="")
    for row in chain([result.columns], result.rows):
        writer.writerow(row)
        console.line(text.getvalue())
        text.seek(0)
        text.truncate()


def _json(console: Console, result: SqlResult) -> None:
    opening = "["
    for row in result.rows:
        console.json_text(opening + json.dumps(dict(zip(result.columns, row, strict=True)), ensure_ascii=False))
        opening = ","
    console.json_text("]" if opening == "," else "[]")
