"""The conditions of the promotion gate: comparisons of two evaluations, and limits that each evaluation must keep.

Quiet rows lie outside labelled faults and exclusions (`judged_rows.quiet_rows`). A figure that is missing from both
evaluations yields no condition, so it cannot count against the new version.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from eugenie_cli.site.promotion import PromotionGate

FEW_ON_AN_ASSET = 3
"""Alarms of one asset that are too few to compare: twice one alarm is only two."""
INSENSITIVE = 0.1
"""A detector whose highest score stays below this does not even respond to normal operation: a threshold is only a
small multiple of the .999 quantile of normal rows, so the highest of a thousand normal scores comes near 1."""
ENOUGH_SCORES = 1_000
"""Scored rows from which a low highest score means that the version is insensitive."""
WINDOWS = 2
"""Windows of quiet rows that the gate needs, unless the site file sets a duration."""

_MOST_ASSETS = 5
"""Assets that a sentence lists by name."""
_DAY_S = 86_400
_FEWER_ON_ONE = 0.1
"""Allowed drop in an asset's share of scored rows: one asset's share varies more than the class's."""

Report = Mapping[str, Any]


class Condition(NamedTuple):
    """Whether the new version meets a condition, and a sentence that states it with the figures."""

    met: bool
    sentence: str


def compared(challenger: Report, champion: Report, rule: PromotionGate, budget: float) -> Iterator[Condition]:
    """Conditions that compare the new version with the champion."""
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


def alone(report: Report, rule: PromotionGate) -> Iterator[Condition]:
    """Conditions that a version must meet regardless of the champion."""
    quiet = report.get("quiet") or {}
    if report.get("coverage") == 0:
        yield Condition(False, "no judged row has a score")
    for key, name in (("alarm_time_fraction", "quiet time in alarm"), ("flagged", "quiet rows above 1")):
        value = quiet.get(key)
        if value is not None and value > rule.most_alarm_time:
            yield Condition(False, f"{name}: {value:.1%}, at most {rule.most_alarm_time:.0%} is allowed")
    highest = report.get("highest_score")
    scored = (report.get("coverage") or 0.0) * report["judged_rows"]
    if highest is not None and highest < INSENSITIVE and scored >= ENOUGH_SCORES:
        yield Condition(
            False,
            f"the highest of {scored:,.0f} scores is {highest:.2g}: it is insensitive; even normal rows should "
            "score closer to 1",
        )
    yield from _enough(report, rule)
    if (report.get("events") or {}).get("total") == 0:
        yield Condition(True, "the judged rows contain no labelled fault, so fault detection is not judged")


def new_rows(*reports: Report) -> Iterator[Condition]:
    """Conditions on whether the judged rows are new to the versions."""
    left_out = max(report.get("left_out_rows") or 0 for report in reports)
    judged = reports[0]["judged_rows"]
    if left_out and judged:
        yield Condition(True, f"{judged:,} rows are judged; {left_out:,} rows used to train a version are left out")
    for report in reports:
        learnt_rows = report.get("learnt") or {}
        if learnt_rows.get("rows"):
            part = "all" if learnt_rows["rows"] == judged else f"{learnt_rows['rows']:,} of the"
            yield Condition(
                False,
                f"version {report['version']} was trained on {part} {judged:,} judged rows, which therefore say "
                "nothing about its quality: judge on rows that are new to both versions (promotion.last or start in "
                "the site file, or `eugenie evaluate --candidate VERSION` with --from and --to); if there are none, "
                "import newer history first",
            )
        elif learnt_rows.get("unknown"):
            yield Condition(
                True,
                f"the rows used to train version {report['version']} are unknown ({learnt_rows['unknown']}): if "
                "they include the judged rows, its figures mean little",
            )


def _same_rows(challenger: Report, champion: Report) -> Iterator[Condition]:
    new, old = ((report["judged_rows"], report.get("period")) for report in (challenger, champion))
    if new != old:
        yield Condition(
            False,
            f"the versions were not judged on the same rows: {new[0]:,} rows of the new version, {old[0]:,} of the "
            "champion, or different periods; `eugenie evaluate --model-version champion --candidate VERSION` judges "
            "both on the same rows",
        )


def _enough(report: Report, rule: PromotionGate) -> Iterator[Condition]:
    rows, step_s = (report.get("quiet") or {}).get("rows"), report.get("step_s")
    if rows is None or step_s is None:
        return
    least_s = rule.least / 1000 if rule.least is not None else WINDOWS * report["window"] * step_s
    if rows * step_s < least_s:
        yield Condition(
            False,
            f"{rows:,} quiet rows ({rows * step_s:,.0f} s) remain to judge by, at least {least_s:,.0f} s are needed: "
            "choose a longer period (promotion.last or start in the site file), or import newer history",
        )


