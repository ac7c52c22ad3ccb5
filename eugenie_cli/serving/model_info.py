"""`assets.extra/eugenie.json` of a SavedModel: what the model was trained for, checked before it is used."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eugenie_cli.errors import EugenieError, ExitCode

if TYPE_CHECKING:
    from eugenie_cli.site.schema import Fleet

SCHEMA = "eugenie.model.v1"
_NAMED = 5
"""Assets that a sentence names."""
LOCATION = Path("assets.extra") / "eugenie.json"
"""Inside the version's directory; TensorFlow Serving leaves unknown files of `assets.extra` alone."""


@dataclass(frozen=True)
class ModelInfo:
    """One exported model version: its class, the rows that it takes, the assets that it knows."""

    class_name: str
    version: int
    sensors: tuple[str, ...]
    units: tuple[str, ...]
    window: int
    """Rows, M."""
    horizons: tuple[int, ...]
    """Rows ahead."""
    step_ms: int
    max_gap_ms: int
    assets: tuple[str, ...]
    run_id: str
    """MLflow run that trained it."""
    data_fingerprint: str
    """Of the history that it learnt from."""


def render(info: ModelInfo) -> str:
    """The document as JSON text."""
    fields = asdict(info)
    document = {"schema": SCHEMA, "class": fields.pop("class_name"), **fields}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def read(directory: Path) -> ModelInfo:
    """The document of the version in `directory` (`models/<class>/<version>`).

    Raises EugenieError (REFUSED), naming the file and the key, when it is missing or not of this schema.
    """
    path = directory / LOCATION
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _refused(f"{path} does not exist: {directory} was not exported by eugenie") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise _refused(f"{path} is not JSON: {error}") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise _refused(f"{path}: schema must be {SCHEMA!r}")
    try:
        return _parse(document)
    except KeyError as error:
        raise _refused(f"{path}: {error.args[0]} is missing") from error
    except TypeError as error:
        raise _refused(f"{path}: {error}") from error


def check(info: ModelInfo, fleet: Fleet, *, any_window: bool = False) -> None:
    """Raise EugenieError (REFUSED) that names every point on which the model and the site's class disagree.

    Equal must be: the sensors and their order, window, step and max_gap; and the model must know one of the assets.
    The others are `strangers`: a machine that is new, or had too little normal history, locks nobody out. `any_window`:
    rows of any number can be sent, as to judge history; a stream sends those of the site's window.
    """
    class_name, equipment = fleet.name, fleet.equipment
    pairs: list[tuple[str, Any, Any]] = [
        ("class", info.class_name, class_name),
        ("sensors", list(info.sensors), list(equipment.sensor_names)),
        ("window", info.window, info.window if any_window else equipment.model.window),
        ("step", f"{info.step_ms} ms", f"{equipment.step} ms"),
        ("max_gap", f"{info.max_gap_ms} ms", f"{equipment.max_gap} ms"),
    ]
    found = [f"{what}: the model has {model}, the site {ours}" for what, model, ours in pairs if model != ours]
    unknown = strangers(info, fleet.assets)
    if unknown and len(unknown) == len(fleet.assets):
        found.append(f"assets: the model does not know {', '.join(unknown)}")
    if found:
        listed = "; ".join(found)
        raise EugenieError(
            f"model {info.class_name} version {info.version} does not fit {fleet.file.name}: {listed}",
            f"eugenie train --class {class_name}, then eugenie export --class {class_name}",
            ExitCode.REFUSED,
        )


def strangers(info: ModelInfo, assets: Iterable[str]) -> tuple[str, ...]:
    """Those of its class's `assets` that the model does not know: their rows have no score."""
    return tuple(asset for asset in assets if asset not in info.assets)


def about_strangers(info: ModelInfo, assets: Iterable[str]) -> str:
    """A sentence that names them, and what to do; empty where there is none."""
    unknown = strangers(info, assets)
    if not unknown:
        return ""
    more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
    return (
        f"version {info.version} does not know {', '.join(unknown[:_NAMED])}{more}: not scored until it has normal "
        f"history (`eugenie import`) and `eugenie train --class {info.class_name}` has seen it"
    )


def _parse(document: dict[str, Any]) -> ModelInfo:
    def get(key: str, kind: type) -> Any:
        value = document[key]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise TypeError(f"{key} must be of type {kind.__name__}, it is {value!r}")
        return value

    return ModelInfo(
        class_name=get("class", str),
        version=get("version", int),
        sensors=tuple(get("sensors", list)),
        units=tuple(get("units", list)),
        window=get("window", int),
        horizons=tuple(get("horizons", list)),
        step_ms=get("step_ms", int),
        max_gap_ms=get("max_gap_ms", int),
        assets=tuple(get("assets", list)),
        run_id=get("run_id", str),
        data_fingerprint=get("data_fingerprint", str),
    )


def _refused(reason: str) -> EugenieError:
    return EugenieError(reason, "eugenie export", ExitCode.REFUSED)
