"""The result of training: everything that scoring needs, as plain numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from eugenie_cli.detection.alarm_forecast import AlarmForecast
from eugenie_cli.detection.alarm_policy import AlarmDecision
from eugenie_cli.detection.arrays import Bools, Floats, Ints
from eugenie_cli.detection.asset_tables import PER_ASSET, check_asset_tables
from eugenie_cli.detection.covariance import Baseline
from eugenie_cli.detection.linear_path import LinearPath
from eugenie_cli.detection.network import units_of
from eugenie_cli.detection.operating_state import OperatingState
from eugenie_cli.detection.residual_variance import Scatter
from eugenie_cli.episodes.delays import Delays

# A window is scored if its last row has a value and at least this share of its rows has one.
MIN_PRESENT = 0.8


@dataclass(frozen=True)
class AssetCalibration:
    """Where an asset's threshold comes from."""

    asset: str
    rows: int
    """Scored rows of the calibration block."""
    pooled: bool
    """Whether the asset has too few rows of its own and uses the class's threshold."""
    quantile: float
    """The statistic's .999 quantile on those rows."""
    exceeding: float
    """Share of those rows that score above 1."""
    learnt: int = 0
    """Scored rows behind the asset's own baselines; with too few, it uses the class's."""
    moved: float = 0.0
    """How far the mean of the sensor that moved most shifted from the training rows to the calibration block, in
    deviations; scored sensors only."""
    mover: str = ""
    """That sensor."""


@dataclass(frozen=True)
class Calibration:
    """How the thresholds were set: `threshold = margin x quantile`."""

    budget: float
    """Share of normal rows that may score above 1; where the budget is of alarms, the share that keeping it led to."""
    margin: float
    """The smallest factor for which the rehearsal on held-out normal rows stayed within the budget."""
    rehearsal: float
    """Share of held-out normal rows above 1 in that rehearsal."""
    assets: tuple[AssetCalibration, ...] = field(metadata=PER_ASSET)
    alarm: AlarmDecision | None = None
    """None, like the forecast, in versions trained before it existed."""
    forecast: AlarmForecast | None = None

    @property
    def delays(self) -> Delays:
        """The alarm's delays that the thresholds were set for."""
        return Delays() if self.alarm is None else self.alarm.delays


@dataclass(frozen=True, kw_only=True)
class TrainedDetector:
    """The fields of every detector type; each type adds its own. A: assets, S: sensors, P: scored sensors.

    All tables follow the order of `assets` and `sensors`. Raises ValueError if a table lacks an entry for an asset.
    """

    type: str
    """One of `detectors.registry.NAMES`."""
    class_name: str
    assets: tuple[str, ...]
    sensors: tuple[str, ...]
    units: tuple[str, ...]
    """Engineering unit of each sensor, "" where it has none."""
    window: int
    horizons: tuple[int, ...]
    """Forecast horizons in rows; empty if the type does not forecast."""
    step_ms: int
    max_gap_ms: int
    scored: Bools
    """bool [S]: False for context sensors, which are not scored."""
    mean: Floats = field(metadata=PER_ASSET)
    """float32 [A, S], engineering units."""
    deviation: Floats = field(metadata=PER_ASSET)
    """float32 [A, S], engineering units, above 0."""
    threshold: Floats = field(metadata=PER_ASSET)
    """float32 [A]: the statistic at which the score is 1."""
    calibration: Calibration
    running: OperatingState | None = None
    """When the machine runs: rows of a stopped machine count as missing."""

    def __post_init__(self) -> None:
        check_asset_tables(self, len(self.assets))

    @property
    def scored_index(self) -> Ints:
        """int [P]: positions of the scored sensors."""
        return np.flatnonzero(self.scored)


@dataclass(frozen=True, kw_only=True)
class ForecasterDetector(TrainedDetector):
    """A forecaster: a detector whose type is one of `detectors.registry.FORECASTERS`. U: units of the network's memory;
    statistics cover the P scored sensors, in order."""

    warmup: int
    network: Mapping[str, Floats]
    """float32 weights by `network.WEIGHTS`."""
    used: Bools | None = field(default=None, metadata=PER_ASSET)
    """bool [A, S]: sensors that moved in the asset's normal rows; the others count as missing. None, as in versions
    trained before this field existed: all sensors."""
    residual: Baseline
    """Baseline of smoothed forecast errors, in deviations."""
    level: Baseline
    """Baseline of smoothed values, in deviations."""
    scatter: Scatter
    """Scatter of each sensor's forecast errors, in deviations."""
    linear: LinearPath | None = None
    """The forecast that the network corrects; None: the network forecasts alone."""
    units_of_parts: Floats | None = field(default=None, metadata=PER_ASSET)
    """float32 [A, 4]: the units in which `combination` adds the parts of the statistic; None: the statistic is the
    geometric mean of the first three."""

    def seen(self, index: int, rows: Floats) -> Floats:
        """Rows [..., S] of asset number `index` as the network sees them: sensors that never moved are missing."""
        return rows if self.used is None else np.where(self.used[index], rows, np.asarray(np.nan, rows.dtype))

    @property
    def residual_rows(self) -> int:
        """R: the window's last rows whose forecast errors count."""
        return self.window - self.warmup

    @property
    def memory_units(self) -> int:
        return units_of(self.network)
