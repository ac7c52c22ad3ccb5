"""Decides from the output of `eugenie evaluate -o json` whether a new version may replace the champion.

`eugenie models promote` and pipelines share this rule; its settings are the class's `promotion` in the site file.
`python -m eugenie_cli.evaluation.promotion_gate EVALUATION.json` prints `promote` or `keep`, and the reasons on stderr,
for an evaluation with a candidate. Two files are an evaluation of the new version and one of the champion.
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
from eugenie_cli.evaluation.gate_conditions import Condition, Report
from eugenie_cli.site.promotion import PromotionGate

PROMOTE, KEEP = "promote", "keep"


@dataclass(frozen=True)
class Verdict:
    """The decision, with a sentence for each condition; `against` lists those that are not met."""

    promote: bool
    reasons: tuple[str, ...]
    against: tuple[str, ...] = ()


def judge(challenger: Report, champion: Report, gate: PromotionGate | None = None) -> Verdict:
    """Compare two evaluations of one class on the same history.

    With labels, the gate compares faults found, their median delay and false alarms; without labels, anomalies, and the
    share of rows above 1 against the alarm budget. In both cases it compares quiet rows above 1, quiet time in alarm,
    each asset's alarms and time in alarm, and the rows scored, and requires rows that are new to both versions. The
    champion itself always passes. A figure that is missing from both evaluations cannot count against the new version.
    `gate`: the settings; by default those that the evaluation carries, or the defaults.

    Raises EugenieError (USAGE) for evaluations of two classes, KeyError or TypeError for a document that is not an
    evaluation.
    """
    if challenger["class"] != champion["class"]:
        raise EugenieError(
            f"an evaluation of {challenger['class']} and one of {champion['class']} cannot be compared",
            "evaluate two versions of one class",
            ExitCode.USAGE,
        )
    if challenger["version"] == champion["version"]:
        return Verdict(True, (f"version {champion['version']} is already the champion",))
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
    """Judge a version of a class without a champion, only by the limits that hold for every version."""
    if not report["judged_rows"]:
        return _nothing(report)
    rule = gate or _carried(report)
    first = Condition(True, "the class has no champion to compare it with")
    return _verdict(
        [first, *gate_conditions.new_rows(report), *gate_conditions.alone(report, rule), *_warned(report, rule)]
    )


def _nothing(report: Report) -> Verdict:
    reason = "the history has no rows to judge the new version by"
    if report.get("left_out_rows"):
        reason = (
            f"the versions were trained on every row of the period ({report['left_out_rows']:,}), so no row is left to "
            "judge the new version by: import newer history, or choose another period (promotion.last or start in the "
            "site file)"
        )
    return Verdict(False, (reason,), (reason,))


def _warned(report: Report, rule: PromotionGate) -> Iterable[Condition]:
    """Warn if a first version exceeds the budget: that is allowed, but operators should not be the first to notice."""
    budget = rule.budget or report.get("budget") or 0.0
    flagged = (report.get("quiet") or {}).get("flagged")
    if flagged is not None and flagged > budget:
        yield Condition(True, f"warning: {flagged:.2%} of quiet rows score above 1, the budget is {budget:.2%}")


def _verdict(conditions: Sequence[Condition]) -> Verdict:
    against = tuple(condition.sentence for condition in conditions if not condition.met)
    return Verdict(not against, tuple(condition.sentence for condition in conditions), against)


def _carried(report: Report) -> PromotionGate:
    """The gate settings of the site file that the evaluation was made with."""
    return PromotionGate.model_validate(report.get("promotion") or {})


def candidate_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The document with the candidate's figures in place of the version's, like an evaluation of the candidate."""
    return {**document, **document["candidate"]}


def main(arguments: Sequence[str]) -> int:
    """Print the decision. Exits with 2 unless given one evaluation with a candidate, or two evaluations."""
    try:
        *others, champion = (json.loads(Path(path).read_text(encoding="utf-8")) for path in arguments)
        (challenger,) = others or (candidate_of(champion),)
        verdict = judge(challenger, champion)
    except (ValueError, KeyError, TypeError, OSError, EugenieError) as error:
        sys.stderr.write(f"error: neither an evaluation with a candidate nor two evaluations of one class: {error}\n")
        return ExitCode.USAGE
    sys.stderr.writelines(f"{reason}\n" for reason in verdict.reasons)
    sys.stdout.write(PROMOTE if verdict.promote else KEEP)
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
