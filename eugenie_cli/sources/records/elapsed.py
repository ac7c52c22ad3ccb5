"""Columns of time that has passed since a stated start -> instants."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from eugenie_cli.readings.columns.arrow_columns import BLANKS, as_texts
from eugenie_cli.readings.columns.instants import Instants
from eugenie_cli.readings.number_units import OF_1970
from eugenie_cli.readings.stated import compile_elapsed
from eugenie_cli.readings.timestamps import MAX_INSTANT


class Elapsed:
    """Reads columns of one unit of `stated.ELAPSED`. `start`: ms since 1970."""

    def __init__(self, unit: str, start: int) -> None:
        self._read, self._start = compile_elapsed(unit, start), start
        self._plain = Instants(unit) if unit in OF_1970 else None

    def of_column(self, column: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """A normalized column [N] -> (ms since 1970 [N], whether it could be read [N])."""
        texts = as_texts(column)
        ts, read = np.zeros(len(texts), np.int64), np.zeros(len(texts), bool)
        if self._plain is not None:
            ts, read = self._plain.of_plain_texts(texts)
            ts = np.where(read, ts + self._start, 0)
            read &= ts <= MAX_INSTANT
        known: dict[str, int | None] = {}
        rest = np.flatnonzero(~read)
        for row, text in zip(rest.tolist(), texts.take(pa.array(rest)).to_pylist(), strict=True):
            if text is not None and (instant := self._one(text.strip(BLANKS), known)) is not None:
                ts[row], read[row] = instant, True
        return ts, read

    def _one(self, text: str, known: dict[str, int | None]) -> int | None:
        if text not in known:
            try:
                known[text] = self._read(text)
            except ValueError:
                known[text] = None
        return known[text]
