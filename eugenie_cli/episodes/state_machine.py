"""The state machine of episodes: turns an asset's scored rows, in time order, into open, update and closed events.

It is an alarm with an on-delay and an off-delay (ISA-18.2, IEC 62682), counted in scored rows:

- A row is scored when its score is a number. NaN rows neither count nor reset.
- It opens on the `on_delay`-th consecutive row above 1; `start` is the first of those, `detected` the last.
- It closes, `recovered`, on the `off_delay`-th consecutive row at or below 1; `end` is the first of those.
- It closes, `silent`, after more than `silence_ms` without a scored row; `end` is the last scored row. The same silence
  resets the count towards an opening.
- It closes, `removed`, when its asset leaves the site file or its class, or `reset`, when the state of its asset is
  dropped; `end` is the last scored row.
- After a close, nothing opens or counts towards an opening for `cooldown` scored rows.

The events depend only on the rows. A timer or the next row detects a silence, whichever comes first, and both produce
the same event. So a replay that outruns its timers yields the same anomalies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from eugenie_cli.episodes.severity import severity

PEAK_STEP = 1.2
"""An update is sent when the peak reaches 1.2 times the last reported one, or the severity rises."""


@dataclass(frozen=True)
class AlarmRule:
    """Delays and cooldown in scored rows, silence in milliseconds."""

    on_delay: int
    off_delay: int
    cooldown: int
    silence_ms: int


class ScoredRow(NamedTuple):
    """One row of an asset with its score."""

    ts: int
    """Grid edge, ms since 1970 UTC."""
    score: float
    """Relative to the threshold; NaN: not scored."""
    version: int
    """Version of the model that scored it."""
    contribution: Sequence[float]
    """[S], sums to 1."""
    expected: Sequence[float]
    """[S], the forecast of the row, engineering units."""
    values: Sequence[float]
    """[S], the row, engineering units, NaN where missing."""


class Event(NamedTuple):
    """A change of an anomaly. Instants are ms since 1970 UTC."""

    kind: str
    """`open`, `update` or `closed`."""
    at: int
    """The instant of the event: that of its row, or the end of the silence."""
    start: int
    detected: int
    end: int | None
    reason: str | None
    """None, `recovered`, `silent`, `removed` or `reset`."""
    score: float
    """Score of the event's row; of the last scored row when silent or removed."""
    peak: float
    contribution: tuple[float, ...]
    """[S], averaged over the anomalous rows so far, weighted by their squared scores: contributions are shares of a
    squared deviation."""
    values: Sequence[float]
    """[S], the row of the peak so far, NaN where missing: it shows what was wrong, even after recovery."""
    expected: Sequence[float]
    """[S], the forecast of that row."""
    version: int
    """Version of the model that scored the event's row."""


class Episode:
    """The state of one asset: idle, counting towards an opening, or open. `step` changes it in place.

    `to_state` and `from_state` convert it to a short list of plain numbers and back.
    """

    __slots__ = (
        "cooldown",
        "detected",
        "last",
        "peak",
        "peak_expected",
        "peak_values",
        "reported",
        "run",
        "run_start",
        "score",
        "start",
        "sums",
        "version",
        "weight",
    )

    def __init__(self) -> None:
        self.last: int | None = None  # ts of the last scored row
        self.cooldown = 0  # scored rows left to skip
        self.run = 0  # consecutive rows towards opening (while not open) or closing (while open)
        self.run_start = 0  # ts of the first of them
        self.start: int | None = None  # set while counting or open
        self.peak = 0.0
        self.peak_values: Sequence[float] = ()  # the row of the peak, and its forecast; empty: unknown
        self.peak_expected: Sequence[float] = ()
        self.weight = 0.0  # sum of squared scores of the anomalous rows so far
        self.sums: list[float] = []  # sum of contributions [S], weighted by squared scores
        self.detected: int | None = None  # set while open, like the fields below
        self.reported = 0.0  # peak of the last event
        self.score = 0.0  # score of the last scored row, like the version
        self.version = 0

    @property
    def is_open(self) -> bool:
        return self.detected is not None

    @property
    def is_idle(self) -> bool:
        """Not open, not counting, no cooldown: a row at or below 1 changes only `last`."""
        return self.start is None and self.cooldown == 0

    def to_state(self) -> list[Any]:
        """Plain numbers, None and lists of them; 2 entries while idle, 9 while counting, 13 while open."""
        state: list[Any] = [self.last, self.cooldown]
        if self.start is not None:
            state += [self.run, self.run_start, self.start, self.peak, self.weight, list(self.sums)]
            state.append([_pack(self.peak_values), _pack(self.peak_expected)])
        if self.detected is not None:
            state += [self.detected, self.reported, self.score, self.version]
        return state

    @classmethod
    def from_state(cls, state: Sequence[Any]) -> Episode:
        """The episode of a `to_state` list, from this release or from one that stored the last row instead."""
        episode = cls()
        episode.last, episode.cooldown = state[0], state[1]
        if len(state) in (8, 14):  # counting or open, from a release that stored the last row instead of the peak's
            # that row stands in for the peak's, unless it was normal, which would mislead
            peak_row = state[12:] if len(state) == 14 and state[2] == 0 else [(), ()]
            state = [*state[:8], peak_row, *state[8:12]]
        if len(state) > 2:
            episode.run, episode.run_start, episode.start, episode.peak, episode.weight = state[2:7]
            episode.sums = list(state[7])
            episode.peak_values, episode.peak_expected = map(_unpack, state[8])
        if len(state) > 9:
            episode.detected, episode.reported, episode.score, episode.version = state[9:]
        return episode


