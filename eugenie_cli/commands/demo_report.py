"""The demo's final report: faults and detections, the ledger of readings, and where to look next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from eugenie_cli.console import Console

if TYPE_CHECKING:
    from eugenie_cli.demo.judge import Verdict
    from eugenie_cli.demo.run import Result


def report(result: Result, kept: bool, console: Console) -> None:
    """Prints the demo's tables to stdout and its closing messages to stderr."""
    detected = sum(verdict.detected is not None for verdict in result.verdicts)
    right = sum(verdict.right for verdict in result.verdicts)
    console.table(
        ["fault", "asset", "injected", "detected", "delay", "sensors named", ""],
        [_row(verdict) for verdict in result.verdicts],
        title="Faults",
        right=["delay"],
        caption=f"{detected} of {len(result.verdicts)} found, {right} with a right sensor among the first three",
    )
    if result.false_alarms:
        console.table(
            ["asset", "at", "score", "sensors named"],
            [
                [alarm["asset"], alarm["detected"][11:19], f"{alarm['score']:.1f}", _named(alarm)]
                for alarm in result.false_alarms
            ],
            title=f"False alarms: {len(result.false_alarms)}",
        )
    else:
        console.line("False alarms: none")
    ledger = result.ledger
    console.table(
        ["sent", "in rows", "bad quality", "dead letters", ""],
        [
            [
                f"{ledger.sent:,}",
                f"{ledger.in_rows:,}",
                f"{ledger.bad_quality:,}",
                f"{ledger.dead_letters:,}",
                "every reading accounted for" if ledger.balanced else "THE BOOKS DO NOT BALANCE",
            ]
        ],
        title="Readings",
        right=["sent", "in rows", "bad quality", "dead letters"],
        caption="dead letters: " + ", ".join(f"{count:,} {reason}" for reason, count in ledger.reasons),
    )
    for name, address in result.pages.items():
        console.say(f"{name}: {address}" + ("" if kept else " (now stopped; --keep leaves it running)"))
    if kept:
        console.say(f"all engines keep running; stop them with: eugenie down --site {result.site_file}")
    console.say(f"workspace: {result.folder}; the demo took {result.seconds:.0f} s")


def _row(verdict: Verdict) -> list[str]:
    if verdict.detected is None or verdict.delay_s is None:
        return [verdict.kind, verdict.asset, verdict.injected[11:19], "missed", "", "", "missed"]
    return [
        verdict.kind,
        verdict.asset,
        verdict.injected[11:19],
        verdict.detected[11:19],
        f"{verdict.delay_s / 60:.1f} min",
        ", ".join(verdict.sensors),
        "right" if verdict.right else "wrong",
    ]


def _named(alarm: Mapping[str, Any]) -> str:
    return ", ".join(sensor["sensor"] for sensor in alarm["sensors"][:3])
