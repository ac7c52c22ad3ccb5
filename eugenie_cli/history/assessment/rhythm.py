"""How often readings come, compared with the `step` and `max_gap` of their class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from eugenie_cli.history.assessment.findings import Finding, lasting, listed
from eugenie_cli.site.field_types import show_duration
from eugenie_cli.site.schema import EquipmentClass

# Durations that people choose, in ms: suggestions are rounded to them.
_ROUND = (
    *(1, 2, 5, 10, 20, 50, 100, 200, 250, 500),
    *(1_000 * seconds for seconds in (1, 2, 5, 10, 15, 20, 30)),
    *(60_000 * minutes for minutes in (1, 2, 5, 10, 15, 20, 30)),
    *(3_600_000 * hours for hours in (1, 2, 3, 4, 6, 8, 12, 24)),
)
# A period counts as one of them if it is this close: loggers are a little slow or fast.
NEAR = 0.1
# Periods that a value remains valid: with two, one lost reading leaves a hole at the slightest jitter.
PERIODS_VALID = 3
# A step this many times shorter than the period fills most rows with repeated values.
REPEATING = 2.0
# A step this many times longer than the period ignores nearly all readings.
IGNORING = 20.0
# Intervals this many times longer than the median are common where a sensor reports changes only.
IRREGULAR = 3.0


@dataclass(frozen=True)
class Rhythm:
    """The usual intervals between readings of a sensor, ms: median, 95th and 99th percentile."""

    period: int
    late: int
    usual_gap: int

    @property
    def irregular(self) -> bool:
        """Whether the sensor reports changes only, or with large pauses."""
        return self.late > IRREGULAR * self.period


def suggestion(rhythms: Mapping[str, Rhythm]) -> tuple[int, int]:
    """(step, max_gap), ms, that suit the sensors: the fastest gives the step, the slowest the gap."""
    step = near(min(rhythm.period for rhythm in rhythms.values()))
    gaps = (
        rhythm.usual_gap if rhythm.irregular else PERIODS_VALID * near(rhythm.period) for rhythm in rhythms.values()
    )
    return step, max(step, up(max(gaps)))


def near(period: int) -> int:
    """The round duration next to a period; the period itself, in whole units, if none is close."""
    best = min(_ROUND, key=lambda choice: abs(choice - period))
    if abs(best - period) <= NEAR * period:
        return best
    unit = 1_000 if period >= 10_000 else 100 if period >= 1_000 else 1
    return max(unit, round(period / unit) * unit)


def up(duration: int) -> int:
    """The shortest round duration that is at least as long."""
    if duration > _ROUND[-1]:
        return -(-duration // _ROUND[-1]) * _ROUND[-1]
    return next(choice for choice in _ROUND if choice >= duration)


def settings_findings(name: str, equipment: EquipmentClass, rhythms: Mapping[str, Rhythm]) -> Iterator[Finding]:
    """Whether a class's `step` and `max_gap` suit its sensors. `rhythms`: of the sensors that have readings."""
    if not rhythms:
        return
    step, max_gap = suggestion(rhythms)
    write = f"set `step: {show_duration(step)}, max_gap: {show_duration(max_gap)}` in class {name}"
    slow = {sensor: rhythm for sensor, rhythm in rhythms.items() if rhythm.period > equipment.max_gap}
    fastest = min(rhythm.period for rhythm in rhythms.values())
    if slow:
        period = _span([rhythm.period for rhythm in slow.values()])
        who = "readings" if len(slow) == len(rhythms) else f"readings of {listed(slow)}"
        text = (
            f"{name}: {who} come every {period}, max_gap is {lasting(equipment.max_gap)}: between them rows are empty"
        )
        yield Finding("max-gap-too-short", "serious", name, None, None, text, write)
    elif fastest >= REPEATING * equipment.step:
        text = (
            f"{name}: readings come every {lasting(fastest)}, step is {lasting(equipment.step)}: "
            f"most rows repeat the one before"
        )
        yield Finding("step-too-short", "doubtful", name, None, None, text, write)
    else:
        late = {sensor: rhythm for sensor, rhythm in rhythms.items() if rhythm.late > equipment.max_gap}
        if late:
            longest = max(rhythm.late for rhythm in late.values())
            text = (
                f"{name}: one in twenty intervals of {listed(late)} is longer than {lasting(longest)}, max_gap is "
                f"{lasting(equipment.max_gap)}"
            )
            yield Finding("max-gap-too-short", "doubtful", name, None, None, text, write)
    if fastest * IGNORING <= equipment.step:
        text = (
            f"{name}: readings come every {lasting(fastest)}, step is {lasting(equipment.step)}: only the last one "
            "before each row counts"
        )
        yield Finding("step-too-long", "note", name, None, None, text, f"a shorter `step` in class {name} uses more")


def _span(periods: list[int]) -> str:
    low, high = lasting(near(min(periods))), lasting(near(max(periods)))
    return low if low == high else f"{low} to {high}"
