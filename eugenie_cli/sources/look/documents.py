"""JSON files -> the members of their records, as columns."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from eugenie_cli.errors import EugenieError
from eugenie_cli.printable import printable
from eugenie_cli.readings.mapping import WHOLE
from eugenie_cli.readings.members import text_of
from eugenie_cli.sources.files.kinds import HEAD, encoding_of
from eugenie_cli.sources.files.opening import streamed
from eugenie_cli.sources.json.documents import outlines, records
from eugenie_cli.sources.json.importer import in_lines
from eugenie_cli.sources.json.scanner import NotJson, Scanner
from eugenie_cli.sources.look.csv_files import FileLook
from eugenie_cli.sources.look.findings import Notes
from eugenie_cli.sources.look.table import Column, SampleTable

RECORDS = 10_000
"""Records that are looked at."""
FIRST = 1 << 20
"""Bytes at the beginning from which lines are told from a document, and the arrays of records are found."""


def json_look(path: Path) -> FileLook:
    """The members of a file's records. Raises EugenieError if it has none."""
    where, notes = printable(str(path)), Notes()
    with streamed(path, lambda _: None) as file:
        head = file.read(FIRST)
    encoding = encoding_of(head[:HEAD])
    text = head.decode(encoding, "replace")
    try:
        if in_lines(text):
            found, array = list(_of_lines(path, encoding)), None
            notes.find("records", "one in each line")
        else:
            array = _array(path, encoding, where, notes)
            found = list(islice(_of_document(path, encoding, array), RECORDS))
            notes.find("records", "the document is an array" if array == WHOLE else f"the array at {array}")
    except NotJson as error:
        raise EugenieError(f"{where} {error}", "copy or export it again") from error
    except (UnicodeDecodeError, ValueError) as error:
        raise EugenieError(f"{where} is not JSON: {printable(str(error), 200)}", "export it again, as UTF-8") from error
    if not found:
        raise EugenieError(f"{where} has no records", "look at a file that has readings")
    if len(found) >= RECORDS:
        notes.find("looked at", f"the first {RECORDS:,} records")
    mapping = {} if array in (None, WHOLE) else {"records": array}
    inner = _measurements(found)
    if inner is not None:
        mapping["values"] = inner
    return FileLook(path, "json", {}, _table(found, inner), {}, mapping, notes)


def _of_lines(path: Path, encoding: str) -> Iterator[Mapping[str, Any]]:
    with streamed(path, lambda _: None) as file:
        for line in islice(io.TextIOWrapper(file, encoding, "replace"), RECORDS):
            try:
                read = json.loads(line.strip().removeprefix("\ufeff") or "null")
            except ValueError:
                continue  # the import rejects it, with its line
            for record in read if isinstance(read, list) else [read]:
                if isinstance(record, dict):
                    yield record


def _array(path: Path, encoding: str, where: str, notes: Notes) -> str:
    """The path of the array with the records."""
    with streamed(path, lambda _: None) as file:
        documents = outlines(_scanner(file, encoding), WHOLE)
    if documents and documents[0].found:
        return WHOLE
    found = [array for document in documents[:1] for array in arrays_of(document.document)]
    if not found:
        raise EugenieError(
            f"{where} has no array of objects", "export the readings as an array of records, or a line each"
        )
    chosen = max(found, key=lambda array: (array.count("."), -found.index(array)))
    beside = [array for array in found if array != chosen and array.count(".") == chosen.count(".")]
    if beside:
        others = ", ".join(printable(array, 40) for array in beside[:6])
        notes.check(
            "records",
            f"the document has several arrays of records; only {printable(chosen, 40)} is read, {others} are not",
            "add a source for each, with `tag: {const: ...}` if its name is the tag",
        )
    return chosen


def arrays_of(value: Any, before: str = "") -> list[str]:
    """Paths of the arrays of objects in a document; a path may lead through another array."""
    if isinstance(value, list):
        first = next((item for item in value if isinstance(item, dict)), None)
        return [] if first is None else arrays_of(first, before)
    if not isinstance(value, dict):
        return []
    found = []
    for name, member in value.items():
        path = f"{before}.{name}" if before else name
        if isinstance(member, list) and any(isinstance(item, dict) for item in member):
            found.append(path)
        found += arrays_of(member, path)
    return found


def _of_document(path: Path, encoding: str, array: str) -> Iterator[Mapping[str, Any]]:
    with streamed(path, lambda _: None) as file:
        documents = outlines(_scanner(file, encoding), array)
    with streamed(path, lambda _: None) as file:
        for record in records(_scanner(file, encoding), array, documents, path.name):
            if isinstance(record.value, dict):
                around = {k: v for k, v in record.around.items() if not isinstance(v, (dict, list))}
                yield {**around, **record.value}


def _scanner(file: Any, encoding: str) -> Scanner:
    text = io.TextIOWrapper(file, encoding=encoding, newline="")
    return Scanner(lambda count: text.read(count).removeprefix("\ufeff"))


def _measurements(found: Sequence[Mapping[str, Any]]) -> str | None:
    """The path of the object with a member for each measurement, if records have one: {"ts": ..., "values": {...}}."""
    counts: dict[str, int] = {}
    for record in found:
        for name, member in record.items():
            if isinstance(member, dict) and len(member) > 1 and _all_numbers(member):
                counts[name] = counts.get(name, 0) + 1
    best = max(counts, key=lambda name: counts[name], default=None)
    return best if best is not None and 2 * counts[best] > len(found) else None


def _all_numbers(member: Mapping[str, Any]) -> bool:
    return all(isinstance(value, (int, float, type(None))) for value in member.values()) and "Value" not in member


def _table(found: Sequence[Mapping[str, Any]], inner: str | None) -> SampleTable:
    """The members of records as columns; those of `inner` have their own names, others paths with dots."""
    flat = [dict(_flat(record, inner)) for record in found]
    columns = []
    for name in dict.fromkeys(name for record in flat for name in record):
        cells = [record.get(name) for record in flat]
        columns.append(Column(name, [_text(cell) for cell in cells], _typed(cells)))
    return SampleTable(tuple(columns))


def _flat(record: Mapping[str, Any], inner: str | None, before: str = "") -> Iterator[tuple[str, Any]]:
    for name, member in record.items():
        path = f"{before}{name}"
        if isinstance(member, dict) and path == inner:
            yield from member.items()
        elif isinstance(member, dict) and "Value" in member:
            yield path, member  # a digital state, or an OPC UA value
        elif isinstance(member, dict):
            yield from _flat(member, inner, f"{path}.")
        elif not isinstance(member, list):
            yield path, member


def _typed(cells: Sequence[Any]) -> str:
    kinds = {type(cell) for cell in cells if cell is not None}
    if dict in kinds:
        return "object"
    if kinds == {bool}:
        return "bool"
    return "number" if kinds and kinds <= {int, float} else "text"


def _text(cell: Any) -> str:
    if isinstance(cell, dict):
        return text_of(cell.get("Value")) or ""
    return text_of(cell) or ""
