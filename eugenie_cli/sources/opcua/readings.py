"""Data values -> readings: status codes, numbers and texts by the rules that messages follow, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from eugenie_cli.history.batch import Batch, Series
from eugenie_cli.readings.quality import opcua as is_good_status
from eugenie_cli.readings.reject_reasons import BAD_VALUE
from eugenie_cli.readings.values import MAX_VALUE, compile_value, sentinels
from eugenie_cli.sources.interface import Tally
from eugenie_cli.sources.opcua.decode import Values
from eugenie_cli.sources.opcua.settings import OpcuaSettings
from eugenie_cli.sources.opcua.ticks import to_ms

ARRAY = "an array or a structure: name a node of one number"


class Converter:
    """Converts the values of nodes as a source's settings say."""

    def __init__(self, source: OpcuaSettings) -> None:
        self._by_server = source.timestamps == "server"
        self._to_value = compile_value(".", source.status)
        self._sentinels = np.array(sentinels(".", source.status), np.float64)

    def batch(self, series: Sequence[Series], values: Sequence[Values], tally: Tally) -> Batch:
        """Readings of several nodes. Counts records, and rejects values that are neither numbers nor known texts."""
        parts = [self.columns(node, of_node, tally) for node, of_node in zip(series, values, strict=True)]
        lengths = [len(ts) for ts, _ in parts]
        return Batch(
            tuple(series),
            np.repeat(np.arange(len(series), dtype=np.int32), lengths),
            np.concatenate([np.zeros(0, np.int64), *(ts for ts, _ in parts)]),
            np.concatenate([np.zeros(0), *(value for _, value in parts)]),
        )

    def columns(self, series: Series, values: Values, tally: Tally) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """(ts, value) of one node: ms since 1970 UTC, and NaN for bad quality."""
        ts, value, refused = self.converted(values)
        tally.records += len(values)
        if refused:
            self.reject(dict.fromkeys(refused, series), ts, refused, tally)
            kept = np.ones(len(value), bool)
            kept[list(refused)] = False
            return ts[kept], value[kept]
        return ts, value

    def converted(self, values: Values) -> tuple[NDArray[np.int64], NDArray[np.float64], dict[int, str]]:
        """(ts, value, why a value is refused, by position)."""
        value = values.value.copy()
        refused: dict[int, str] = {}
        for position, raw in values.other.items():
            try:
                value[position] = self._number(raw)
            except ValueError as error:
                refused[position] = str(error)
        value[np.abs(value) > MAX_VALUE] = np.nan
        if len(self._sentinels):
            value[np.isin(value, self._sentinels)] = np.nan
        for code in np.unique(values.status).tolist():
            if code == 0:
                continue
            of_code = values.status == code
            verdict = _is_good(code)
            if isinstance(verdict, str):
                refused.update(dict.fromkeys(np.flatnonzero(of_code).tolist(), verdict))
            elif not verdict:
                value[of_code] = np.nan
                for position in [position for position in refused if of_code[position]]:
                    del refused[position]  # its value does not matter
        ts = to_ms(values.server if self._by_server else values.source)
        return ts, value, refused

    def _number(self, raw: object) -> float:
        if raw is None:
            return float("nan")
        text = getattr(raw, "Text", raw)  # of a LocalizedText
        if not isinstance(text, str):
            raise ValueError(ARRAY)
        return self._to_value(text.strip(" \t"))

    def reject(
        self, series: Mapping[int, Series], ts: NDArray[np.int64], refused: Mapping[int, str], tally: Tally
    ) -> None:
        """Count refused values. `series`, `refused`: by position."""
        more = tally.reject(BAD_VALUE, len(refused))
        tally.lost += len(refused)
        for position, why in sorted(refused.items())[: max(more, 0)]:
            instant = np.datetime64(int(ts[position]), "ms")
            asset, sensor = series[position]
            tally.example(BAD_VALUE, f"{asset}, {sensor} at {instant}Z", why)


@cache
def _is_good(code: int) -> bool | str:
    """Whether a status code is good or uncertain; why not if it is neither."""
    try:
        return is_good_status(str(code))
    except ValueError as error:
        return str(error)
