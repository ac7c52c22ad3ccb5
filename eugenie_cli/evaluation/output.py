"""Writes a backtest to files: scores of rows, and anomalies as the stream's records."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from eugenie_cli.episodes.records import dumps
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.evaluation.backtest import Backtest
from eugenie_cli.files import replacing

SCORE_SUFFIXES = (".csv", ".parquet")


class _Replaced:
    """A file that appears complete if the `with` block succeeds, else not at all. Nothing is written for None."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._closing = ExitStack()

    def __enter__(self) -> Any:
        if self._path is not None:
            try:
                self._file = self._closing.enter_context(replacing(self._path))
            except OSError as error:
                raise EugenieError(f"cannot write {self._path}: {error.strerror}", "choose another file") from error
            self._closing.push(lambda kind, _error, _trace: self._finish() if kind is None else None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.__exit__(kind, error, trace)

    def _finish(self) -> None:
        """Write the end of the file."""


class AnomalyWriter(_Replaced):
    """Anomaly records as JSON lines, asset by asset, each in time order."""

    def write(self, backtest: Backtest) -> None:
        """Append an asset's anomalies."""
        if self._file is not None:
            self._file.writelines(dumps(record) + b"\n" for record in backtest.anomalies)


class ScoreWriter(_Replaced):
    """Writes columns `asset`, `ts`, `score` (null: not scored) and `version` of rows with a value or a score.

    Raises:
        EugenieError: the file name ends in neither .csv nor .parquet.
    """

    def __init__(self, path: Path | None) -> None:
        super().__init__(path)
        self._writer: Any = None
        if path is not None and path.suffix not in SCORE_SUFFIXES:
            raise EugenieError(
                f"scores are written to {' or '.join(SCORE_SUFFIXES)} files, not {path.name}",
                "choose a file name with one of these suffixes",
                ExitCode.USAGE,
            )

    def write(self, backtest: Backtest) -> None:
        """Append an asset's rows."""
        if self._file is None or self._path is None:
            return
        import pyarrow as pa

        known = ~np.isnan(backtest.rows).all(axis=1) | ~np.isnan(backtest.score)
        edges, score = backtest.edges[known], backtest.score[known]
        if self._path.suffix == ".csv":
            # always with milliseconds and Z, like the stream's records
            ts = pa.array(np.char.add(np.datetime_as_string(edges.astype("datetime64[ms]")), "Z").astype(object))
        else:
            ts = pa.array(edges, pa.timestamp("ms", "UTC"))
        table = pa.table({
            "asset": pa.array([backtest.asset] * len(edges), pa.string()),
            "ts": ts.cast(pa.string()) if self._path.suffix == ".csv" else ts,
            "score": pa.array(score, pa.float32(), mask=np.isnan(score)),
            "version": pa.array(np.full(len(edges), backtest.version), pa.int64()),
        })  # fmt: skip
        if self._writer is None:
            self._writer = self._open(table.schema)
        self._writer.write_table(table)

    def _open(self, schema: Any) -> Any:
        import pyarrow.csv as csv
        import pyarrow.parquet as parquet

        assert self._path is not None  # noqa: S101 - for the type checker
        if self._path.suffix == ".csv":
            return csv.CSVWriter(self._file, schema, write_options=csv.WriteOptions(quoting_style="none"))
        return parquet.ParquetWriter(self._file, schema)

    def _finish(self) -> None:
        if self._writer is not None:
            self._writer.close()
