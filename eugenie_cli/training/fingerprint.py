"""The recipe of a model: data, settings and code. A model with the same recipe need not be trained again."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import eugenie_cli
from eugenie_cli.detection.alarm_policy import AlarmBudget
from eugenie_cli.site.schema import EquipmentClass

TAG = "eugenie.recipe"
"""MLflow tag of a run and of the version that it registered."""

# Code whose change may change a model: all of `detection`, and these modules of `training`: `build` and what it
# imports, except the modules that only store arrays and checkpoints.
MODULES = (
    "alarm_rehearsal", "batches", "blind_sensors", "build", "classical", "datasets", "devices", "fit", "layers",
    "learning_rate", "load_rows", "outliers", "recurrence", "rescaled", "stopped_sensors", "trainer", "xla",
)  # fmt: skip


# What a class's description says about something else than its model. Units are labels, limits change the rows, which
# have a fingerprint of their own, and a cooldown changes what is made of scores. A new setting counts unless listed.
_NO_PART: Any = {"sensors": {"__all__": {"unit", "low", "high"}}, "alarm": {"cooldown"}, "promotion": True}
# Of an episode. Thresholds depend on them where the budget is of episodes; where it is a share of rows, they do not.
_OF_EPISODES = ("on_delay", "off_delay", "silence")


def recipe(equipment: EquipmentClass, fingerprint: str, epochs: int | None = None, before: str | None = None) -> str:
    """SHA-256 of the data's fingerprint, of the settings that a model depends on, and of the code of the model.

    `before`: the run whose network a warm start begins with.
    """
    settings = equipment.model_dump(mode="json", exclude=_NO_PART)
    if not isinstance(equipment.alarm_policy.budget, AlarmBudget):
        settings["alarm"] = {name: value for name, value in settings["alarm"].items() if name not in _OF_EPISODES}
    if epochs is not None and "epochs" in settings["model"]:
        settings["model"]["epochs"] = epochs
    text = json.dumps([fingerprint, settings, _code(), *([before] if before else [])], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _code() -> str:
    root = Path(eugenie_cli.__file__).parent
    files = sorted((root / "detection").rglob("*.py"))
    files += [root / "training" / f"{name}.py" for name in MODULES]
    digest = hashlib.sha256(version("tensorflow").encode())
    for file in files:
        digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