def _faults(challenger: Report, champion: Report, rule: PromotionGate) -> Iterator[Condition]:
    new, old = challenger.get("events"), champion.get("events")
    if not new or not old or not old["total"]:
        return
    sentence = f"faults found: {new['detected']} of {new['total']}, the champion {old['detected']} of {old['total']}"
    allowed = f" ({rule.fewer_found} fewer allowed)" if rule.fewer_found else ""
    yield Condition(new["detected"] >= old["detected"] - rule.fewer_found, sentence + allowed)


def _delay(challenger: Report, champion: Report, rule: PromotionGate) -> Iterator[Condition]:
    """Compare delays only of faults that both found: finding a fault late that the champion missed is not worse."""
    new, old = _delays(challenger), _delays(champion)
    both = new.keys() & old.keys()
    if not both:
        return
    new_median, old_median = (statistics.median(delays[key] for key in both) for delays in (new, old))
    allowed = f" ({rule.later / 1000:,.0f} s later allowed)" if rule.later else ""
    yield Condition(
        new_median <= old_median + rule.later / 1000,
        f"median delay of the faults that both found: {new_median:,.1f} s, the champion {old_median:,.1f} s{allowed}",
    )


def _delays(report: Report) -> dict[tuple[Any, ...], float]:
    """Delay in seconds of each fault that was found; the median under an empty key if none are listed."""
    if report.get("event_list"):
        return {
            (event["asset"], event["start"], event["end"]): event["delay_s"]
            for event in report["event_list"]
            if event["delay_s"] is not None
        }
    median = ((report.get("events") or {}).get("delay_s") or {}).get("median")
    return {} if median is None else {(): median}


def _alarms(challenger: Report, champion: Report, rule: PromotionGate) -> Iterator[Condition]:
    for key, name in (("false_alarms_per_asset_day", "false alarms"), ("anomalies_per_asset_day", "anomalies")):
        new, old = challenger.get(key), champion.get(key)
        if new is not None and old is not None:
            allowed = max(old * rule.alarm_factor, rule.false_alarms)
            yield Condition(new <= allowed, f"{name} per asset and day: {new:.2f}, at most {allowed:.2f} allowed")
            break


def _repeated(challenger: Report, champion: Report, rule: PromotionGate) -> Iterator[Condition]:
    """Alarms raised during faults: an alarm that keeps coming and going is noise, even though none of it is false."""
    new, old = _inside(challenger), _inside(champion)
    if new is None or old is None:
        return
    allowed = max(old * rule.alarm_factor, challenger["events"]["total"] + FEW_ON_AN_ASSET)
    if new or old:
        yield Condition(
            new <= allowed, f"alarms raised during faults: {new}, the champion {old}, at most {allowed:.0f} allowed"
        )


def _inside(report: Report) -> int | None:
    assets = report.get("by_asset") or ()
    if not assets or any(asset.get("false_alarms") is None for asset in assets):
        return None
    return sum(asset["alarms"] - asset["false_alarms"] for asset in assets)


def _flagged(challenger: Report, champion: Report, rule: PromotionGate, budget: float) -> Iterator[Condition]:
    labelled = challenger.get("false_alarms_per_asset_day") is not None
    shares = [(report.get("quiet") or {}).get("flagged") for report in (challenger, champion)]
    if None in shares:
        shares = [None if labelled else report.get("flagged") for report in (challenger, champion)]
    new, old = shares
    if new is None or old is None:
        return
    # with labels, false alarms are also counted, and each one spans more rows than the budget may allow
    allowed = min(max(old * rule.alarm_factor, budget, rule.alarm_time if labelled else 0.0), 1.0)
    name = "share of quiet rows above 1" if labelled else "share of rows above 1"
    yield Condition(
        new <= allowed,
        f"{name}: {new:.2%}, at most {allowed:.2%} allowed: budget {budget:.2%}, the champion {old:.2%}",
    )


def _alarm_time(challenger: Report, champion: Report, rule: PromotionGate) -> Iterator[Condition]:
    new, old = ((report.get("quiet") or {}).get("alarm_time_fraction") for report in (challenger, champion))
    if new is None or old is None:
        return
    time_of_allowed_alarms = rule.false_alarms * _alarm_rows(challenger) * (challenger.get("step_s") or 0.0) / _DAY_S
    allowed = min(max(old * rule.alarm_factor, rule.alarm_time, time_of_allowed_alarms), max(rule.most_alarm_time, old))
    yield Condition(
        new <= allowed, f"quiet time in alarm: {new:.2%}, at most {allowed:.2%} allowed, the champion {old:.2%}"
    )


