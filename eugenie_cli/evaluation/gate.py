"""Whether a new version may take the champion's place, from what `eugenie evaluate -o json` says of both.

`python -m eugenie_cli.evaluation.gate CHALLENGER.json CHAMPION.json` prints `promote` or `keep`, and why on stderr.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eugenie_cli.errors import EugenieError, ExitCode

PROMOTE, KEEP = "promote", "keep"

MORE_ALARMS = 1.25
"""Times the champion's rate: two trainings on the same rows differ by a tenth to a fifth."""

FEW_ALARMS = 0.5
"""Anomalies per asset and day that nobody minds, whatever the champion had: a quarter more of nearly none is none."""

LESS_COVERAGE = 0.05
"""Share of the rows that the new version may leave without a score, beyond the champion's."""


@dataclass(frozen=True)
class Verdict:
    """`promote`, and a sentence for each comparison that was made."""

    promote: bool
    reasons: tuple[str, ...]


def judge(challenger: Mapping[str, Any], champion: Mapping[str, Any]) -> Verdict:
    """Compare two evaluations of one class on the same history.

    With labels: no fault less is found. With or without: not clearly more false alarms (without labels: anomalies),
    and not fewer rows scored. The champion itself may stay. What neither evaluation knows cannot speak against it.
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
        return Verdict(False, ("the history has no row to judge the new version by",))
    found = [
        _faults(challenger, champion),
        _alarms(challenger, champion),
        _at_least("share of rows scored", challenger["coverage"], champion["coverage"], LESS_COVERAGE),
    ]
    told = [one for one in found if one is not None]
    return Verdict(all(good for good, _ in told), tuple(words for _, words in told))


def _faults(challenger: Mapping[str, Any], champion: Mapping[str, Any]) -> tuple[bool, str] | None:
    new, old = challenger.get("events"), champion.get("events")
    if not new or not old or not old["total"]:
        return None
    words = f"faults found: {new['detected']} of {new['total']}, the champion {old['detected']} of {old['total']}"
    return new["detected"] >= old["detected"], words


def _alarms(challenger: Mapping[str, Any], champion: Mapping[str, Any]) -> tuple[bool, str] | None:
    for key, what in (
        ("false_alarms_per_asset_day", "false alarms"),
        ("anomalies_per_asset_day", "anomalies"),
    ):
        new, old = challenger.get(key), champion.get(key)
        if new is not None and old is not None:
            allowed = max(old * MORE_ALARMS, FEW_ALARMS)
            return new <= allowed, f"{what} per asset and day: {new:.2f}, allowed are {allowed:.2f}"
    return None


def _at_least(what: str, new: float | None, old: float | None, less: float) -> tuple[bool, str] | None:
    if new is None or old is None:
        return None
    return new >= old - less, f"{what}: {new:.1%}, the champion {old:.1%}"


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
