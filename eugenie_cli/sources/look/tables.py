"""What a look at files found, as rows of a table, sentences and plain data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from eugenie_cli.printable import printable
from eugenie_cli.site.field_types import show_duration
from eugenie_cli.sources.leftovers import counted
from eugenie_cli.sources.look.looking import Look
from eugenie_cli.sources.look.proposal import Proposal
from eugenie_cli.sources.tables import instant

COLUMNS = ("source", "what", "found", "shown by")
SHOWN_FILES = 6
SHOWN = 80
SHOWN_TAGS = 12


def finding_rows(look: Look) -> Iterator[tuple[str, ...]]:
    """Rows: source, what, found, shown by."""
    for proposal in look.proposals:
        files = [printable(file.path.name, 40) for file in proposal.files]
        more = f" and {len(files) - SHOWN_FILES} more" if len(files) > SHOWN_FILES else ""
        yield proposal.name, "files", ", ".join(files[:SHOWN_FILES]) + more, proposal.entry["type"]
        for finding in proposal.notes.findings:
            yield proposal.name, finding.what, printable(finding.found, SHOWN), printable(finding.evidence, SHOWN)


def sentences(look: Look) -> Iterator[str]:
    """What the proposals read, then files that none reads, then what is to be checked."""
    for proposal in look.proposals:
        yield from (f"{proposal.name}: {sentence}" for sentence in results(proposal))
    for name, (step, gap) in look.steps.items():
        yield f"{name}: set `step: {show_duration(step)}, max_gap: {show_duration(gap)}`, as its readings come"
    for refusal in look.refused:
        yield f"no source reads {printable(refusal.why, 300)} (next: {printable(refusal.next, 200)})"
    if look.more:
        yield f"{counted(look.more, 'more file')} of those given were not looked at"
    checks = [(p.name, check) for p in look.proposals for check in p.notes.checks]
    if checks:
        yield f"to check ({len(checks)}), marked `# check:` in the proposal:"
        yield from (f"  {name}, {check.key}: {printable(check.words, 400)}" for name, check in dict.fromkeys(checks))


def results(proposal: Proposal) -> Iterator[str]:
    """What importing the samples as proposed gave."""
    trial = proposal.trial
    rejected = ", ".join(f"{count:,} {reason}" for reason, count in sorted(trial.rejected.items())) or "none"
    yield (
        f"tried in memory: {counted(trial.rows, 'row')}, {counted(trial.readings, 'reading')}"
        f" ({trial.bad:,} of bad quality), rejected: {rejected}"
    )
    tags = sorted({member.tag for members in proposal.plant.assets.values() for member in members})
    more = f" and {len(tags) - SHOWN_TAGS} more" if len(tags) > SHOWN_TAGS else ""
    yield f"  sensors and tags: {printable(', '.join(tags[:SHOWN_TAGS]), 400)}{more}"
    for asset, sensor, ts, value in trial.first:
        shown = "bad quality" if value is None else f"{value:g}"
        yield f"  {asset}, {printable(sensor, 60)}, {_to_the_ms(ts)}, {shown}"
    if trial.start_ms is not None and trial.end_ms is not None:
        yield f"  from {instant(trial.start_ms)} to {instant(trial.end_ms)}"
    if trial.repeated:
        many = counted(trial.repeated, "reading")
        yield f"  {many} have the sensor and instant of another: export fractions of seconds"
    yield from (f"  rejected, for example: {printable(example, 300)}" for example in trial.examples[:4])
    yield from (f"  failed: {printable(error, 300)}" for error in list(trial.errors.values())[:4])
    if trial.unread:
        yield f"  columns that are not read: {printable(', '.join(list(trial.unread)[:8]), 300)}"
    if trial.partly:
        yield "  only the beginning of large files was read"


def _to_the_ms(ts: int) -> str:
    seconds = instant(ts)
    return f"{seconds[:-1]}.{ts % 1_000:03d}Z" if ts % 1_000 else seconds


def plain(look: Look) -> dict[str, Any]:
    """The same as data."""
    return {
        "sources": [
            {
                "name": proposal.name,
                "files": [str(file.path) for file in proposal.files],
                "entry": proposal.entry,
                "findings": proposal.notes.findings,
                "checks": proposal.notes.checks,
                "result": {
                    "right": proposal.is_right,
                    "rows": proposal.trial.rows,
                    "readings": proposal.trial.readings,
                    "bad_quality": proposal.trial.bad,
                    "rejected": dict(proposal.trial.rejected),
                    "examples": proposal.trial.examples,
                    "first": [
                        {"asset": asset, "sensor": sensor, "ts": _to_the_ms(ts), "value": value}
                        for asset, sensor, ts, value in proposal.trial.first
                    ],
                    "start_ms": proposal.trial.start_ms,
                    "end_ms": proposal.trial.end_ms,
                    "errors": proposal.trial.errors,
                },
            }
            for proposal in look.proposals
        ],
        "refused": look.refused,
        "timezone": look.timezone,
        "classes": {
            name: {
                "sensors": [{"name": member.name, "unit": member.unit} for member in members],
                "assets": assets,
                **(
                    {"step": show_duration(look.steps[name][0]), "max_gap": show_duration(look.steps[name][1])}
                    if name in look.steps
                    else {}
                ),
            }
            for name, (members, assets) in look.plant.classes().items()
        },
    }
