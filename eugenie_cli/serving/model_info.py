"""`assets.extra/eugenie.json` of a SavedModel: what the model was trained for, checked before the model is used."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eugenie_cli.episodes.delays import Delays
from eugenie_cli.errors import EugenieError, ExitCode

if TYPE_CHECKING:
    from eugenie_cli.site.schema import Fleet

SCHEMA = "eugenie.model.v1"
_NAMED = 5
"""Maximum number of assets named in a message."""
LOCATION = Path("assets.extra") / "eugenie.json"
"""Inside the version's directory; TensorFlow Serving ignores unknown files in `assets.extra`."""


@dataclass(frozen=True)
class ModelInfo:
    """One exported model version: its class, the rows that it accepts, the assets that it knows."""

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
    """MLflow run that trained the model."""
    data_fingerprint: str
    """Fingerprint of the history that the model was trained on."""
    on_delay: int = Delays().on
    """Rows above 1 after which an alarm is raised, unless the site file says otherwise."""
    off_delay: int = Delays().off

    @property
    def delays(self) -> Delays:
        return Delays(self.on_delay, self.off_delay)


def render(info: ModelInfo) -> str:
    """The document as JSON text."""
    fields = asdict(info)
    document = {"schema": SCHEMA, "class": fields.pop("class_name"), **fields}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def read(directory: Path) -> ModelInfo:
    """Read the document of the version in `directory` (`models/<class>/<version>`).

    Raises EugenieError (REFUSED), naming the file and the key, when the document is missing or does not match the
    schema.
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

    The sensors and their order, window, step and max_gap must be equal, and the model must know at least one of the
    assets. Other assets may be unknown (`unknown_assets`): an asset that is new, or had too little normal history, does
    not block the rest. `any_window`: accept a different window, because the caller can send any number of rows, as
    when scoring history; a stream sends the site's window.
    """
    class_name, equipment = fleet.name, fleet.equipment
    pairs: list[tuple[str, Any, Any]] = [
        ("class", info.class_name, class_name),
        ("sensors", list(info.sensors), list(equipment.sensor_names)),
        ("window", info.window, info.window if any_window else equipment.model.window),
        ("step", f"{info.step_ms} ms", f"{equipment.step} ms"),
        ("max_gap", f"{info.max_gap_ms} ms", f"{equipment.max_gap} ms"),
    ]
    differences = [f"{what}: the model has {model}, the site {ours}" for what, model, ours in pairs if model != ours]
    unknown = unknown_assets(info, fleet.assets)
    if unknown and len(unknown) == len(fleet.assets):
        differences.append(f"assets: the model does not know {', '.join(unknown)}")
    if differences:
        listed = "; ".join(differences)
        raise EugenieError(
            f"model {info.class_name} version {info.version} does not fit {fleet.file.name}: {listed}",
            f"eugenie train --class {class_name}, then eugenie export --class {class_name}",
            ExitCode.REFUSED,
        )


def unknown_assets(info: ModelInfo, assets: Iterable[str]) -> tuple[str, ...]:
    """The subset of `assets` that the model does not know: their rows get no score."""
    return tuple(asset for asset in assets if asset not in info.assets)


def unknown_assets_message(info: ModelInfo, assets: Iterable[str]) -> str:
    """A sentence that names the unknown assets and what to do; empty when the model knows all assets."""
    unknown = unknown_assets(info, assets)
    if not unknown:
        return ""
    more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
    return (
        f"version {info.version} does not know {', '.join(unknown[:_NAMED])}{more}: not scored until normal history "
        f"is imported (`eugenie import`) and used for training (`eugenie train --class {info.class_name}`)"
    )


def _parse(document: dict[str, Any]) -> ModelInfo:
    def get(key: str, kind: type) -> Any:
        value = document[key]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise TypeError(f"{key} must be of type {kind.__name__}, not {value!r}")
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
        # versions exported before they had delays of their own
        on_delay=get("on_delay", int) if "on_delay" in document else Delays().on,
        off_delay=get("off_delay", int) if "off_delay" in document else Delays().off,
    )


def _refused(reason: str) -> EugenieError:
    return EugenieError(reason, "eugenie export", ExitCode.REFUSED)
