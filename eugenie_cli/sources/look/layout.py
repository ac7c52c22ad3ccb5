"""Where the table of a text is: lines above it, the header, rows between the header and the readings, comments."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from eugenie_cli.errors import EugenieError
from eugenie_cli.sources.csv.unread_lines import ANNOTATIONS
from eugenie_cli.sources.look.cells import DATE_ONLY, NUMBER, TIME_ONLY, is_data, kind_of_cell
from eugenie_cli.sources.look.dialect import SEPARATOR, Line
from eugenie_cli.sources.look.findings import Notes
from eugenie_cli.sources.look.header_rows import best_header, cell_of, first_reading, groups, is_name, repeats, units_in

_MARKS = ("#", "*", "!", "//", "--", "%", "'")
"""Signs that begin comments."""
_SECTION = re.compile(r"^\[[^\[\]]{1,60}\]$")


@dataclass
class Layout:
    """`table`: the section of that name, empty if the first line is the header; `units`: column -> unit, from a row
    below the header; `annotated`: whether it is InfluxDB's annotated CSV.
    """

    table: dict[str, Any] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    annotated: bool = False


def layout_of(lines: Sequence[Line], where: str, notes: Notes) -> Layout:
    """The layout of the table in the first lines. Raises EugenieError if there are no readings."""
    if lines and ANNOTATIONS.match(lines[0].text.lstrip("\ufeff").encode()):
        notes.find("table", "annotated CSV of InfluxDB", "its first line")
        return Layout(annotated=True)
    rows = [line for line in lines if any(line.fields) and not SEPARATOR.match(line.text.lstrip("\ufeff"))]
    first = first_reading(rows)
    if first is None:
        names = ", ".join(cell for cell in (rows[0].fields if rows else ())[:6] if cell)
        if any(NUMBER.match(cell) for line in rows[1:] for cell in line.fields):
            raise EugenieError(
                f"{where}: none of its rows has an instant beside a value; the first one is: {names}",
                "export the timestamp of each reading",
            )
        raise EugenieError(
            f"{where}: there are no readings below its header ({names})" if names else f"{where}: there are no rows",
            "look at a file that has readings",
        )
    above, below = rows[:first], rows[first:]
    layout = Layout()
    marks = _comment_marks(above, below)
    if marks:
        layout.table["comment"] = marks[0] if len(marks) == 1 else marks
        notes.find("comments", " ".join(marks), "lines that begin so are no rows")
        above = [line for line in above if not _begins(line, marks)]
        below = [line for line in below if not _begins(line, marks)]
    width = Counter(len(line.fields) for line in below if is_data(line.fields)).most_common(1)[0][0]
    body = next(line.fields for line in below if len(line.fields) == width)
    header = _find_header(above, width, body, layout, notes)
    if header is not None and "names" not in layout.table and not _divide_instant(header, body, layout, notes):
        _check_width(header, body, where)
    return layout


def _comment_marks(above: Sequence[Line], below: Sequence[Line]) -> list[str]:
    """Signs with which lines begin that are neither the header nor rows."""
    header = next((line for line in reversed(above)), None)
    found = []
    for mark in _MARKS:
        marked = [line for line in (*above, *below) if _begins(line, [mark])]
        if not marked or any(is_data(line.fields) for line in marked):
            continue
        others = [line for line in above if not _begins(line, [mark])]
        if header in marked and not others:
            continue  # a header such as `# time;flow`
        found.append(mark)
    return found


def _begins(line: Line, marks: Sequence[str]) -> bool:
    return line.text.lstrip(' \t"\ufeff').startswith(tuple(marks))


def _find_header(above: Sequence[Line], width: int, body: Sequence[str], layout: Layout, notes: Notes) -> Line | None:
    """Set the rows of the table: `skip`, `after`, `header`, `data` or `names`. Returns the header, if there is one."""
    full = [line for line in above if len([cell for cell in line.fields if cell]) > 1 and len(line.fields) >= width - 1]
    full = full or [line for line in above if len(line.fields) > 1 and len(line.fields) >= width / 2]
    if not full:
        _without_header(above, width, body, layout, notes)
        return None
    header = full[best_header(full, body)]
    after = [line for line in above if line.first > header.last]
    before = [line for line in above if line.last < header.first]
    nameless = [place for place, cell in enumerate(body) if cell and not is_name(cell_of(header, place))]
    naming = [line for line in above if line is not header and _names_all(line, nameless)] if nameless else []
    if naming:
        _names_from(header, naming[0], width, above, layout, notes)
        return header
    top, count = header, 1
    if before and repeats(header) and groups(before[-1], header):
        top, count = before.pop(), 2
        layout.table["header"] = [1, 2]
        notes.find("header", f"lines {top.first} and {header.first}", "names in the second one are repeated")
    if before:
        _skip_to(top, before[-1], layout)
        notes.find("header", f"line {top.first}", "lines above it are no part of the table")
    if after:
        layout.table["data"] = 1 + count + len(after)
        notes.find("rows below the header", str(len(after)), "; ".join(_shown(line) for line in after[:2]))
        layout.units = units_in(header, after)
    return header


def _skip_to(header: Line, last: Line, layout: Layout) -> None:
    """Say that the table begins with the header, below `last`."""
    if _SECTION.match(last.text.strip()) and last.last == header.first - 1:
        layout.table["after"] = last.text.strip()
    else:
        layout.table["skip"] = header.first - 1


def _names_all(line: Line, places: Sequence[int]) -> bool:
    """Whether a row has a name of its own for each of the places."""
    cells = [cell_of(line, place) for place in places]
    return all(map(is_name, cells)) and len(set(cells)) == len(cells)


def _names_from(header: Line, naming: Line, width: int, above: Sequence[Line], layout: Layout, notes: Notes) -> None:
    """Name the columns: no single row does. `naming`: names those that the header only numbers."""
    names = []
    for place in range(width):
        own, other = cell_of(header, place), cell_of(naming, place)
        names.append((own if is_name(own) else other or own) or None)
    layout.table["skip"] = above[-1].last
    layout.table["names"] = _distinct(names)
    notes.find("header", f"lines {above[0].first} to {above[-1].last}", "no single line names all columns")


def _without_header(above: Sequence[Line], width: int, body: Sequence[str], layout: Layout, notes: Notes) -> None:
    """Name the columns of a table without a header by their cells."""
    names: list[str | None] = []
    while width > 1 and not body[width - 1]:
        width -= 1
    for place, cell in enumerate(body):
        kind = kind_of_cell(cell)
        if place >= width:
            names.append(None)
        else:
            names.append({"instant": "time", "time": "clock", "word": "tag"}.get(kind, f"value_{place + 1}"))
    if above:
        layout.table["skip"] = above[-1].last
    layout.table["names"] = _distinct(names)
    notes.find("header", "none", "the first row has readings")
    given = ", ".join(name or "~" for name in layout.table["names"])
    notes.check("table", f"the file does not name its columns; they were called {given}", "write the names in `names`")


def _divide_instant(header: Line, body: Sequence[str], layout: Layout, notes: Notes) -> bool:
    """Name the date and the time of day apart, if the rows have a delimiter between them that the header lacks."""
    if len(body) != len(header.fields) + 1 or "header" in layout.table:
        return False
    for place, (date, clock) in enumerate(itertools.pairwise(body)):
        if DATE_ONLY.match(date) and TIME_ONLY.match(clock):
            names = [*header.fields[:place], "Date", "Time", *header.fields[place + 1 :]]
            skip = header.last + layout.table.pop("data", 2) - 2
            layout.table.pop("after", None)
            layout.table |= {"skip": skip, "names": _distinct([name or None for name in names])}
            notes.find("header", f"line {header.first}", f"{cell_of(header, place)} names a date and a time of day")
            return True
    return False


def _check_width(header: Line, body: Sequence[str], where: str) -> None:
    """Refuse rows that have more fields than the header: a decimal comma between commas."""
    names = [cell for cell in header.fields if cell]
    if len(body) > len(header.fields) + 1 or (len(body) > len(header.fields) and body[-1]):
        raise EugenieError(
            f"{where}: its rows have {len(body)} fields, its header has {len(names)}: a decimal sign may be the same as"
            " the delimiter",
            "export it with another delimiter, such as ;, or with a decimal point",
        )


def _distinct(names: Sequence[str | None]) -> list[str | None]:
    """The names, with a number after each further one of a name."""
    seen: Counter[str] = Counter()
    distinct: list[str | None] = []
    for name in names:
        if name is None:
            distinct.append(None)
            continue
        seen[name] += 1
        distinct.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return distinct


def _shown(line: Line) -> str:
    return line.text if len(line.text) <= 40 else f"{line.text[:40]} ..."
