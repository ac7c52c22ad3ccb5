"""Loads a site by name or path into a checked `Site`. Reports all problems of a file at once, with positions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.masking import leave
from eugenie_cli.site.base import resolved
from eugenie_cli.site.checks.consistency import Finding, check
from eugenie_cli.site.checks.tls import check_tls_files
from eugenie_cli.site.diagnostics import Path as Place
from eugenie_cli.site.diagnostics import Position, Problem, SiteError, did_you_mean
from eugenie_cli.site.error_messages import problems_of, unknown_key
from eugenie_cli.site.field_types import zone
from eugenie_cli.site.interfaces import HasWorkspace
from eugenie_cli.site.interpolation import anchor, expand
from eugenie_cli.site.introspection import LOADER_KEYS, secret_keys
from eugenie_cli.site.partial import parts_of
from eugenie_cli.site.schema import Site
from eugenie_cli.site.secrets import remember_written
from eugenie_cli.site.source_plugins import settings_of
from eugenie_cli.site.yaml_document import Document, parse
from eugenie_cli.site.yaml_limits import MAX_CHARACTERS
from eugenie_cli.workspace import Workspace

FOLDER = "site-configs"
_SUFFIXES = (".yaml", ".yml")

_WITHOUT_SECRETS = ("classes", "assets")
"""Sections that cannot contain secrets, and may have thousands of entries."""


def find_site(name_or_path: str | None) -> Path:
    """The site file with this path, or with this name in `./site-configs/`; None: the only file there.

    Raises EugenieError (exit code 2), listing the candidates, if no file or more than one file matches.
    """
    candidates = sorted(path for path in Path(FOLDER).glob("*") if path.suffix in _SUFFIXES)
    names = [path.stem for path in candidates]
    listing = f"sites in {FOLDER}/: {', '.join(names)}" if names else "`eugenie init` writes a first site file"
    if name_or_path is None:
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            raise EugenieError(
                "several sites to choose from",
                f"choose with --site or EUGENIE_SITE; {listing}",
                ExitCode.USAGE,
            )
        raise EugenieError(f"no site file in {FOLDER}/ of this folder", listing, ExitCode.USAGE)
    path = Path(name_or_path).expanduser()
    if path.suffix in _SUFFIXES or os.sep in name_or_path:
        if not path.is_file():
            raise EugenieError(f"site file {path} does not exist", listing, ExitCode.USAGE)
        return path
    for candidate in candidates:
        if candidate.stem == name_or_path:
            return candidate
    raise EugenieError(f"no site named {name_or_path}{did_you_mean(name_or_path, names)}", listing, ExitCode.USAGE)


def open_site(name_or_path: str | None) -> Site:
    """`load_site(find_site(name_or_path))`, for the value of a command's `--site`."""
    return load_site(find_site(name_or_path))


def load_site(path: str | Path, *, files: bool = False) -> Site:
    """Read and check a site file. `files`: also the certificates and keys that it names, which may be elsewhere.

    Raises SiteError (exit code 3) with every problem of the file, or EugenieError if it cannot be read.
    """
    return read_site(path, files=files)[0]


def read_site(path: str | Path, *, files: bool = False) -> tuple[Site, Document]:
    """`load_site`, with the document that has the position of each value."""
    path = Path(path)
    base = base_of(path)
    document = parse(_text(path))
    if not document.problems and not isinstance(document.value, dict):
        document.problems.append(
            Problem(Position(1, 1), (), "a site file is a section of keys: site, classes, assets ...")
        )
    if not isinstance(document.value, dict):
        raise SiteError(str(path), document.problems)
    problems = list(document.problems)
    data = _resolve(document, base, problems)
    for key in LOADER_KEYS & data.keys():
        data.pop(key)
        problems.append(Problem(document.position((key,), key=True), (key,), unknown_key((key,))))
    # If the time zone itself is invalid, UTC still allows instants to be compared.
    context = {"timezone": zone(data.get("timezone", "UTC")) or ZoneInfo("UTC")}
    site, wrong = None, []
    try:
        site = Site.model_validate(data, context=context)
        remember_written([value for key, value in site if key not in _WITHOUT_SECRETS])
    except ValidationError as error:
        known = {problem.path for problem in problems}
        wrong = [problem for problem in problems_of(error, document) if problem.path not in known]
        problems += wrong
    parts = parts_of(site, data, context)
    findings = list(check(parts))
    if files and parts.serving is not None:
        problems_of_files = check_tls_files(parts.serving, lambda name: resolved(base, name))
        findings += [Finding(*problem) for problem in problems_of_files]
    for finding in findings:
        if not _follows(finding, wrong):
            position = document.position(finding.path, key=finding.at_key)
            problems.append(Problem(position, finding.path, finding.message))
    if problems or site is None:
        raise SiteError(str(path), problems)
    leave(_names(site))
    return site.model_copy(update={"base": base, "file": path.resolve()}), document


def base_of(path: Path) -> Path:
    """The folder to which paths in a site file are relative: the parent of `site-configs/`, or else the file's own."""
    folder = path.resolve().parent
    return folder.parent if folder.name == FOLDER else folder


def workspace_of(site: HasWorkspace) -> Workspace:
    """The folder of the site's files: its `workspace`, by default `.eugenie/<site>`."""
    return Workspace(site.resolve(site.workspace or f".eugenie/{site.site}"))


def _names(site: Site) -> Iterator[str]:
    """Names of the site, its classes, sensors, assets and tags, which are never secrets."""
    yield site.site
    for name, equipment in site.classes.items():
        yield from (name, *equipment.sensor_names)
    for name, asset in site.assets.items():
        yield from (name, *asset.tags.values())


def _follows(finding: Finding, wrong: list[Problem]) -> bool:
    """True for a finding that was derived from a value that is itself invalid."""
    grounds = finding.needs if finding.at_key else (finding.path, *finding.needs)
    return any(problem.path[: len(ground)] == ground for problem in wrong for ground in grounds)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > 4 * MAX_CHARACTERS:  # a character has at most four bytes
            message = f"the file has {path.stat().st_size:,} bytes, more than any site needs"
            raise SiteError(str(path), [Problem(Position(1, 1), (), message)])
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise SiteError(str(path), [Problem(Position(line, 1), (), "the file is not UTF-8 text")]) from None
    except OSError as error:
        raise EugenieError(
            f"{path} cannot be read: {error.strerror}", "give a site file with --site", ExitCode.USAGE
        ) from None


def _resolve(document: Document, base: Path, problems: list[Problem]) -> dict[str, Any]:
    """The document's values with `${...}` replaced, except in secrets, which stay as written."""
    if document.is_literal:
        return dict(document.value)
    secrets = secret_keys(settings_of(document.value.get("sources")))

    def resolve(value: Any, path: Place) -> Any:
        if isinstance(value, dict):
            return {key: resolve(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [resolve(item, (*path, index)) for index, item in enumerate(value)]
        if not isinstance(value, str) or "${" not in value:
            return value
        try:
            if path[-1] in secrets:
                return anchor(value, base)
            document.written[path] = value
            return expand(value, base)
        except ValueError as error:
            problems.append(Problem(document.position(path), path, str(error)))
            return value

    return resolve(document.value, ())
