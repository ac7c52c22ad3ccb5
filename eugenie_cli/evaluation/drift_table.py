"""Drift as table rows."""

from __future__ import annotations

from collections.abc import Iterator

from eugenie_cli.evaluation.drift import ClassDrift

COLUMNS = (
    "asset", "sensor", "PSI", "by chance", "KS", "by chance", "independent rows", "missing", "beyond clip", "moved",
)  # fmt: skip


def drift_rows(class_drift: ClassDrift) -> Iterator[tuple[str, ...]]:
    """Cells under `COLUMNS`, the largest PSI first. Independent and missing rows are given as learnt / recent."""
    for sensor in sorted(class_drift.sensors, key=lambda sensor: -(sensor.drift.psi or 0.0)):
        drift = sensor.drift
        yield (
            sensor.asset,
            sensor.sensor,
            *(_number(value) for value in (drift.psi, drift.psi_by_chance, drift.ks, drift.ks_by_chance)),
            f"{drift.learnt:,.0f} / {drift.recent:,.0f}",
            f"{sensor.missing_learnt:.1%} / {sensor.missing:.1%}",
            f"{sensor.beyond_clip:.2%}",
            drift.judged,
        )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
