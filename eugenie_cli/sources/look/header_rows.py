"""Which of the rows at the top of a table names its columns, and which has units: of texts and of sheets."""

from __future__ import annotations

import operator
import re
from collections import Counter
from collections.abc import Sequence

from eugenie_cli.sources.look.cells import NUMBER, is_data, kind_of_cell
from eugenie_cli.sources.look.dialect import Line
from eugenie_cli.sources.look.instants import named_like_time
from eugenie_cli.sources.unit_words import KNOWN_UNITS

OF_TIME = 5
"""How many points a name such as `Timestamp` above instants is worth; another name has two, an address three."""
_ADDRESS = re.compile(r"^(?=[^\s]*[A-Za-z])(?=[^\s]*(?:\d|[._:/\\]))[^\s,;]{3,200}$")
_MORE = re.compile(
    r"^(?:descr|beschreibung|bezeichnung|açıklama|comment|kommentar|eng\.?.?units?|units?|einheit|birim|"
    r"uom|type|data.?type|range|span|low|high|min|max)",
    re.IGNORECASE,
)
"""Begins a row that says more of tags, which another row names."""


def first_reading(rows: Sequence[Line]) -> int | None:
    """The index of the first row with readings: rows above it may have numbers and dates, but not the same cells."""
    data = [index for index, line in enumerate(rows) if is_data(line.fields)]
    if not data:
        return None
    kinds = [tuple(kind_of_cell(cell) for cell in rows[index].fields) for index in data]
    timed = [Counter(place for place, kind in enumerate(kind) if kind in ("instant", "time")) for kind in kinds]
    usual = sum(timed, Counter())
    width = Counter(len(kind) for kind in kinds).most_common(1)[0][0]
    places = {
        place: Counter(kind[place] for kind in kinds if place < len(kind)).most_common(1)[0][0]
        for place, count in usual.items()
        if 2 * count > len(data)
    }
    if not places:  # times are numbers: rows above them may have some
        usually = Counter(kinds).most_common(1)[0][0]
        return next(index for index, kind in zip(data, kinds, strict=True) if _alike(kind, usually))
    for index, kind in zip(data, kinds, strict=True):
        fits = len(kind) >= width - 1 or len(data) < 3
        timed_alike = sum(place < len(kind) and kind[place] == usually for place, usually in places.items())
        if fits and 2 * timed_alike >= len(places):
            return index
    return data[0]


def _alike(kind: Sequence[str], usual: Sequence[str]) -> bool:
    """Whether most cells of a row are of the usual kind."""
    return len(kind) == len(usual) and 4 * sum(map(operator.eq, kind, usual)) >= 3 * len(usual)


def best_header(rows: Sequence[Line], body: Sequence[str]) -> int:
    """The index of the row that names the columns best. `body`: the cells of a row with readings."""
    places = [place for place, cell in enumerate(body) if kind_of_cell(cell) in ("instant", "time")]
    scores = [_header_score(line.fields, places) for line in rows]
    return max(range(len(rows)), key=lambda index: (scores[index], -index))


def repeats(header: Line) -> bool:
    """Whether a row has a name more than once."""
    names = [cell for cell in header.fields if cell]
    return len(set(names)) < len(names)


def groups(upper: Line, header: Line) -> bool:
    """Whether the row above a header tells its names apart: as merged cells do, which are empty but for the first."""
    group, pairs = "", []
    for place, name in enumerate(header.fields):
        group = cell_of(upper, place) or group
        pairs.append((group, name))
    return len({pair for pair in pairs if pair[1]}) == sum(bool(name) for _, name in pairs)


def is_name(cell: str) -> bool:
    """Whether a cell may name a column: it is neither a number nor a unit."""
    return bool(cell) and NUMBER.match(cell) is None and cell.strip("[]() ") not in KNOWN_UNITS


def _header_score(fields: Sequence[str], times: Sequence[int]) -> int:
    """How many cells are names: distinct, and neither numbers nor units. A name of time above instants counts most."""
    names = {cell for cell in fields if cell and not NUMBER.match(cell)}
    units = sum(cell.strip("[]() ") in KNOWN_UNITS for cell in names)
    above_times = [fields[place] for place in times if place < len(fields)]
    if any(map(_MORE.match, above_times)):
        return len(names) - 2 * units
    timed = any(map(named_like_time, above_times))
    addresses = sum(_ADDRESS.match(cell) is not None for cell in names)
    return 2 * len(names) + addresses - 2 * units + (OF_TIME if timed else 0)


def units_in(header: Line, rows: Sequence[Line]) -> dict[str, str]:
    """Column -> unit, if a row below the header has units: short words, but no numbers."""
    for line in rows:
        cells = {cell_of(header, place): cell for place, cell in enumerate(line.fields) if cell}
        texts = [cell.strip("[]() ") for cell in cells.values()]
        known = sum(text in KNOWN_UNITS for text in texts)
        if known and 2 * known >= len([text for text in texts if text]) - 2:
            return {name: cell.strip("[]() ") for name, cell in cells.items() if cell.strip("[]() ") in KNOWN_UNITS}
    return {}


def cell_of(line: Line, place: int) -> str:
    """The cell at a place; empty if the row ends before it."""
    return line.fields[place] if place < len(line.fields) else ""
