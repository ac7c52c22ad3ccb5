"""Table rows and lines that show the quality of the history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from eugenie_cli.history.assessment.findings import Finding, instant, lasting
from eugenie_cli.history.assessment.grades import WORST, worst_first
from eugenie_cli.history.quality import Quality

SHOWN_ASSETS = 20  # in the tables, unless a number is given
SHOWN_LIKE = 3  # findings of one kind and class


def only_worst(found: Quality, count: int) -> Quality:
    """The assets that need most attention, the worst first, with their findings and those of their classes."""
    marks = worst_first(found.assets)[:count]
    names = [one.asset for one in marks]
    chosen, classes = set(names), {one.class_name for one in marks}
    findings = tuple(one for one in found.findings if (one.asset in chosen if one.asset else one.class_name in classes))
    by_asset: dict[str, list[int]] = {}
    for place, one in enumerate(found.sensors):
        if one.asset in chosen:
            by_asset.setdefault(one.asset, []).append(place)
    sensors = tuple(found.sensors[place] for name in names for place in by_asset.get(name, ()))
    return replace(found, assets=tuple(marks), findings=findings, sensors=sensors)


def grade_rows(found: Quality) -> Iterator[tuple[str, ...]]:
    """Rows: asset, class, grade, rows, needed, readings, from, to, complete."""
    for one in found.assets:
        yield (
            one.asset,
            one.class_name,
            one.grade,
            f"{one.rows:,}",
            f"{one.needed:,}",
            f"{one.readings:,}",
            "" if one.start_ms is None else instant(one.start_ms),
            "" if one.end_ms is None else instant(one.end_ms),
            share(one.complete),
        )


def sensor_rows(found: Quality) -> Iterator[tuple[str, ...]]:
    """Rows: asset, sensor, readings, from, to, period, filled, bad, out of range, longest gap, flat, conflicts."""
    for one in found.sensors:
        yield (
            one.asset,
            one.sensor,
            f"{one.readings:,}",
            "" if one.start_ms is None else instant(one.start_ms),
            "" if one.end_ms is None else instant(one.end_ms),
            "" if one.median_period_ms is None else lasting(one.median_period_ms),
            share(one.filled),
            share(one.bad),
            share(one.out_of_range),
            "" if one.longest_gap_ms is None else lasting(one.longest_gap_ms),
            share(one.flat),
            f"{one.conflicts:,}",
        )


def finding_lines(findings: Sequence[Finding]) -> Iterator[str]:
    """The findings, the serious ones first; of many of one kind and class the first few."""
    alike: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in findings:
        alike.setdefault((finding.severity, finding.kind, finding.class_name), []).append(finding)
    for (severity, kind, class_name), group in alike.items():
        yield from (f"{severity}: {finding.sentence}" for finding in group[:SHOWN_LIKE])
        if len(group) > SHOWN_LIKE:
            yield f"{severity}: and {len(group) - SHOWN_LIKE:,} more of {class_name} ({kind}); -o json lists all"


def summary(found: Quality) -> str:
    """How many assets have which grade."""
    counts = Counter(one.grade for one in found.assets)
    marks = ", ".join(f"{counts[mark]:,} {mark}" for mark in reversed(WORST) if counts[mark])  # type: ignore[index]
    return f"{len(found.assets):,} assets: {marks}"


def share(fraction: float) -> str:
    """A share in percent; a small one is `<0.1 %`, never 0."""
    return "0" if fraction == 0 else "<0.1 %" if fraction < 0.001 else f"{fraction:.1%}".replace("%", " %")
