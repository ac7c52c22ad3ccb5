"""The model card of a version: its training data, its metrics and the origin of its thresholds.

The card is Markdown. It is stored with the training run, as the version's description in MLflow, and with the exported
graph in `assets.extra`. It follows Mitchell et al., "Model Cards for Model Reporting", 2019, as far as that applies to
a detector of one class of machines.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from eugenie_cli.detection.detector import MIN_PRESENT, TrainedDetector
from eugenie_cli.detection.detectors import registry
from eugenie_cli.training import alarm_outlook
from eugenie_cli.training.code_version import COMMIT, EUGENIE, TENSORFLOW
from eugenie_cli.training.run_record import Periods, TrainingRecord

LOCATION = Path("assets.extra") / "model_card.md"


def render(
    site: str,
    detector: TrainedDetector,
    run: TrainingRecord,
    *,
    version: int | None = None,
    difference: float | None = None,
) -> str:
    """The card as Markdown. `version`: None before it is registered; `difference`: the largest difference between the
    scores of the exported graph and of the trained network, None before the export."""
    title = f"# {detector.class_name}, version {version}" if version is not None else f"# {detector.class_name}"
    lines = [title, "", *_purpose(site, detector)]
    for heading, section in (
        ("Data", _data(run)),
        ("Model", _model(detector, difference)),
        ("Metrics of the training run", _metrics(run)),
        ("Thresholds", _thresholds(detector)),
        ("Code", _code(run)),
    ):
        lines += ["", f"## {heading}", "", *section]
    return "\n".join(lines) + "\n"


def _purpose(site: str, detector: TrainedDetector) -> list[str]:
    return [
        f"Detects anomalies of the {len(detector.assets)} assets of class `{detector.class_name}` of site `{site}`, by",
        f"row, from the last {detector.window} rows of {detector.step_ms:,} ms. A score above 1 is anomalous. It knows",
        f"no other asset, and gives no score (NaN) where less than {MIN_PRESENT:.0%} of those rows have a value.",
    ]


def _data(run: TrainingRecord) -> list[str]:
    counts = ", ".join(f"{run.parameters.get(f'rows.{part}', '?')} for {part}" for part in _PARTS)
    return [
        f"Fingerprint of the normal rows: `{run.parameters.get('data_fingerprint') or 'unknown'}`. Rows: {counts}.",
        "",
        *_table(["asset", *_PARTS], _spans(run.periods)),
    ]


def _model(detector: TrainedDetector, difference: float | None) -> list[str]:
    roles = zip(detector.sensors, detector.units, detector.scored, strict=True)
    exported = (
        [
            f"The exported graph's scores differ from the trained detector's by at most {difference:.1g}, on rows of",
            "the history.",
        ]
        if difference is not None
        else []
    )
    return [
        *registry.of(detector.type).describe(detector),
        *exported,
        "",
        *_table(["sensor", "unit", "role"], ((*names, "scored" if scored else "context") for *names, scored in roles)),
    ]


def _metrics(run: TrainingRecord) -> list[str]:
    return _table(["metric", "value"], ((name, f"{value:.6g}") for name, value in sorted(run.metrics.items())))


def _code(run: TrainingRecord) -> list[str]:
    commit = run.tags.get(COMMIT)
    traced = f", in MLflow run `{run.run_id}`" if run.run_id else ""
    return [
        f"Trained by eugenie {run.tags.get(EUGENIE, '(unknown version)')}{f', commit `{commit}`' if commit else ''},",
        f"with TensorFlow {run.tags.get(TENSORFLOW, '(unknown version)')}{traced},",
        f"ended {run.ended}.",
    ]


_PARTS = ("training", "validation", "calibration")


def _spans(periods: Periods) -> Iterable[Sequence[str]]:
    for asset, parts in sorted(periods.items()):
        yield (asset, *(" to ".join(parts.get(part, ())) or "none" for part in _PARTS))


def _thresholds(detector: TrainedDetector) -> list[str]:
    calibration = detector.calibration
    outlook = [f"- {message[:1].upper()}{message[1:]}." for message in alarm_outlook.sentences(calibration)]
    explanation = [
        *([*outlook, ""] if outlook else []),
        f"A threshold is {calibration.margin:.3g} times the .999 quantile of the statistic on calibration rows. It is",
        "the smallest that keeps the alarm budget in a rehearsal on held-out normal rows, of which",
        f"{calibration.rehearsal:.2%} score above 1. `learnt`: the rows behind the asset's own baselines.",
        "`moved`: the sensor whose mean moved most between those and the calibration rows, in deviations.",
    ]
    rows = (
        (
            asset.asset,
            f"{threshold:.4g}",
            f"{asset.rows:,}",
            "the class's rows (too few of its own)" if asset.pooled else "its own rows",
            f"{asset.quantile:.4g}",
            f"{asset.exceeding:.2%}",
            f"{asset.learnt:,}",
            f"{asset.mover} by {asset.moved:.2f}" if asset.mover else "-",
        )
        for asset, threshold in zip(calibration.assets, detector.threshold, strict=True)
    )
    columns = ["asset", "threshold", "rows", "from", "quantile", "rows above 1", "learnt", "moved"]
    return [*explanation, "", *_table(columns, rows)]


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [columns, ["---"] * len(columns), *rows]
    return ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines]
