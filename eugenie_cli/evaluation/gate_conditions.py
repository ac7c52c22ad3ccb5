"""The conditions of the promotion gate: comparisons of two evaluations, and limits that hold for one alone.

Quiet is what lies outside labelled faults and exclusions (`judged_rows.quiet_rows`). What neither evaluation knows
yields nothing: it cannot speak against the new version.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from eugenie_cli.site.promotion import PromotionGate

FEW_ON_AN_ASSET = 3
"""Alarms of one asset that say nothing of it: twice one alarm is two."""
DEAF = 0.1
"""A detector whose highest score stays below this does not hear its own normal operation: a threshold is at most
some times the .999 quantile of normal rows, so that among a thousand of them the highest comes near it."""
ENOUGH_TO_HEAR = 1_000
"""Scored rows after which that counts."""
WINDOWS = 2
"""Of quiet rows that must be left to judge by, unless the site file says how long."""

_MOST_ASSETS = 5
"""Assets that a sentence names."""
_DAY_S = 86_400
_FEWER_ON_ONE = 0.1
"""A share of a single asset's rows varies more than that of a class."""

Report = Mapping[str, Any]


class Told(NamedTuple):
    """A condition: does the new version hold it, and a sentence that says so with the figures."""

    good: bool
    words: str


def compared(challenger: Report, champion: Report, rule: PromotionGate, budget: float) -> Iterator[Told]:
    """The new version against the champion."""
    yield from _same_rows(challenger, champion)
    yield from _faults(challenger, champion, rule)
    yield from _delay(challenger, champion, rule)
    yield from _alarms(challenger, champion, rule)
    yield from _repeated(challenger, champion, rule)
    yield from _flagged(challenger, champion, rule, budget)
    yield from _alarm_time(challenger, champion, rule)
    yield from _silent(challenger, champion, budget)
    yield from _assets(challenger, champion, rule, budget)
    yield from _scored(challenger, champion, rule)
    yield from _scored_assets(challenger, champion, rule)


def alone(report: Report, rule: PromotionGate) -> Iterator[Told]:
    """What must hold for a version whatever the champion is."""
    quiet = report.get("quiet") or {}
    if report.get("coverage") == 0:
        yield Told(False, "no judged row has a score")
    for key, what in (("alarm_time_fraction", "quiet time in alarm"), ("flagged", "quiet rows above 1")):
        value = quiet.get(key)
        if value is not None and value > rule.most_alarm_time:
            yield Told(False, f"{what}: {value:.1%}, never allowed are more than {rule.most_alarm_time:.0%}")
    highest = report.get("highest_score")
    scored = (report.get("coverage") or 0.0) * report["judged_rows"]
    if highest is not None and highest < DEAF and scored >= ENOUGH_TO_HEAR:
        yield Told(
            False,
            f"the highest of {scored:,.0f} scores is {highest:.2g}: it is deaf, normal rows alone come nearer to 1",
        )
    yield from _enough(report, rule)
    if (report.get("events") or {}).get("total") == 0:
        yield Told(True, "no labelled fault lies in the judged rows: whether it would find one is not judged")


def new_rows(*reports: Report) -> Iterator[Told]:
    """Whether the judged rows are new to the versions."""
    left_out = max(one.get("left_out_rows") or 0 for one in reports)
    judged = reports[0]["judged_rows"]
    if left_out and judged:
        yield Told(True, f"judged are {judged:,} rows; {left_out:,} that a version learnt from are left out")
    for one in reports:
        learnt = one.get("learnt") or {}
        if learnt.get("rows"):
            part = "all" if learnt["rows"] == judged else f"{learnt['rows']:,} of the"
            yield Told(
                False,
                f"{part} {judged:,} judged rows are rows that version {one['version']} learnt from, so they say "
                "nothing of it: judge on rows that are new to both versions (promotion.last or start in the site "
                "file, or `eugenie evaluate --candidate VERSION` with --from and --to), after an import of newer "
                "history if there are none",
            )
        elif learnt.get("unknown"):
            yield Told(
                True,
                f"which rows version {one['version']} learnt from is not known ({learnt['unknown']}): should they be "
                "the judged ones, its figures say little",
            )


def _same_rows(challenger: Report, champion: Report) -> Iterator[Told]:
    new, old = ((one["judged_rows"], one.get("period")) for one in (challenger, champion))
    if new != old:
        yield Told(
            False,
            f"not the same rows were judged: {new[0]:,} of the new version, {old[0]:,} of the champion, or of other "
            "periods; `eugenie evaluate --model-version champion --candidate VERSION` judges both on the same rows",
        )


