"""The model card of an exported version: what it learnt from, how good it was, where its thresholds come from.

Markdown, beside the graph in `assets.extra` and with the training run in MLflow. After Mitchell et al., "Model Cards
for Model Reporting", 2019, as far as a detector of one class of machines has what they ask for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from eugenie_cli.detection import types
from eugenie_cli.detection.trained import MIN_PRESENT, TrainedDetector
from eugenie_cli.serving.manifest import ModelInfo
from eugenie_cli.training.code import COMMIT, EUGENIE, TENSORFLOW
from eugenie_cli.training.record import Periods, TrainingRecord

LOCATION = Path("assets.extra") / "model_card.md"


def render(site: str, info: ModelInfo, detector: TrainedDetector, run: TrainingRecord, difference: float) -> str:
    """The card as Markdown. `difference`: the largest of the graph's scores from the trained network's, as exported."""
    lines = [f"# {info.class_name}, version {info.version}", "", *_purpose(site, info)]
    for title, section in (
        ("Data", _data(info, run)),
        ("Model", _model(info, detector, difference)),
        ("Metrics of the training run", _metrics(run)),
        ("Thresholds", _thresholds(detector)),
        ("Code", _code(run)),
    ):
        lines += ["", f"## {title}", "", *section]
    return "\n".join(lines) + "\n"


def _purpose(site: str, info: ModelInfo) -> list[str]:
    return [
        f"Detects anomalies of the {len(info.assets)} assets of class `{info.class_name}` of site `{site}`, by row,",
        f"from the last {info.window} rows of {info.step_ms:,} ms. A score above 1 is anomalous. It knows no other",
        f"asset, and gives no score (NaN) where less than {MIN_PRESENT:.0%} of those rows have a value.",
    ]


def _data(info: ModelInfo, run: TrainingRecord) -> list[str]:
    counts = ", ".join(f"{run.parameters.get(f'rows.{part}', '?')} for {part}" for part in _PARTS)
    return [
        f"Fingerprint of the normal rows: `{info.data_fingerprint or 'unknown'}`. Rows: {counts}.",
        "",
        *_table(["asset", *_PARTS], _spans(run.periods)),
    ]


def _model(info: ModelInfo, detector: TrainedDetector, difference: float) -> list[str]:
    roles = zip(info.sensors, info.units, detector.scored, strict=True)
    return [
        *types.of(detector.type).describe(detector),
        f"The exported graph's scores differ from the trained detector's by at most {difference:.1g}, on rows of the",
        "history.",
        "",
        *_table(["sensor", "unit", "role"], ((*names, "scored" if scored else "context") for *names, scored in roles)),
    ]


def _metrics(run: TrainingRecord) -> list[str]:
    return _table(["metric", "value"], ((name, f"{value:.6g}") for name, value in sorted(run.metrics.items())))


def _code(run: TrainingRecord) -> list[str]:
    commit = run.tags.get(COMMIT)
    return [
        f"Trained by eugenie {run.tags.get(EUGENIE, '(unknown version)')}{f', commit `{commit}`' if commit else ''},",
        f"with TensorFlow {run.tags.get(TENSORFLOW, '(unknown version)')}, in MLflow run `{run.run_id}`,",
        f"ended {run.ended}.",
    ]


_PARTS = ("training", "validation", "calibration")


def _spans(periods: Periods) -> Iterable[Sequence[str]]:
    for asset, parts in sorted(periods.items()):
        yield (asset, *(" to ".join(parts.get(part, ())) or "none" for part in _PARTS))


def _thresholds(detector: TrainedDetector) -> list[str]:
    noted = detector.calibration
    told = [
        f"A threshold is {noted.margin:.3g} times the .999 quantile of the statistic on calibration rows. It is",
        f"the smallest with which, rehearsed on held-out normal rows, at most {noted.budget:.2%} of them score above 1",
        f"({noted.rehearsal:.2%} did).",
    ]
    rows = (
        (
            asset.asset,
            f"{threshold:.4g}",
            f"{asset.rows:,}",
            "the class's, for want of rows" if asset.pooled else "its own rows",
            f"{asset.quantile:.4g}",
            f"{asset.exceeding:.2%}",
        )
        for asset, threshold in zip(noted.assets, detector.threshold, strict=True)
    )
    return [*told, "", *_table(["asset", "threshold", "rows", "from", "quantile", "rows above 1"], rows)]


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [columns, ["---"] * len(columns), *rows]
    return ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines]
