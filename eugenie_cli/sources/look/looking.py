"""Looks at files: groups those of a kind, proposes a source for each group, and tries the proposals in memory."""

from __future__ import annotations

import glob
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from eugenie_cli.errors import EugenieError
from eugenie_cli.printable import printable
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.readings.number_units import FIRST_PLAUSIBLE
from eugenie_cli.site.load import FOLDER, load_site
from eugenie_cli.sources.confused_units import UNITS, doubt
from eugenie_cli.sources.leftovers import counted
from eugenie_cli.sources.look.csv_files import FileLook, csv_look
from eugenie_cli.sources.look.first_bytes import Refusal, files_in, type_of
from eugenie_cli.sources.look.plant import Plant
from eugenie_cli.sources.look.proposal import Proposal, by_encoding, kind_of, paths_of, propose, source_name
from eugenie_cli.sources.look.sample import sample_of
from eugenie_cli.sources.look.site_text import SiteText
from eugenie_cli.sources.look.time_choice import CLOCK_MS
from eugenie_cli.sources.look.verify import step_and_gap, try_source
from eugenie_cli.sources.tables import instant

MOST_FILES = 200
"""Files that are looked at: a pattern may match tens of thousands of one kind."""

MOST_REPEATED = 0.01
"""Share of readings that may have the sensor and instant of another: exports overlap."""


@dataclass
class Look:
    """The proposals for sample exports. `refused`: files that no source reads; `timezone`: of local times; `steps`:
    class -> (step, max_gap) in ms; `more`: how many files were not looked at.
    """

    proposals: list[Proposal]
    refused: list[Refusal]
    plant: Plant
    timezone: str = "UTC"
    steps: dict[str, tuple[int, int]] = field(default_factory=dict)
    more: int = 0

    @property
    def is_right(self) -> bool:
        """Whether every file has a source that reads it."""
        return bool(self.proposals) and not self.refused and all(proposal.is_right for proposal in self.proposals)

    @property
    def text(self) -> SiteText:
        """The parts of a site file."""
        return SiteText(
            [(p.entry, p.notes.checks, _files(p)) for p in self.proposals], self.plant, self.timezone, self.steps
        )


def look(
    given: Sequence[str], base: Path, timezone: str = "UTC", taken: Sequence[str] = (), progress: Progress = SILENT
) -> Look:
    """Look at files and patterns. `base`: the folder that holds site-configs/; `timezone`: of the site; `taken`: names
    of sources that exist. Nothing is written but to a temporary folder. Raises EugenieError if there are no files.
    """
    paths = _paths(given)
    chosen, refused = paths[:MOST_FILES], list[Refusal]()
    kinds: dict[str, list[FileLook]] = {}
    with progress.task("look at files", len(chosen), "files") as advance:
        for path in chosen:
            for file in files_in(path):
                _refusing(refused, [file], partial(_sort, file, kinds))
            advance(1)
    names, proposals = set(taken), list[Proposal]()
    for files in (group for kind in kinds.values() for group in by_encoding(kind)):
        others = [look.path for kind in kinds.values() for look in kind if look not in files]
        for pattern, members in paths_of(files, [*others, *(Path(r.file) for r in refused)], base):
            name = source_name(members, pattern, names)
            work = partial(_propose, proposals, name, members, pattern, base)
            _refusing(refused, [look.path for look in members], work)
    plant = Plant()
    for proposal in proposals:
        plant.add(proposal.plant)
    found = Look(proposals, refused, plant, timezone, more=len(paths) - len(chosen))
    if proposals:
        _try(found)
    return found


def _sort(file: Path, kinds: dict[str, list[FileLook]]) -> None:
    seen = look_at(file)
    kinds.setdefault(kind_of(seen), []).append(seen)


def _propose(proposals: list[Proposal], name: str, files: list[FileLook], pattern: str, base: Path) -> None:
    proposals.append(propose(name, files, pattern, base))


def look_at(path: Path) -> FileLook:
    """The columns of one file. Raises EugenieError, with what to do, if it has none that could be readings."""
    type = type_of(path)
    if type == "csv":
        return csv_look(path, sample_of(path))
    if type == "excel":
        from eugenie_cli.sources.look.workbooks import excel_look

        return excel_look(path)
    if type == "parquet":
        from eugenie_cli.sources.look.column_files import parquet_look

        return parquet_look(path)
    from eugenie_cli.sources.look.documents import json_look

    return json_look(path)