def _enough(report: Report, rule: PromotionGate) -> Iterator[Told]:
    rows, step_s = (report.get("quiet") or {}).get("rows"), report.get("step_s")
    if rows is None or step_s is None:
        return
    least_s = rule.least / 1000 if rule.least is not None else WINDOWS * report["window"] * step_s
    if rows * step_s < least_s:
        yield Told(
            False,
            f"{rows:,} quiet rows ({rows * step_s:,.0f} s) are left to judge by, at least {least_s:,.0f} s are needed: "
            "choose a longer period (promotion.last or start in the site file), or import newer history",
        )


def _faults(challenger: Report, champion: Report, rule: PromotionGate) -> Iterator[Told]:
    new, old = challenger.get("events"), champion.get("events")
    if not new or not old or not old["total"]:
        return
    words = f"faults found: {new['detected']} of {new['total']}, the champion {old['detected']} of {old['total']}"
    allowed = f" ({rule.fewer_found} fewer are allowed)" if rule.fewer_found else ""
    yield Told(new["detected"] >= old["detected"] - rule.fewer_found, words + allowed)


def _delay(challenger: Report, champion: Report, rule: PromotionGate) -> Iterator[Told]:
    """Of the faults that both found: one that only the new version finds, late, must not count against it."""
    new, old = _delays(challenger), _delays(champion)
    both = new.keys() & old.keys()
    if not both:
        return
    own, others = (statistics.median(delays[key] for key in both) for delays in (new, old))
    allowed = f" ({rule.later / 1000:,.0f} s later are allowed)" if rule.later else ""
    yield Told(
        own <= others + rule.later / 1000,
        f"median delay of the faults that both found: {own:,.1f} s, the champion {others:,.1f} s{allowed}",
    )


def _delays(report: Report) -> dict[tuple[Any, ...], float]:
    """Of each fault that was found; of all of them as one where the evaluation lists none."""
    if report.get("event_list"):
        return {
            (one["asset"], one["start"], one["end"]): one["delay_s"]
            for one in report["event_list"]
            if one["delay_s"] is not None
        }
    median = ((report.get("events") or {}).get("delay_s") or {}).get("median")
    return {} if median is None else {(): median}


def _alarms(challenger: Report, champion: Report, rule: PromotionGate) -> Iterator[Told]:
    for key, what in (("false_alarms_per_asset_day", "false alarms"), ("anomalies_per_asset_day", "anomalies")):
        new, old = challenger.get(key), champion.get(key)
        if new is not None and old is not None:
            allowed = max(old * rule.alarm_factor, rule.false_alarms)
            yield Told(new <= allowed, f"{what} per asset and day: {new:.2f}, allowed are {allowed:.2f}")
            break


def _repeated(challenger: Report, champion: Report, rule: PromotionGate) -> Iterator[Told]:
    """Alarms raised during faults: one that comes and goes is noise, too, though none of them is false."""
    new, old = _inside(challenger), _inside(champion)
    if new is None or old is None:
        return
    allowed = max(old * rule.alarm_factor, challenger["events"]["total"] + FEW_ON_AN_ASSET)
    if new or old:
        yield Told(new <= allowed, f"alarms raised during faults: {new}, the champion {old}, allowed are {allowed:.0f}")


def _inside(report: Report) -> int | None:
    assets = report.get("by_asset") or ()
    if not assets or any(one.get("false_alarms") is None for one in assets):
        return None
    return sum(one["alarms"] - one["false_alarms"] for one in assets)


def _flagged(challenger: Report, champion: Report, rule: PromotionGate, budget: float) -> Iterator[Told]:
    labelled = challenger.get("false_alarms_per_asset_day") is not None
    pair = [(one.get("quiet") or {}).get("flagged") for one in (challenger, champion)]
    if None in pair:
        pair = [None if labelled else one.get("flagged") for one in (challenger, champion)]
    new, old = pair
    if new is None or old is None:
        return
    # with labels the false alarms are counted, too, and each of them is more rows than the budget may grant
    allowed = max(old * rule.alarm_factor, budget, rule.alarm_time if labelled else 0.0)
    what = "share of quiet rows above 1" if labelled else "share of rows above 1"
    yield Told(
        new <= allowed,
        f"{what}: {new:.2%}, allowed are {allowed:.2%}: budget {budget:.2%}, the champion {old:.2%}",
    )


def _alarm_time(challenger: Report, champion: Report, rule: PromotionGate) -> Iterator[Told]:
    new, old = ((one.get("quiet") or {}).get("alarm_time_fraction") for one in (challenger, champion))
    if new is None or old is None:
        return
    of_allowed_alarms = rule.false_alarms * _alarm_rows(challenger) * (challenger.get("step_s") or 0.0) / _DAY_S
    allowed = min(max(old * rule.alarm_factor, rule.alarm_time, of_allowed_alarms), max(rule.most_alarm_time, old))
    yield Told(new <= allowed, f"quiet time in alarm: {new:.2%}, allowed are {allowed:.2%}, the champion {old:.2%}")


