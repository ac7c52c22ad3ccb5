"""Whether a new version may take the champion's place, from what `eugenie evaluate -o json` says of both.

The one rule, for `eugenie models promote` and for pipelines, with the settings of the class's `promotion`.
`python -m eugenie_cli.evaluation.gate CHALLENGER.json CHAMPION.json` prints `promote` or `keep`, and why on stderr.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.site.promotion import PromotionGate

PROMOTE, KEEP = "promote", "keep"

FEW_ON_AN_ASSET = 3
"""Alarms of one asset that say nothing of it: twice one alarm is two."""

_MOST_ASSETS = 5
"""Assets that a sentence names."""

Report = Mapping[str, Any]


class Told(NamedTuple):
    """A comparison: did the new version hold, and a sentence that says so with both figures."""

    good: bool
    words: str


@dataclass(frozen=True)
class Verdict:
    """`promote`, and a sentence for each comparison that was made; `against`: those that speak against it."""

    promote: bool
    reasons: tuple[str, ...]
    against: tuple[str, ...] = ()


def judge(challenger: Report, champion: Report, gate: PromotionGate | None = None) -> Verdict:
    """Compare two evaluations of one class on the same history.

    With labels: faults found, their median delay, false alarms. Without: anomalies, and the share of rows above 1
    against the alarm budget. With and without: each asset's alarms, and the rows scored. The champion itself may
    stay. What neither evaluation knows cannot speak against the new version. `gate`: the settings; by default the
    ones that the evaluation carries, or the defaults.

    Raises EugenieError (USAGE) for evaluations of two classes, KeyError or TypeError for what is no evaluation.
    """
    if challenger["class"] != champion["class"]:
        raise EugenieError(
            f"an evaluation of {challenger['class']} and one of {champion['class']} cannot be compared",
            "evaluate two versions of one class",
            ExitCode.USAGE,
        )
    if challenger["version"] == champion["version"]:
        return Verdict(True, (f"version {champion['version']} is the champion already",))
    if not challenger["judged_rows"]:
        words = "the history has no row to judge the new version by"
        return Verdict(False, (words,), (words,))
    rule = gate or _carried(challenger)
    budget = rule.budget or challenger.get("budget") or 0.0
    told = [
        *_faults(challenger, champion, rule),
        *_delay(challenger, champion, rule),
        *_alarms(challenger, champion, rule, budget),
        *_assets(challenger, champion, rule, budget),
        *_scored(challenger, champion, rule),
    ]
    against = tuple(words for good, words in told if not good)
    return Verdict(not against, tuple(one.words for one in told), against)


def _carried(report: Report) -> PromotionGate:
    """The settings that the evaluation's site file had for the gate."""
    return PromotionGate.model_validate(report.get("promotion") or {})


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


def _alarms(challenger: Report, champion: Report, rule: PromotionGate, budget: float) -> Iterator[Told]:
    for key, what in (("false_alarms_per_asset_day", "false alarms"), ("anomalies_per_asset_day", "anomalies")):
        new, old = challenger.get(key), champion.get(key)
        if new is not None and old is not None:
            allowed = max(old * rule.alarm_factor, rule.false_alarms)
            yield Told(new <= allowed, f"{what} per asset and day: {new:.2f}, allowed are {allowed:.2f}")
            break
    new, old = challenger.get("flagged"), champion.get("flagged")
    if challenger.get("false_alarms_per_asset_day") is None and new is not None and old is not None:
        allowed = max(old * rule.alarm_factor, budget)
        yield Told(
            new <= allowed,
            f"share of rows above 1: {new:.2%}, allowed are {allowed:.2%}: budget {budget:.2%}, the champion {old:.2%}",
        )


def _assets(challenger: Report, champion: Report, rule: PromotionGate, budget: float) -> Iterator[Told]:
    before = {one["asset"]: one for one in champion.get("by_asset") or ()}
    worse = []
    for one in challenger.get("by_asset") or ():
        old = before.get(one["asset"])
        if old is None:
            continue
        labelled = one["false_alarms"] is not None and old["false_alarms"] is not None
        key, what = ("false_alarms", "false alarms") if labelled else ("alarms", "alarms")
        if one[key] > max(old[key] * rule.asset_factor, FEW_ON_AN_ASSET):
            worse.append(f"{one['asset']} {one[key]} {what}, the champion {old[key]}")
        elif not labelled and (one["flagged"] or 0.0) > max((old["flagged"] or 0.0) * rule.asset_factor, budget):
            worse.append(f"{one['asset']} {one['flagged']:.2%} of rows above 1, the champion {old['flagged'] or 0:.2%}")
    if worse:
        more = f" and {len(worse) - _MOST_ASSETS} more" if len(worse) > _MOST_ASSETS else ""
        worst = "; ".join(worse[:_MOST_ASSETS]) + more
        yield Told(False, f"assets with more than {rule.asset_factor:g} times the champion's alarms: {worst}")
    elif before:
        yield Told(True, f"no asset has more than {rule.asset_factor:g} times the champion's alarms")


def _scored(challenger: Report, champion: Report, rule: PromotionGate) -> Iterator[Told]:
    new, old = challenger.get("coverage"), champion.get("coverage")
    if new is not None and old is not None:
        words = f"share of rows scored: {new:.1%}, the champion {old:.1%}"
        yield Told(new >= old - rule.fewer_scored, words)


def main(arguments: Sequence[str]) -> int:
    """Print the decision. Exit code 2 for anything but two evaluations."""
    try:
        challenger, champion = (json.loads(Path(one).read_text(encoding="utf-8")) for one in arguments)
        verdict = judge(challenger, champion)
    except (ValueError, KeyError, TypeError, OSError, EugenieError) as error:
        sys.stderr.write(f"error: not two evaluations of one class: {error}\n")
        return ExitCode.USAGE
    sys.stderr.writelines(f"{words}\n" for words in verdict.reasons)
    sys.stdout.write(PROMOTE if verdict.promote else KEEP)
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