def _refusing(refused: list[Refusal], files: Sequence[Path], work: Callable[[], None]) -> None:
    """Do the work; note the files if they cannot be read."""
    try:
        work()
    except EugenieError as error:
        refused += [Refusal(str(file), error.reason, error.hint or "") for file in files]


def _paths(given: Sequence[str]) -> list[Path]:
    """The files that are named, or that patterns match."""
    found: dict[Path, None] = {}
    for text in given:
        path = Path(text).expanduser()
        if path.is_dir():
            raise EugenieError(f"{printable(text)} is a folder", f"name its files: {printable(text.rstrip('/'))}/*.csv")
        if path.exists() or not any(sign in text for sign in "*?["):
            found[path] = None
            continue
        matches = sorted(Path(match) for match in glob.glob(str(path), recursive=True))  # noqa: PTH207 - as a shell does
        if not matches:
            raise EugenieError(f"no file matches {printable(text)}", "correct the pattern")
        found |= dict.fromkeys(match for match in matches if not match.is_dir())
    return list(found)


def _try(found: Look) -> None:
    """Import the samples as proposed, in memory, by a site file in a temporary folder, which is checked thereby."""
    with tempfile.TemporaryDirectory(prefix="eugenie-look-") as folder:
        scratch = Path(folder)
        file = scratch / FOLDER / "look.yaml"
        file.parent.mkdir()
        file.write_text(found.text.whole("look"), encoding="utf-8")
        site = load_site(file)
        for proposal in found.proposals:
            proposal.trial = try_source(site, proposal.name, proposal.files, scratch)
            _check_trial(proposal)
    trials = [proposal.trial for proposal in found.proposals]
    for name, (_, assets) in found.plant.classes().items():
        if (pair := step_and_gap(trials, assets)) is not None:
            found.steps[name] = pair


def _check_trial(proposal: Proposal) -> None:
    """Mark instants that were probably read wrongly, and samples that may lack tags."""
    trial, notes = proposal.trial, proposal.notes
    if trial.end_ms is not None and trial.end_ms > time.time() * 1_000 + CLOCK_MS:
        notes.check("ts", f"some readings are dated {instant(trial.end_ms)}, ahead of this machine's clock")
    if trial.start_ms is not None and trial.start_ms < FIRST_PLAUSIBLE:
        notes.check("ts", f"some readings are dated {instant(trial.start_ms)}, before 1990")
    if (unit := _doubt(proposal)) is not None:
        notes.check("ts", unit)
    for zones in trial.zones[:1]:
        notes.check("timezone", zones)
    if mixed := [column for column, kind in trial.unread.items() if kind == "units"]:
        notes.check(
            "value",
            f"{printable(mixed[0], 60)!r} has several units of one tag: its values are mixed",
            "export them in one unit, or a source for each with `units`",
        )
    if trial.repeated > MOST_REPEATED * trial.readings:
        notes.check(
            "ts",
            f"{counted(trial.repeated, 'reading')} of {trial.readings:,} have the sensor and instant of another: one"
            " is kept of each",
            "export fractions of seconds, or name the column that tells them apart: `asset`, `sensor` or `tag`",
        )
    if trial.partly or any(look.sample is not None and look.sample.said for look in proposal.files):
        notes.check(
            "path", "only parts of the files were looked at; `eugenie import` reports tags that are elsewhere in them"
        )


def _doubt(proposal: Proposal) -> str | None:
    """Why the unit of instants may be another one."""
    trial, unit = proposal.trial, proposal.entry["readings"].get("ts", {}).get("unit", "iso")
    if unit not in UNITS or trial.start_ms is None or trial.end_ms is None:
        return None
    written = max(int(look.path.stat().st_mtime * 1_000) for look in proposal.files)
    found = doubt(trial.start_ms, trial.end_ms, unit, written, int(time.time() * 1_000))
    return None if found is None else found.sentence


def _files(proposal: Proposal) -> list[str]:
    return [look.path.name for look in proposal.files]
