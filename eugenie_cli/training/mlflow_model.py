"""Files that make a version one of MLflow's models: `MLmodel` with its flavour, and its card as Markdown.

`mlflow.*.log_model` would spend fifteen seconds on resolving the environment; this module writes only the files.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

from eugenie_cli.detection.detector import TrainedDetector
from eugenie_cli.training import mlflow_pyfunc, mlflow_store, model_card
from eugenie_cli.training.run_record import TrainingRecord

CARD = model_card.LOCATION.name
"""The card among the artifacts of a run. The export of the version replaces it with one that describes the graph."""

Limits = Mapping[str, tuple[float | None, float | None]]

_REQUIREMENTS, _ENVIRONMENT = "requirements.txt", "python_env.yaml"
# What the flavour needs: eugenie brings the rest.
_PACKAGES = ("eugenie", "mlflow", "tensorflow")

# The longest description of a version that MLflow's databases accept.
_LONGEST = 5000
_CONTINUED = f"\n\n(The whole card is the run's artifact `{CARD}`.)\n"


def write_mlmodel(detector: TrainedDetector, limits: Limits, folder: Path) -> None:
    """Writes `MLmodel` and what it names next to the detector's files: a flavour with which MLflow scores tables.

    `limits`: of the class's sensors, (low, high) by name.
    """
    from mlflow.models import Model, ModelSignature
    from mlflow.types.schema import AnyType, ColSpec, Schema

    ts, asset = mlflow_pyfunc.input_columns(detector)
    scores = mlflow_pyfunc.output_columns(detector)[2:]
    signature = ModelSignature(
        # instants may be texts, and may have a zone: MLflow's own type of instants allows neither
        inputs=Schema(
            [
                ColSpec(AnyType(), ts),
                ColSpec("string", asset),
                *(ColSpec("double", name, required=False) for name in detector.sensors),
            ]
        ),
        outputs=Schema(
            [ColSpec("datetime", ts), ColSpec("string", asset), *(ColSpec("float", name) for name in scores)]
        ),
    )
    model = Model(artifact_path=mlflow_store.DETECTOR, signature=signature, utc_time_created=datetime.now(timezone.utc))
    model.add_flavor(
        mlflow_pyfunc.FLAVOR,
        type=detector.type,
        class_name=detector.class_name,
        assets=list(detector.assets),
        sensors=list(detector.sensors),
        units=list(detector.units),
        limits={name: list(pair) for name, pair in limits.items() if pair != (None, None)},
        window=detector.window,
        step_ms=detector.step_ms,
    )
    model.add_flavor(
        "python_function",
        loader_module=mlflow_pyfunc.__name__,
        python_version=platform.python_version(),
        env={"virtualenv": _ENVIRONMENT},
    )
    (folder / _REQUIREMENTS).write_text("".join(f"{name}=={version(name)}\n" for name in _PACKAGES), encoding="utf-8")
    environment = f"python: {platform.python_version()}\ndependencies:\n- -r {_REQUIREMENTS}\n"
    (folder / _ENVIRONMENT).write_text(environment, encoding="utf-8")
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
