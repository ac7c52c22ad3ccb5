"""Champion and candidate in rows of a table: each figure of both, the difference, how sure it is."""

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
    """None: nobody can say."""


def _fraction(value: float) -> str:
    return f"{value:.3f}"


def _percent(value: float) -> str:
    return f"{value:.2%}"


def _rate(value: float) -> str:
    return f"{value:,.2f}"


def _seconds(value: float) -> str:
    return f"{value:,.0f} s"


_FIGURES = {
    "f1": _Figure("F1", lambda one: one.point.f1 if one.point else None, _fraction, True),
    "far": _Figure("FAR", lambda one: one.point.far if one.point else None, _percent, False),
    "mar": _Figure("MAR", lambda one: one.point.mar if one.point else None, _percent, False),
    "detected": _Figure("events found", lambda one: one.events.detected if one.events else None, "{:g}".format, True),
    "delay_s": _Figure("delay, median", lambda one: one.events.delay_median if one.events else None, _seconds, False),
    "false_alarms_per_asset_day": _Figure(
        "false alarms / asset-day", lambda one: one.false_alarms_per_asset_day, _rate, False
    ),
    "vus_pr": _Figure("VUS-PR", lambda one: one.vus_pr, _fraction, True),
    "flagged": _Figure("rows above 1", lambda one: one.flagged, _percent, None),
    "anomalies_per_asset_day": _Figure("anomalies / asset-day", lambda one: one.anomalies_per_asset_day, _rate, None),
    "alarm_time_fraction": _Figure("alarm time", lambda one: one.alarm_time_fraction, _percent, None),
    "quiet_flagged": _Figure(
        "quiet rows above 1", lambda one: one.quiet.flagged if one.quiet else None, _percent, False
    ),
    "quiet_alarm_time_fraction": _Figure(
        "alarm time of quiet rows", lambda one: one.quiet.alarm_time_fraction if one.quiet else None, _percent, False
    ),
    "coverage": _Figure("coverage", lambda one: one.coverage, _percent, True),
}


def comparison_rows(champion: Performance, candidate: Candidate) -> Iterator[tuple[str, ...]]:
    """Cells: figure, champion, candidate, difference, interval, and a word where the difference is clear.

    The difference in delay is of the events that both found, the two medians of those that each found.
    """
    for name, figure in _FIGURES.items():
        found = candidate.difference.get(name)
        if found is None:
            continue
        yield (
            figure.words,
            *(_cell(figure, figure.of(one)) for one in (champion, candidate.model)),
            _signed(figure, found.value),
            f"{_signed(figure, found.low)} to {_signed(figure, found.high)}" if found.low is not None else UNKNOWN,
            _verdict(figure, found),
        )


def _verdict(figure: _Figure, found: Difference) -> str:
    if not found.clear or found.low is None:
        return ""
    if figure.more_is_better is None:
        return "more" if found.low > 0 else "less"
    return "better" if (found.low > 0) == figure.more_is_better else "worse"


def _cell(figure: _Figure, value: float | None) -> str:
    return UNKNOWN if value is None else figure.text(value)


def _signed(figure: _Figure, value: float | None) -> str:
    if value is None:
        return UNKNOWN
    return ("+" if value > 0 else "") + figure.text(value)
