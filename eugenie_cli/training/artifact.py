"""A `TrainedDetector` on disk: `detector.npz` (arrays) and `detector.json` (everything else)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from eugenie_cli.detection.alarm_forecast import AlarmForecast, Rates
from eugenie_cli.detection.alarm_policy import AlarmDecision
from eugenie_cli.detection.detector import AssetCalibration, Calibration, TrainedDetector
from eugenie_cli.detection.detectors import registry
from eugenie_cli.detection.operating_state import OperatingState
from eugenie_cli.detection.rate_interval import Interval
from eugenie_cli.episodes.delays import Delays
from eugenie_cli.errors import EugenieError
from eugenie_cli.files import new_folder

SCHEMA = "eugenie.detector.v2"
ARRAYS, META = "detector.npz", "detector.json"
_TABLES = ("scored", "mean", "deviation", "threshold")


def save(detector: TrainedDetector, folder: Path) -> None:
    """Writes `folder`, which appears complete or not at all. Raises EugenieError when it exists."""
    if folder.exists():
        raise EugenieError(f"{folder} already exists", "give a folder that does not exist")
    with new_folder(folder, mode=0o700) as staged:
        _write(detector, staged)


def _write(detector: TrainedDetector, folder: Path) -> None:
    kind = registry.of(detector.type)
    arrays = {name: getattr(detector, name) for name in _TABLES} | kind.arrays(detector)
    with (folder / ARRAYS).open("wb") as stream:
        np.savez(stream, **arrays)
    meta = {
        "schema": SCHEMA,
        "type": detector.type,
        "class": detector.class_name,
        "assets": detector.assets,
        "sensors": detector.sensors,
        "units": detector.units,
        "window": detector.window,
        "horizons": detector.horizons,
        "step_ms": detector.step_ms,
        "max_gap_ms": detector.max_gap_ms,
        "calibration": asdict(detector.calibration),
        "running": asdict(detector.running) if detector.running else None,
        **kind.plain(detector),
    }
    with (folder / META).open("w", encoding="utf-8") as stream:
        json.dump(meta, stream, indent=2, ensure_ascii=False, allow_nan=False)


def load(folder: Path) -> TrainedDetector:
    """Reads what `save` wrote. Raises EugenieError when files are missing, damaged or have another schema."""
    try:
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        with np.load(folder / ARRAYS, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except FileNotFoundError as missing:
        raise EugenieError(
            f"{missing.filename} is missing: this is not a trained detector", "train the class again"
        ) from missing
    except (OSError, EOFError, ValueError, AttributeError, BadZipFile) as damage:
        raise EugenieError(f"{folder} is damaged: {damage}", "train the class again") from damage
    if not isinstance(meta, dict) or meta.get("schema") != SCHEMA:
        schema = meta.get("schema") if isinstance(meta, dict) else None
        raise EugenieError(f"{folder / META}: schema {schema!r}, expected {SCHEMA!r}", "train the class again")
    try:
        return _restored(meta, arrays)
    except (KeyError, TypeError, ValueError, IndexError) as wrong:
        raise EugenieError(f"{folder} is damaged: {_what(wrong)}", "train the class again") from wrong


def _restored(meta: Mapping[str, Any], arrays: Mapping[str, Any]) -> TrainedDetector:
    common = {
        "type": meta["type"],
        "class_name": meta["class"],
        "assets": tuple(meta["assets"]),
        "sensors": tuple(meta["sensors"]),
        "units": tuple(meta["units"]),
        "window": meta["window"],
        "horizons": tuple(meta["horizons"]),
        "step_ms": meta["step_ms"],
        "max_gap_ms": meta["max_gap_ms"],
        "running": OperatingState(**meta["running"]) if meta["running"] else None,
        "calibration": _calibration(meta["calibration"]),
        **{name: arrays[name] for name in _TABLES},
    }
    if meta["type"] not in registry.NAMES:
        raise ValueError(f"unknown detector type {meta['type']!r}")
    return registry.of(meta["type"]).restore(common, arrays, meta)


def _what(wrong: Exception) -> str:
    return f"{wrong} is missing" if isinstance(wrong, KeyError) else str(wrong)


def _calibration(saved: Mapping[str, Any]) -> Calibration:
    """The record of a detector of this release, or of one that knew no alarm decision and no forecast."""
    alarm, expected = saved.get("alarm"), saved.get("forecast")
    return Calibration(
        budget=saved["budget"],
        margin=saved["margin"],
        rehearsal=saved["rehearsal"],
        assets=tuple(AssetCalibration(**asset) for asset in saved["assets"]),
        alarm=None if alarm is None else AlarmDecision(**{**alarm, "delays": Delays(*alarm["delays"])}),
        forecast=None
        if expected is None
        else AlarmForecast(
            _rates(expected["all"]), {asset: _rates(rates) for asset, rates in expected["assets"].items()}
        ),
    )


def _rates(saved: Mapping[str, Any]) -> Rates:
    return Rates(Interval(*saved["rows"]), Interval(*saved["alarms"]))