def _alarm_rows(report: Report) -> int:
    """Rows that one alarm lasts: the window that a detector looks back over, then the alarm's off-delay."""
    return int((report.get("window") or 0) + (report.get("off_delay") or 0))


def _silent(challenger: Report, champion: Report, budget: float) -> Iterator[Condition]:
    """Without labels, a good quiet version looks like one that was trained on the fault or that detects nothing."""
    if challenger.get("false_alarms_per_asset_day") is not None or challenger.get("flagged") != 0:
        return
    old = champion.get("flagged") or 0.0
    alarms = sum(asset["alarms"] for asset in champion.get("by_asset") or ())
    if old > budget or alarms > FEW_ON_AN_ASSET:
        yield Condition(
            False,
            f"it scores no row above 1, where the champion has {old:.2%} and {alarms:,} alarms: without labels, "
            "it is unknown whether it is right or insensitive; set promotion.labels to a file of the period's known "
            "faults, which may list none",
        )


def _assets(challenger: Report, champion: Report, rule: PromotionGate, budget: float) -> Iterator[Condition]:
    before = {asset["asset"]: asset for asset in champion.get("by_asset") or ()}
    worse = []
    for new in challenger.get("by_asset") or ():
        old = before.get(new["asset"])
        if old is not None:
            difference = _worse(new, old, rule, budget, _alarm_rows(challenger))
            worse += [f"{new['asset']} {difference}"] if difference else []
    if worse:
        yield Condition(
            False, f"assets with more than {rule.asset_factor:g} times the champion's alarms: {_first(worse)}"
        )
    elif before:
        yield Condition(True, f"no asset has more than {rule.asset_factor:g} times the champion's alarms")


def _worse(new: Report, old: Report, rule: PromotionGate, budget: float, alarm_rows: int) -> str:
    """How the new version is worse on an asset; empty if it is not worse."""
    labelled = new["false_alarms"] is not None and old["false_alarms"] is not None
    key, name = ("false_alarms", "false alarms") if labelled else ("alarms", "alarms")
    if new[key] > max(old[key] * rule.asset_factor, FEW_ON_AN_ASSET):
        return f"{new[key]} {name}, the champion {old[key]}"
    if not labelled and (new["flagged"] or 0.0) > max((old["flagged"] or 0.0) * rule.asset_factor, budget):
        return f"{new['flagged']:.2%} of rows above 1, the champion {old['flagged'] or 0:.2%}"
    new_quiet, old_quiet = new.get("quiet") or {}, old.get("quiet") or {}
    new_time, old_time = new_quiet.get("alarm_time_fraction"), old_quiet.get("alarm_time_fraction")
    if new_time is not None and old_time is not None:
        time_of_few_alarms = FEW_ON_AN_ASSET * alarm_rows / new_quiet["rows"]
        allowed = max(old_time * rule.asset_factor, rule.alarm_time, time_of_few_alarms)
        if new_time > min(allowed, max(rule.most_alarm_time, old_time)):
            return f"{new_time:.1%} of the quiet time in alarm, the champion {old_time:.1%}"
    return ""


def _first(assets: Sequence[str]) -> str:
    more = f" and {len(assets) - _MOST_ASSETS} more" if len(assets) > _MOST_ASSETS else ""
    return "; ".join(assets[:_MOST_ASSETS]) + more


def _scored(challenger: Report, champion: Report, rule: PromotionGate) -> Iterator[Condition]:
    new, old = challenger.get("coverage"), champion.get("coverage")
    if new is not None and old is not None:
        sentence = f"share of rows scored: {new:.1%}, the champion {old:.1%}"
        yield Condition(new >= old - rule.fewer_scored, sentence)


def _scored_assets(challenger: Report, champion: Report, rule: PromotionGate) -> Iterator[Condition]:
    """Compare asset by asset: the fleet's share hides an asset that is no longer watched."""
    after = {asset["asset"]: asset.get("scored") for asset in challenger.get("by_asset") or ()}
    allowed_drop = max(rule.fewer_scored, _FEWER_ON_ONE)
    fewer = [
        f"{asset['asset']} {after.get(asset['asset']) or 0.0:.1%}, the champion {asset['scored']:.1%}"
        for asset in champion.get("by_asset") or ()
        if asset.get("scored") and (after.get(asset["asset"]) or 0.0) < asset["scored"] - allowed_drop
    ]
    if fewer:
        yield Condition(False, f"assets with fewer scored rows: {_first(fewer)}")
