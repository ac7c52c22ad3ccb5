"""MLflow's flavour `python_function` of a version: a table of readings in, a table of scores out.

MLflow loads a version by `_load_pyfunc` and calls its `predict`, which aligns the readings on the grid and scores the
rows by the same graph and the same rules as `eugenie evaluate`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eugenie_cli.detection.arrays import Floats, Ints
from eugenie_cli.detection.detector import TrainedDetector
from eugenie_cli.detection.segments import score_rows
from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import AssetReadings
from eugenie_cli.history.grid import align
from eugenie_cli.readings.limits import Limits
from eugenie_cli.training import artifact

if TYPE_CHECKING:
    import pandas as pd

FLAVOR = "eugenie"
"""The flavour in `MLmodel` that holds what the detector's own files do not: the columns and the limits."""

_NS_PER_MS = 1_000_000


class TableScorer:
    """Scores tables with a trained detector.

    `columns`: the names of the columns with instants and with assets; `limits`: (low, high) by sensor, outside of which
    a value is bad.
    """

    def __init__(
        self,
        detector: TrainedDetector,
        columns: tuple[str, str],
        limits: Mapping[str, tuple[float | None, float | None]],
    ) -> None:
        import tensorflow as tf

        from eugenie_cli.detection.scoring import ScoringModule

        self._tf = tf
        self._detector, (self._ts, self._asset) = detector, columns
        of_sensor = [limits.get(sensor, (None, None)) for sensor in detector.sensors]
        self._limits = Limits([low for low, _ in of_sensor], [high for _, high in of_sensor])
        self._module = ScoringModule(detector)

    def predict(self, table: pd.DataFrame, params: Mapping[str, Any] | None = None) -> pd.DataFrame:  # noqa: ARG002
        """Scores the readings of a table: a column of instants (without a zone: UTC), one of assets, one per sensor.

        An empty cell is no reading, and a sensor without a column has none. The result has a row for each grid step of
        each asset: its instant, its asset, `score` (above 1: anomalous; NaN: not scored) and, for each sensor,
        `contribution.<sensor>` and `expected.<sensor>`. Raises EugenieError for a table that cannot be read so.
        """
        import pandas as pd

        lacking = [name for name in (self._ts, self._asset) if name not in table.columns]
        if lacking:
            raise EugenieError(
                f"the table has no column {' and no column '.join(lacking)}",
                f"name its columns {self._ts}, {self._asset} and {', '.join(self._detector.sensors)}",
            )
        instants = _instants(table[self._ts])
        names = table[self._asset].astype(str).to_numpy()
        values = self._values(table)
        parts = [
            pd.DataFrame(columns)
            for asset in dict.fromkeys(names)
            for columns in self._scores(asset, instants[names == asset], values[names == asset])
        ]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=output_columns(self._detector))

    def _values(self, table: pd.DataFrame) -> Floats:
        """float64 [N, S] in the detector's order of sensors, NaN without a reading."""
        values = np.full((len(table), len(self._detector.sensors)), np.nan)
        for place, sensor in enumerate(self._detector.sensors):
            if sensor in table.columns:
                try:
                    values[:, place] = table[sensor].to_numpy(np.float64, na_value=np.nan)
                except (TypeError, ValueError) as problem:
                    raise EugenieError(f"column {sensor}: {problem}", "give numbers") from problem
        return values

    def _scores(self, asset: str, instants: Ints, values: Floats) -> Iterator[dict[str, Any]]:
        """The columns of an asset's rows; none without a row."""
        detector = self._detector
        row, sensor = np.nonzero(~np.isnan(values))
        ts: Any = instants[row]
        readings = AssetReadings(asset, detector.sensors, sensor.astype(np.int32), ts, values[row, sensor])
        grid = align(
            readings,
            sensors=detector.sensors,
            step_ms=detector.step_ms,
            max_gap_ms=detector.max_gap_ms,
            limits=self._limits,
        )
        if not len(grid.edges):
            return
        scores = score_rows(self._outputs, detector.window, asset, grid.rows)
        yield {
            self._ts: grid.edges.astype("datetime64[ms]"),
            self._asset: asset,
            "score": scores.score,
            **{f"contribution.{name}": scores.contribution[:, at] for at, name in enumerate(detector.sensors)},
            **{f"expected.{name}": scores.expected[:, at] for at, name in enumerate(detector.sensors)},
        }

    def _outputs(self, asset: str, rows: Floats) -> Mapping[str, Any]:
        outputs: Mapping[str, Any] = self._module.serving_default(self._tf.constant([asset]), self._tf.constant(rows))
        return outputs


def input_columns(detector: TrainedDetector) -> tuple[str, str]:
    """Names of the columns with instants and with assets, which no sensor has."""
    return _free("timestamp", detector.sensors), _free("asset", detector.sensors)


def output_columns(detector: TrainedDetector) -> list[str]:
    """Names of the columns of a table of scores."""
    of_sensors = [f"{what}.{name}" for what in ("contribution", "expected") for name in detector.sensors]
    return [*input_columns(detector), "score", *of_sensors]


def _free(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name = f"_{name}"
    return name


def _instants(column: pd.Series) -> Ints:
    """int64 [N], ms since 1970 UTC."""
    import pandas as pd

    is_time = pd.api.types.is_datetime64_any_dtype(column.dtype)
    try:
        read = pd.to_datetime(column, utc=True, format=None if is_time else "ISO8601")
    except (TypeError, ValueError) as problem:
        raise EugenieError(f"column {column.name}: {problem}", "give instants, or texts in ISO 8601") from problem
    if read.isna().any():
        first = int(np.flatnonzero(read.isna())[0])
        raise EugenieError(f"column {column.name}: row {first + 1} has no instant", "give each row an instant")
    instants: Ints = read.dt.as_unit("ns").to_numpy(np.int64) // _NS_PER_MS
    return instants


def _load_pyfunc(path: str) -> TableScorer:
    """The scorer of the version in a folder. MLflow calls it by this name."""
    from mlflow.models import Model

    folder = Path(path)
    detector = artifact.load(folder)
    ours = Model.load(str(folder)).flavors[FLAVOR]
    limits = {sensor: (low, high) for sensor, (low, high) in ours.get("limits", {}).items()}
    return TableScorer(detector, input_columns(detector), limits)
