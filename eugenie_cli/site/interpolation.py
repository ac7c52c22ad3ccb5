"""Expands `${env:NAME}`, `${env:NAME:-default}` and `${file:path}` in a site file's texts; `$${` yields `${`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

_REFERENCE = re.compile(r"\$(\$)?\{([^}]*)\}?")
_ENV = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
_FILE = re.compile(r"file:(.+)", re.DOTALL)
_FORMS = "${env:NAME}, ${env:NAME:-default} or ${file:path}"


def expand(text: str, base: Path, environment: Mapping[str, str] | None = None) -> str:
    """`text` with its references replaced. Paths are relative to `base`; trailing line breaks are removed.

    A variable that is unset or empty takes its default.
    Raises ValueError naming the missing variable or file.
    """
    variables = os.environ if environment is None else environment

    def replace(match: re.Match[str]) -> str:
        if match[1]:
            return match[0][1:]
        kind, argument, default = _parse(match)
        if kind == "file":
            return _read(base / Path(argument).expanduser())
        value = variables.get(argument)
        if not value and default is not None:
            return default
        if value is None:
            raise ValueError(f"the environment variable {argument} is not set")
        return value

    return _REFERENCE.sub(replace, text)


def anchor(text: str, base: Path) -> str:
    """`text` with absolute paths in its `${file:...}` references, which are not read yet.

    Raises ValueError for a malformed reference.
    """

    def replace(match: re.Match[str]) -> str:
        if match[1]:
            return match[0]
        kind, argument, _ = _parse(match)
        return "${file:" + str(base / Path(argument).expanduser()) + "}" if kind == "file" else match[0]

    return _REFERENCE.sub(replace, text)


def is_reference(text: str) -> bool:
    """True if the whole text is one reference without a default: it contains no secret and may be shown."""
    match = _REFERENCE.fullmatch(text)
    return match is not None and not match[1] and ":-" not in match[2]


def _parse(match: re.Match[str]) -> tuple[str, str, str | None]:
    inside = match[2]
    if not match[0].endswith("}"):
        raise ValueError(f"a reference is not closed: write {_FORMS}")
    if env := _ENV.fullmatch(inside):
        return "env", env[1], env[2]
    if file := _FILE.fullmatch(inside):
        return "file", file[1], None
    raise ValueError("unknown kind of reference: write " + _FORMS + ", or $${ for a literal ${")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text") from None