def step(rule: AlarmRule, episode: Episode, row: ScoredRow) -> list[Event]:
    """The events that `row` causes, in order. Rows must be in time order; `episode` is changed in place."""
    events = _after_silence(rule, episode, row.ts)
    score = row.score
    if score != score:  # NaN
        return events
    episode.last = row.ts
    if episode.detected is not None:
        event = _step_open(rule, episode, row)
    elif episode.cooldown > 0:
        episode.cooldown -= 1
        return events
    elif score > 1.0:
        event = _step_counting(rule, episode, row)
    else:
        _reset(episode)
        return events
    if event is not None:
        events.append(event)
    return events


def close_silent(rule: AlarmRule, episode: Episode, now_ms: int) -> list[Event]:
    """The closing event if the silence at `now_ms` has lasted too long, else an empty list."""
    return _after_silence(rule, episode, now_ms)


def close_now(episode: Episode, reason: str) -> list[Event]:
    """The closing event of an open anomaly, `removed` or `reset`, else an empty list. Resets the episode."""
    events = []
    if episode.is_open and episode.last is not None:
        events = [_event(episode, "closed", episode.last, end=episode.last, reason=reason)]
    _reset(episode)
    return events


def deadline(rule: AlarmRule, episode: Episode) -> int | None:
    """The first instant (ms) at which `close_silent` closes the open anomaly; None when none is open."""
    if episode.detected is None or episode.last is None:
        return None
    return episode.last + rule.silence_ms + 1


def _after_silence(rule: AlarmRule, episode: Episode, now_ms: int) -> list[Event]:
    if episode.start is None or episode.last is None or now_ms - episode.last <= rule.silence_ms:
        return []
    if episode.detected is None:
        _reset(episode)
        return []
    event = _event(episode, "closed", episode.last + rule.silence_ms + 1, end=episode.last, reason="silent")
    _close(rule, episode)
    return [event]


def _step_counting(rule: AlarmRule, episode: Episode, row: ScoredRow) -> Event | None:
    if episode.start is None:
        episode.start = row.ts
        episode.sums = [0.0] * len(row.contribution)
    episode.run += 1
    _count_anomalous(episode, row)
    if episode.run < rule.on_delay:
        return None
    episode.detected = row.ts
    episode.reported = episode.peak
    episode.run = 0
    episode.score, episode.version = float(row.score), int(row.version)
    return _event(episode, "open", row.ts)


def _step_open(rule: AlarmRule, episode: Episode, row: ScoredRow) -> Event | None:
    episode.score, episode.version = float(row.score), int(row.version)
    if row.score > 1.0:
        episode.run = 0
        _count_anomalous(episode, row)
        risen = severity(episode.peak) != severity(episode.reported)
        if not risen and episode.peak < episode.reported * PEAK_STEP:
            return None
        episode.reported = episode.peak
        return _event(episode, "update", row.ts)
    if episode.run == 0:
        episode.run_start = row.ts
    episode.run += 1
    if episode.run < rule.off_delay:
        return None
    event = _event(episode, "closed", row.ts, end=episode.run_start, reason="recovered")
    _close(rule, episode)
    return event


def _count_anomalous(episode: Episode, row: ScoredRow) -> None:
    weight = float(row.score) ** 2
    episode.weight += weight
    # an episode of an earlier release may lack the row of its peak: the next anomalous row stands in for it
    if row.score > episode.peak or not episode.peak_values:
        episode.peak = max(episode.peak, float(row.score))
        episode.peak_values, episode.peak_expected = row.values, row.expected
    episode.sums = [total + weight * float(share) for total, share in zip(episode.sums, row.contribution, strict=True)]


def _event(episode: Episode, kind: str, at: int, end: int | None = None, reason: str | None = None) -> Event:
    assert episode.start is not None and episode.detected is not None  # noqa: S101 - for the type checker
    unknown = (math.nan,) * len(episode.sums)
    return Event(
        kind=kind,
        at=at,
        start=episode.start,
        detected=episode.detected,
        end=end,
        reason=reason,
        score=episode.score,
        peak=episode.peak,
        contribution=tuple(total / episode.weight for total in episode.sums),
        values=episode.peak_values or unknown,
        expected=episode.peak_expected or unknown,
        version=episode.version,
    )


def _reset(episode: Episode) -> None:
    """Return to idle, keeping `last` and `cooldown`."""
    if episode.start is None:
        return
    last, cooldown = episode.last, episode.cooldown
    episode.__init__()  # type: ignore[misc]
    episode.last, episode.cooldown = last, cooldown


def _close(rule: AlarmRule, episode: Episode) -> None:
    _reset(episode)
    episode.cooldown = rule.cooldown


def _pack(values: Sequence[float]) -> list[float | None]:
    return [float(value) if math.isfinite(value) else None for value in values]


def _unpack(values: Sequence[float | None]) -> tuple[float, ...]:
    return tuple(math.nan if value is None else value for value in values)