def _alarm_rows(report: Report) -> int:
    """What one alarm lasts: a detector looks back over its window, then the alarm's off-delay begins."""
    return int((report.get("window") or 0) + (report.get("off_delay") or 0))


def _silent(challenger: Report, champion: Report, budget: float) -> Iterator[Told]:
    """Without labels nobody can tell a quiet version from one that learnt the fault, or hears nothing at all."""
    if challenger.get("false_alarms_per_asset_day") is not None or challenger.get("flagged") != 0:
        return
    old = champion.get("flagged") or 0.0
    alarms = sum(one["alarms"] for one in champion.get("by_asset") or ())
    if old > budget or alarms > FEW_ON_AN_ASSET:
        yield Told(
            False,
            f"it scores no row above 1, where the champion has {old:.2%} and {alarms:,} alarms: without labels nobody "
            "can tell whether it is right or deaf; name the known faults of the period, or a file without any, with "
            "promotion.labels",
        )


def _assets(challenger: Report, champion: Report, rule: PromotionGate, budget: float) -> Iterator[Told]:
    before = {one["asset"]: one for one in champion.get("by_asset") or ()}
    worse = []
    for one in challenger.get("by_asset") or ():
        old = before.get(one["asset"])
        if old is not None:
            words = _worse(one, old, rule, budget, _alarm_rows(challenger))
            worse += [f"{one['asset']} {words}"] if words else []
    if worse:
        yield Told(False, f"assets with more than {rule.asset_factor:g} times the champion's alarms: {_first(worse)}")
    elif before:
        yield Told(True, f"no asset has more than {rule.asset_factor:g} times the champion's alarms")


def _worse(one: Report, old: Report, rule: PromotionGate, budget: float, alarm_rows: int) -> str:
    """In which way an asset is; empty when it is not."""
    labelled = one["false_alarms"] is not None and old["false_alarms"] is not None
    key, what = ("false_alarms", "false alarms") if labelled else ("alarms", "alarms")
    if one[key] > max(old[key] * rule.asset_factor, FEW_ON_AN_ASSET):
        return f"{one[key]} {what}, the champion {old[key]}"
    if not labelled and (one["flagged"] or 0.0) > max((old["flagged"] or 0.0) * rule.asset_factor, budget):
        return f"{one['flagged']:.2%} of rows above 1, the champion {old['flagged'] or 0:.2%}"
    new, was = one.get("quiet") or {}, old.get("quiet") or {}
    if new.get("alarm_time_fraction") is not None and was.get("alarm_time_fraction") is not None:
        some_alarms = FEW_ON_AN_ASSET * alarm_rows / new["rows"]
        allowed = max(was["alarm_time_fraction"] * rule.asset_factor, rule.alarm_time, some_alarms)
        if new["alarm_time_fraction"] > min(allowed, max(rule.most_alarm_time, was["alarm_time_fraction"])):
            return (
                f"{new['alarm_time_fraction']:.1%} of the quiet time in alarm, the champion "
                f"{was['alarm_time_fraction']:.1%}"
            )
    return ""


def _first(told: Sequence[str]) -> str:
    more = f" and {len(told) - _MOST_ASSETS} more" if len(told) > _MOST_ASSETS else ""
    return "; ".join(told[:_MOST_ASSETS]) + more


def _scored(challenger: Report, champion: Report, rule: PromotionGate) -> Iterator[Told]:
    new, old = challenger.get("coverage"), champion.get("coverage")
    if new is not None and old is not None:
        words = f"share of rows scored: {new:.1%}, the champion {old:.1%}"
        yield Told(new >= old - rule.fewer_scored, words)


def _scored_assets(challenger: Report, champion: Report, rule: PromotionGate) -> Iterator[Told]:
    """A fleet's share hides an asset that is not watched any more."""
    after = {one["asset"]: one.get("scored") for one in challenger.get("by_asset") or ()}
    less = max(rule.fewer_scored, _FEWER_ON_ONE)
    fewer = [
        f"{one['asset']} {after.get(one['asset']) or 0.0:.1%}, the champion {one['scored']:.1%}"
        for one in champion.get("by_asset") or ()
        if one.get("scored") and (after.get(one["asset"]) or 0.0) < one["scored"] - less
    ]
    if fewer:
        yield Told(False, f"assets of which fewer rows are scored: {_first(fewer)}")
