"""`eugenie init`: creates the first files of a new site from the template distributed with eugenie."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.files import create_atomically
from eugenie_cli.site.load import FOLDER
from eugenie_cli.workspace import shipped

TEMPLATE = "new-site"
# The template is a valid site of this name; a new site's name takes its place.
_TEMPLATE_NAME = "my-plant"
_NOT_IN_NAMES = re.compile(r"[^a-z0-9._-]+")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


Adapt = Callable[[str, str, str], str]
"""(the site's name, the template, the name in the template) -> the site file."""


def create_site(directory: Path, name: str | None = None, adapt: Adapt | None = None) -> list[Path]:
    """Write a commented site file into `directory/site-configs/`; returns the files written.

    name: the site's name; default: derived from the folder's name. adapt: makes the site file of the template.
    Raises EugenieError as `check_absent`. Nothing is written then.
    """
    name, site_file = check_absent(directory, name)
    template = shipped("templates") / TEMPLATE
    text = (template / "site.yaml").read_text(encoding="utf-8")
    written = text.replace(_TEMPLATE_NAME, name) if adapt is None else adapt(name, text, _TEMPLATE_NAME)
    contents = {site_file: written}
    gitignore = directory / ".gitignore"
    if not gitignore.exists():  # otherwise the project's own file, which is not ours to change
        contents[gitignore] = (template / "gitignore").read_text(encoding="utf-8")
    for path, content in contents.items():
        _write(path, content)
    return list(contents)


def check_absent(directory: Path, name: str | None = None) -> tuple[str, Path]:
    """(the name of the new site, its file). Raises EugenieError (exit code 2) for an invalid name, or (5) if the file
    already exists.
    """
    name = name or _name_of(directory)
    if not _NAME.fullmatch(name):
        raise EugenieError(
            f"{name!r} is not a valid site name", "use letters, digits, '.', '_' and '-'", ExitCode.USAGE
        )
    site_file = directory / FOLDER / f"{name}.yaml"
    if site_file.exists():
        hint = "choose another name with --name, or another folder"
        raise EugenieError(f"{site_file} already exists: nothing was written", hint, ExitCode.REFUSED)
    return name, site_file


def _name_of(directory: Path) -> str:
    name = _NOT_IN_NAMES.sub("-", directory.resolve().name.lower()).strip("-._")
    return name or _TEMPLATE_NAME


def _write(path: Path, text: str) -> None:
    try:
        create_atomically(path, text, mode=0o644)
    except OSError as error:
        raise EugenieError(f"{path} cannot be written: {error.strerror}", "choose another folder") from None
