"""The effective site: every value in force, and where it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import SecretStr

from eugenie_cli.site.diagnostics import Path, dotted
from eugenie_cli.site.field_types import show_duration
from eugenie_cli.site.schema import Site
from eugenie_cli.site.secrets import show_secret, without_password
from eugenie_cli.site.yaml_document import Document

DEFAULT = "default"
# Where a plain value replaces a section, as in `kafka: embedded`, the value of the section that it sets.
_SHORTHANDS: dict[Path, Path] = {("kafka", "bootstrap"): ("kafka",)}


@dataclass(frozen=True)
class Setting:
    """One value of a site, in a form that JSON can hold, and its origin: `default`, or `file:line:column`."""

    path: str
    value: Any
    origin: str


def in_force(site: Site) -> dict[str, Any]:
    """The site as plain values: with defaults, secrets redacted, and durations as in site files."""
    shown = _redact(site.model_dump(mode="json", by_alias=True), site.model_dump(by_alias=True))
    assert isinstance(shown, dict)  # noqa: S101 - for the type checker: a model is dumped as a dict
    shown["workspace"] = site.workspace or f".eugenie/{site.site}"
    shown["tracking"]["experiment"] = site.experiment
    shown["kafka"]["topics"] = site.topics.model_dump()
    for name, equipment in site.classes.items():
        shown["classes"][name]["alarm"]["silence"] = show_duration(equipment.silence_ms)
    return shown


def in_force_text(site: Site) -> str:
    """`in_force` as YAML, to be stored with the results of a command."""
    head = "# The site in force, as `eugenie config show` prints it: defaults filled in, secrets redacted.\n"
    return head + yaml.safe_dump(in_force(site), sort_keys=False, allow_unicode=True, width=120)


def settings(site: Site, document: Document) -> list[Setting]:
    """Every value of the site, in the order of the schema. `document`: the file from which the site was read."""
    return [
        Setting(dotted(path), value, _origin(path, site.file.name, document))
        for path, value in _leaves(in_force(site), ())
    ]


def _redact(shown: Any, given: Any) -> Any:
    if isinstance(given, SecretStr):
        return show_secret(given)
    if isinstance(given, dict):
        return {key: _redact(shown[key], item) for key, item in given.items()}
    if isinstance(given, (list, tuple)):
        return [_redact(item, other) for item, other in zip(shown, given, strict=True)]
    return without_password(shown) if isinstance(shown, str) else shown


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Values other than sections; a list of plain values counts as one value."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index))
    else:
        yield path, value


def _origin(path: Path, file: str, document: Document) -> str:
    short = _SHORTHANDS.get(path)
    at = path if document.has(path) or short is None or short in document.containers else short
    if not document.has(at):
        return DEFAULT
    position = document.position(at)
    written = f" {without_password(document.written[at])}" if at in document.written else ""
    return f"{file}:{position.line}:{position.column}{written}"
