"""Files for MLflow's pages about a version: the model's signature (`MLmodel`), and its card as Markdown.

`mlflow.*.log_model` would spend fifteen seconds on resolving the environment; this module writes only the files.
"""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from eugenie_cli.detection.detector import TrainedDetector
from eugenie_cli.training import mlflow_store, model_card
from eugenie_cli.training.run_record import TrainingRecord

CARD = model_card.LOCATION.name
"""The card among the artifacts of a run. The export of the version replaces it with one that describes the graph."""

# The longest description of a version that MLflow's databases accept.
_LONGEST = 5000
_CONTINUED = f"\n\n(The whole card is the run's artifact `{CARD}`.)\n"


def write_mlmodel(detector: TrainedDetector, folder: Path) -> None:
    """Writes `MLmodel` next to the detector's files, with the signature of the graph that `eugenie export` builds."""
    from mlflow.models import Model, ModelSignature
    from mlflow.types.schema import Schema, TensorSpec

    sensors = len(detector.sensors)
    number = np.dtype("float32")
    signature = ModelSignature(
        inputs=Schema(
            [
                TensorSpec(np.dtype("str"), (-1,), "asset"),
                TensorSpec(number, (-1, -1, sensors), "rows"),
            ]
        ),
        outputs=Schema(
            [
                TensorSpec(number, (-1, -1), "score"),
                TensorSpec(number, (-1, -1, sensors), "contribution"),
                TensorSpec(number, (-1, -1, sensors), "expected"),
            ]
        ),
    )
    model = Model(artifact_path=mlflow_store.DETECTOR, signature=signature, utc_time_created=datetime.now(timezone.utc))
    model.add_flavor(
        "eugenie",
        type=detector.type,
        class_name=detector.class_name,
        sensors=list(detector.sensors),
        window=detector.window,
        step_ms=detector.step_ms,
    )
    model.save(str(folder / "MLmodel"))


def write_card(site: str, detector: TrainedDetector, run: TrainingRecord, folder: Path) -> None:
    """Writes the card of a detector that has no version number yet."""
    (folder / CARD).write_text(model_card.render(site, detector, run), encoding="utf-8")


def description(folder: Path) -> str | None:
    """The card in `folder`, cut to the longest description that a version may have; None without a card."""
    if not (folder / CARD).exists():
        return None
    text = (folder / CARD).read_text(encoding="utf-8")
    if len(text) <= _LONGEST:
        return text
    return text[: text.rindex("\n", 0, _LONGEST - len(_CONTINUED))] + _CONTINUED
