"""Champion and candidate as table rows: both figures, their difference and its interval."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from eugenie_cli.detection.metrics.bootstrap import Difference
from eugenie_cli.evaluation.comparison import Candidate
from eugenie_cli.evaluation.performance import Performance

UNKNOWN = "-"


class _Figure(NamedTuple):
    words: str
    of: Callable[[Performance], float | None]
    text: Callable[[float], str]
    more_is_better: bool | None
    """None: neither direction is better."""


def _fraction(value: float) -> str:
    return f"{value:.3f}"


def _percent(value: float) -> str:
    return f"{value:.2%}"


def _rate(value: float) -> str:
    return f"{value:,.2f}"


def _seconds(value: float) -> str:
    return f"{value:,.0f} s"


_FIGURES = {
    "f1": _Figure("F1", lambda performance: performance.point.f1 if performance.point else None, _fraction, True),
    "far": _Figure("FAR", lambda performance: performance.point.far if performance.point else None, _percent, False),
    "mar": _Figure("MAR", lambda performance: performance.point.mar if performance.point else None, _percent, False),
    "detected": _Figure(
        "events found",
        lambda performance: performance.events.detected if performance.events else None,
        "{:g}".format,
        True,
    ),
    "delay_s": _Figure(
        "delay, median",
        lambda performance: performance.events.delay_median if performance.events else None,
        _seconds,
        False,
    ),
    "false_alarms_per_asset_day": _Figure(
        "false alarms / asset-day", lambda performance: performance.false_alarms_per_asset_day, _rate, False
    ),
    "vus_pr": _Figure("VUS-PR", lambda performance: performance.vus_pr, _fraction, True),
    "flagged": _Figure("rows above 1", lambda performance: performance.flagged, _percent, None),
    "anomalies_per_asset_day": _Figure(
        "anomalies / asset-day", lambda performance: performance.anomalies_per_asset_day, _rate, None
    ),
    "alarm_time_fraction": _Figure("alarm time", lambda performance: performance.alarm_time_fraction, _percent, None),
    "quiet_flagged": _Figure(
        "quiet rows above 1",
        lambda performance: performance.quiet.flagged if performance.quiet else None,
        _percent,
        False,
    ),
    "quiet_alarm_time_fraction": _Figure(
        "alarm time of quiet rows",
        lambda performance: performance.quiet.alarm_time_fraction if performance.quiet else None,
        _percent,
        False,
    ),
    "coverage": _Figure("coverage", lambda performance: performance.coverage, _percent, True),
}


def comparison_rows(champion: Performance, candidate: Candidate) -> Iterator[tuple[str, ...]]:
    """Cells: figure, champion, candidate, difference, interval, and a verdict where the difference is clear.

    The difference in delay covers the events that both found; the two medians cover the events that each found.
    """
    for name, figure in _FIGURES.items():
        difference = candidate.difference.get(name)
        if difference is None:
            continue
        yield (
            figure.words,
            *(_cell(figure, figure.of(performance)) for performance in (champion, candidate.model)),
            _signed(figure, difference.value),
            f"{_signed(figure, difference.low)} to {_signed(figure, difference.high)}"
            if difference.low is not None
            else UNKNOWN,
            _verdict(figure, difference),
        )


def _verdict(figure: _Figure, difference: Difference) -> str:
    if not difference.clear or difference.low is None:
        return ""
    if figure.more_is_better is None:
        return "more" if difference.low > 0 else "less"
    return "better" if (difference.low > 0) == figure.more_is_better else "worse"


def _cell(figure: _Figure, value: float | None) -> str:
    return UNKNOWN if value is None else figure.text(value)


def _signed(figure: _Figure, value: float | None) -> str:
    if value is None:
        return UNKNOWN
    return ("+" if value > 0 else "") + figure.text(value)
