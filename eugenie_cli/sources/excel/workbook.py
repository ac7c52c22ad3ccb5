"""Opens workbooks, and the rows of their sheets. Reading is left to calamine, an optional dependency."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO, Any

from eugenie_cli.errors import EugenieError
from eugenie_cli.printable import printable

Cells = list[Any]
"""The cells of a row: text, float, int, bool, datetime, date, time or timedelta; None for an empty one."""


class Workbook:
    """An open workbook. `where`: the file, in messages."""

    def __init__(self, file: IO[bytes], where: str) -> None:
        calamine = _calamine()
        self._where, self._calamine = where, calamine
        try:
            self._book = calamine.CalamineWorkbook.from_filelike(file)
            self.sheets = tuple(self._book.sheet_names)
            kinds = {sheet.name: sheet for sheet in self._book.sheets_metadata}
        except calamine.PasswordError as error:
            raise EugenieError(
                f"{where} is a workbook that is protected with a password", hint="save it without a password"
            ) from error
        except calamine.CalamineError as error:
            raise self._damaged(error) from error
        self._tables = [name for name in self.sheets if kinds[name].typ == calamine.SheetTypeEnum.WorkSheet]
        self.visible = [name for name in self._tables if kinds[name].visible == calamine.SheetVisibleEnum.Visible]

    def sheet(self, wanted: str | int) -> Sheet:
        """The sheet with a name, or with a number from 1. Raises EugenieError if there is none."""
        if isinstance(wanted, int):
            name: str | None = self.sheets[wanted - 1] if wanted <= len(self.sheets) else None
        else:
            name = next((name for name in self.sheets if name.strip() == wanted.strip()), None)
        if name is None or name not in self._tables:
            listed = ", ".join(printable(repr(name), 60) for name in self._tables) or "none"
            raise EugenieError(
                f"{self._where} has no sheet {wanted!r}; sheets with cells: {listed}",
                hint="correct `sheet` of the source",
            )
        try:
            return Sheet(name, self._book.get_sheet_by_name(name))
        except self._calamine.CalamineError as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> EugenieError:
        return EugenieError(
            f"{self._where} is cut off or damaged: {printable(str(error), 200)}",
            hint="open and save it in Excel or LibreOffice, or export it again; nothing of it is imported",
        )


class Sheet:
    """The rows of a sheet, as they are shown: each cell of a merged area has the area's value."""

    def __init__(self, name: str, sheet: Any) -> None:
        self.name, self._sheet = name, sheet
        self._areas: dict[int, list[tuple[int, int, int]]] = {}  # row -> (first column, last column, first row)
        for (top, left), (bottom, right) in sheet.merged_cell_ranges or ():
            for row in range(top, min(bottom, sheet.total_height + sheet.height) + 1):
                self._areas.setdefault(row, []).append((left, right, top))

    def rows(self) -> Iterator[tuple[int, Cells]]:
        """(number from 1, cells) of each row that has any."""
        merged: dict[tuple[int, int], Any] = {}
        for number, row in enumerate(self._sheet.iter_rows()):
            cells = [None if cell == "" else cell for cell in row]
            for left, right, top in self._areas.get(number, ()):
                if number == top and left < len(cells):
                    merged[top, left] = cells[left]
                for column in range(left, min(right + 1, len(cells))):
                    cells[column] = merged.get((top, left))
            if any(cell is not None for cell in cells):
                yield number + 1, cells

    def first_rows(self, count: int) -> Sequence[tuple[int, Cells]]:
        """The rows among the first `count` that have cells."""
        found = []
        for number, cells in self.rows():
            if number > count:
                break
            found.append((number, cells))
        return found


def _calamine() -> Any:
    try:
        import python_calamine
    except ImportError as error:
        raise EugenieError(
            "workbooks need the package python-calamine", hint="install it: pip install 'eugenie[excel]'"
        ) from error
    return python_calamine
