"""`eugenie init`: the first files of a new site, from the template that travels with eugenie."""

from __future__ import annotations

import re
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


def create_site(directory: Path, name: str | None = None) -> list[Path]:
    """Write a commented site file into `directory/site-configs/`; returns the files written.

    name: of the site; default: the folder's name, made fit to be one.
    Raises EugenieError (exit code 2) for a name that cannot be one, (5) when a file is there already: nothing
    is written then.
    """
    name = name or _name_of(directory)
    if not _NAME.fullmatch(name):
        raise EugenieError(f"{name!r} cannot be a site's name", "use letters, digits, '.', '_' and '-'", ExitCode.USAGE)
    template = shipped("templates") / TEMPLATE
    contents = {
        directory / FOLDER / f"{name}.yaml": (template / "site.yaml").read_text(encoding="utf-8"),
        directory / ".gitignore": (template / "gitignore").read_text(encoding="utf-8"),
    }
    site_file, gitignore = contents
    if site_file.exists():
        hint = "choose another name with --name, or another folder"
        raise EugenieError(f"{site_file} is there already: nothing was written", hint, ExitCode.REFUSED)
    if gitignore.exists():  # the project's own: it is not ours to change, and not in the way
        del contents[gitignore]
    for path, text in contents.items():
        _write(path, text.replace(_TEMPLATE_NAME, name))
    return list(contents)


def _name_of(directory: Path) -> str:
    fit = _NOT_IN_NAMES.sub("-", directory.resolve().name.lower()).strip("-._")
    return fit or _TEMPLATE_NAME


def _write(path: Path, text: str) -> None:
    try:
        create_atomically(path, text, mode=0o644)
    except OSError as error:
        raise EugenieError(f"{path} cannot be written: {error.strerror}", "choose another folder") from None
