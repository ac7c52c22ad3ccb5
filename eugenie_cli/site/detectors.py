"""`model:` of a class: the type of detector and its settings. Rows are grid steps."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, TypeAdapter

from eugenie_cli.detection.detectors.options import ChartOptions, ForestOptions, LastValueOptions, Options, PcaOptions
from eugenie_cli.detection.detectors.registry import AUTO
from eugenie_cli.detection.network import LSTM
from eugenie_cli.site.base import Section

Rows = Annotated[int, Field(ge=1, le=512)]
Window = Annotated[int, Field(ge=8, le=4096, description="rows that a score depends on")]
Smoothing = Annotated[float, Field(gt=0, le=1, description="weight of the newest row")]


_POSITIVE: TypeAdapter[float] = TypeAdapter(Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)])


def _rate(given: Any) -> Any:
    """A number or auto. Reports one finding for anything else; a union alone would report one for each option."""
    if given == "auto":
        return given
    try:
        float(given)
    except (TypeError, ValueError):
        raise ValueError("must be a number, or auto") from None
    return _POSITIVE.validate_python(given)


LearningRate = Annotated[Annotated[float, Field(gt=0, le=1)] | Literal["auto"], BeforeValidator(_rate)]


# An asset is trained on with at least this many windows' worth of normal rows...
MIN_WINDOWS = 2
# ...and at least as many rows as the covariance of several sensors needs, however short the window.
MIN_ROWS = 50


class DetectorSettings(Section):
    """Settings common to all detector types."""

    type: str
    window: Window
    calibration: Annotated[
        float, Field(gt=0, lt=1, description="share of the normal rows, the latest, reserved for the thresholds")
    ] = 0.25

    @property
    def least_rows(self) -> int:
        """The number of normal rows below which training leaves an asset out."""
        return max(MIN_WINDOWS * self.window, MIN_ROWS)


class ForecasterSettings(DetectorSettings):
    """The forecaster of a class, and how it is trained."""

    window: Window = 120
    warmup: Annotated[int, Field(ge=1, le=4095)] = 60
    horizons: tuple[Rows, ...] = (1, 5, 10)
    units: Annotated[int, Field(ge=1, le=1024)] = 32
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 15
    batch: Annotated[int, Field(ge=1, le=65_536)] = 64
    learning_rate: LearningRate = Field(0.006, description="auto: determined by a range test before the fit")
    seed: int = 0

    @property
    def memory(self) -> str:
        """The kind of the network's memory, a key of `network.WEIGHTS`."""
        return self.type


class AutoSettings(ForecasterSettings):
    """An LSTM that corrects a linear forecast, judged by four statistics together."""

    type: Literal["auto"] = "auto"

    @property
    def memory(self) -> str:
        return LSTM


class LstmSettings(ForecasterSettings):
    """A forecaster with an LSTM as its memory."""

    type: Literal["lstm"]


class MinLstmSettings(ForecasterSettings):
    """A forecaster with a minimal LSTM, whose gates do not depend on its state: it needs no loop over rows."""

    type: Literal["minlstm"]


class ClassicalSettings(DetectorSettings):
    """Settings common to the detector types other than the forecasters."""

    @abstractmethod
    def options(self) -> Options:
        """The settings in the form that `detection` takes."""


class _PcaSettings(ClassicalSettings):
    window: Window = PcaOptions.window
    explained: Annotated[float, Field(gt=0, lt=1, description="share of the variance that components explain")] = (
        PcaOptions.explained
    )

    def options(self) -> PcaOptions:
        return PcaOptions(self.window, self.explained)


class PcaQSettings(_PcaSettings):
    """Principal components: the residual of a row."""

    type: Literal["pca-q"]


class PcaT2Settings(_PcaSettings):
    """Principal components: how unusual a row is within them."""

    type: Literal["pca-t2"]


class MewmaSettings(ClassicalSettings):
    """Multivariate exponentially weighted moving average of the rows."""

    type: Literal["mewma"]
    window: Window = ChartOptions.window
    smoothing: Smoothing = ChartOptions.smoothing

    def options(self) -> ChartOptions:
        return ChartOptions(self.window, self.smoothing)


class IsolationForestSettings(ClassicalSettings):
    """Isolation forest, with its path lengths averaged over rows."""

    type: Literal["isolation-forest"]
    window: Window = ForestOptions.window
    smoothing: Smoothing = ForestOptions.smoothing
    trees: Annotated[int, Field(ge=1, le=1000)] = ForestOptions.trees
    samples: Annotated[int, Field(ge=16, le=65_536, description="rows used to grow a tree")] = ForestOptions.samples
    seed: Annotated[int, Field(ge=0)] = ForestOptions.seed

    def options(self) -> ForestOptions:
        return ForestOptions(self.window, self.smoothing, self.trees, self.samples, self.seed)


class LastValueSettings(ClassicalSettings):
    """The error of the forecast that nothing changes, averaged over rows."""

    type: Literal["last-value"]
    window: Window = LastValueOptions.window
    smoothing: Smoothing = LastValueOptions.smoothing
    horizons: tuple[Rows, ...] = LastValueOptions.horizons

    def options(self) -> LastValueOptions:
        return LastValueOptions(self.window, self.smoothing, self.horizons)


def _type_of(given: Any) -> Any:
    """The type of a `model:` section."""
    return str(given.get("type", AUTO)) if isinstance(given, dict) else getattr(given, "type", AUTO)


Detector = Annotated[
    Annotated[AutoSettings, Tag("auto")]
    | Annotated[LstmSettings, Tag("lstm")]
    | Annotated[MinLstmSettings, Tag("minlstm")]
    | Annotated[PcaQSettings, Tag("pca-q")]
    | Annotated[PcaT2Settings, Tag("pca-t2")]
    | Annotated[MewmaSettings, Tag("mewma")]
    | Annotated[IsolationForestSettings, Tag("isolation-forest")]
    | Annotated[LastValueSettings, Tag("last-value")],
    Discriminator(_type_of),
]
