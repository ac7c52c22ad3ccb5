"""Whether a new version may take the champion's place, from what `eugenie evaluate -o json` says of both.

The one rule, for `eugenie models promote` and for pipelines, with the settings of the class's `promotion`.
`python -m eugenie_cli.evaluation.promotion_gate EVALUATION.json` prints `promote` or `keep`, and why on stderr: of an
evaluation with a candidate. Two files are an evaluation of the new version and one of the champion.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.evaluation import gate_conditions
from eugenie_cli.evaluation.gate_conditions import Report, Told
from eugenie_cli.site.promotion import PromotionGate

PROMOTE, KEEP = "promote", "keep"


@dataclass(frozen=True)
class Verdict:
    """`promote`, and a sentence for each comparison that was made; `against`: those that speak against it."""

    promote: bool
    reasons: tuple[str, ...]
    against: tuple[str, ...] = ()


def judge(challenger: Report, champion: Report, gate: PromotionGate | None = None) -> Verdict:
    """Compare two evaluations of one class on the same history.

    With labels: faults found, their median delay, false alarms. Without: anomalies, and the share of rows above 1
    against the alarm budget. With and without: rows that are new to both, quiet rows above 1 and quiet time in alarm,
    each asset's alarms and time in alarm, and the rows scored. The champion itself may stay. What neither evaluation
    knows cannot speak against the new version. `gate`: the settings; by default the ones that the evaluation carries,
    or the defaults.

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
        return _nothing(challenger)
    rule = gate or _carried(challenger)
    budget = rule.budget or challenger.get("budget") or 0.0
    return _verdict([
        *gate_conditions.new_rows(challenger, champion),
        *gate_conditions.compared(challenger, champion, rule, budget),
        *gate_conditions.alone(challenger, rule),
    ])  # fmt: skip


def judge_alone(report: Report, gate: PromotionGate | None = None) -> Verdict:
    """Judge a version of a class that has no champion: only by what must hold of every one."""
    if not report["judged_rows"]:
        return _nothing(report)
    rule = gate or _carried(report)
    first = Told(True, "the class has no champion to compare it with")
    return _verdict(
        [first, *gate_conditions.new_rows(report), *gate_conditions.alone(report, rule), *_warned(report, rule)]
    )


def _nothing(report: Report) -> Verdict:
    words = "the history has no row to judge the new version by"
    if report.get("left_out_rows"):
        words = (
            f"a version learnt from every row of the period ({report['left_out_rows']:,}), so none is left to judge "
            "the new version by: import newer history, or choose another period (promotion.last or start in the site "
            "file)"
        )
    return Verdict(False, (words,), (words,))


def _warned(report: Report, rule: PromotionGate) -> Iterable[Told]:
    """Beyond the budget a first version may be; nobody should learn it from the control room."""
    budget = rule.budget or report.get("budget") or 0.0
    flagged = (report.get("quiet") or {}).get("flagged")
    if flagged is not None and flagged > budget:
        yield Told(True, f"warning: {flagged:.2%} of quiet rows score above 1, the budget is {budget:.2%}")


def _verdict(told: Sequence[Told]) -> Verdict:
    against = tuple(words for good, words in told if not good)
    return Verdict(not against, tuple(one.words for one in told), against)


def _carried(report: Report) -> PromotionGate:
    """The settings that the evaluation's site file had for the gate."""
    return PromotionGate.model_validate(report.get("promotion") or {})


def candidate_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The candidate's figures in the place of the version's, as an evaluation of its own would say them."""
    return {**document, **document["candidate"]}


def main(arguments: Sequence[str]) -> int:
    """Print the decision. Exit code 2 for anything but an evaluation with a candidate, or two evaluations."""
    try:
        *others, champion = (json.loads(Path(one).read_text(encoding="utf-8")) for one in arguments)
        (challenger,) = others or (candidate_of(champion),)
        verdict = judge(challenger, champion)
    except (ValueError, KeyError, TypeError, OSError, EugenieError) as error:
        sys.stderr.write(f"error: not an evaluation with a candidate, nor two of one class: {error}\n")
        return ExitCode.USAGE
    sys.stderr.writelines(f"{words}\n" for words in verdict.reasons)
    sys.stdout.write(PROMOTE if verdict.promote else KEEP)
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
