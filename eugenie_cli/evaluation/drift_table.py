"""Drift in rows of a table."""

from __future__ import annotations

from collections.abc import Iterator

from eugenie_cli.evaluation.drift import ClassDrift

COLUMNS = (
    "asset", "sensor", "PSI", "by chance", "KS", "by chance", "independent rows", "missing", "beyond clip", "moved",
)  # fmt: skip


def drift_rows(found: ClassDrift) -> Iterator[tuple[str, ...]]:
    """Cells under `COLUMNS`, the largest index first. Independent and missing: learnt / recent."""
    for one in sorted(found.sensors, key=lambda one: -(one.drift.psi or 0.0)):
        told = one.drift
        yield (
            one.asset,
            one.sensor,
            *(_number(value) for value in (told.psi, told.psi_by_chance, told.ks, told.ks_by_chance)),
            f"{told.learnt:,.0f} / {told.recent:,.0f}",
            f"{one.missing_learnt:.1%} / {one.missing:.1%}",
            f"{one.beyond_clip:.2%}",
            told.judged,
        )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
