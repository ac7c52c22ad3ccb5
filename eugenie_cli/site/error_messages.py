"""Turns pydantic's validation errors into messages about the site file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from eugenie_cli.site.diagnostics import Path, Problem, did_you_mean
from eugenie_cli.site.introspection import known_keys
from eugenie_cli.site.yaml_document import Document

UNKNOWN_KEY = "unknown key"
_KEY_MARKER = "[key]"
_NAME_RULE = "letters, digits, '.', '_' and '-', with a letter or digit first, 128 at most"
_WORDS = {
    "missing": "is required",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "dict_type": "must be a section of keys",
    "model_type": "must be a section of keys",
    "model_attributes_type": "must be a section of keys",
    "greater_than_equal": "must be {ge} or more",
    "greater_than": "must be greater than {gt}",
    "less_than_equal": "must be {le} or less",
    "less_than": "must be less than {lt}",
    "string_too_short": "must be no shorter than {min_length}",
    "string_too_long": "must be no longer than {max_length}",
    "too_short": "must hold at least {min_length}",
    "too_long": "must hold at most {max_length}",
    "union_tag_not_found": "needs a {discriminator}",
}


def problems_of(error: ValidationError, document: Document) -> Iterator[Problem]:
    """Every validation error as a Problem, at its position in the file. The invalid value is not repeated."""
    for finding in error.errors(include_url=False):
        yield _problem(finding, document)


def place_of(location: tuple[str | int, ...], document: Document) -> Path:
    """pydantic's location as a path of the file, without the names of union variants and markers."""
    path: Path = ()
    for index, part in enumerate(location):
        deeper = (*path, part)
        if document.has(deeper) or (index == len(location) - 1 and part != _KEY_MARKER):
            path = deeper
    return path


def _problem(finding: Mapping[str, Any], document: Document) -> Problem:
    kind, location = finding["type"], finding["loc"]
    path = place_of(location, document)
    is_key = bool(location) and location[-1] == _KEY_MARKER
    if kind == "extra_forbidden":
        return Problem(document.position(path, key=True), path, unknown_key(path, _variant(location, path)))
    if kind == "union_tag_invalid" and document.has((*path, "type")):
        path = (*path, "type")
    message = "is empty: give it a value or leave it out" if _empty(finding, document, path) else _message(finding)
    return Problem(document.position(path, key=is_key), path, message)


def unknown_key(path: Path, variant: str | None = None) -> str:
    """`unknown key`, followed by the key that was probably meant, or by all keys allowed there.

    `variant`: the section's type, where its keys depend on it.
    """
    known = known_keys(path[:-1], variant)
    if variant is not None and path[-1] in known_keys(path[:-1]):
        return f"{variant} has no such setting; it takes {', '.join(known)}"
    return UNKNOWN_KEY + (did_you_mean(str(path[-1]), known) or (f"; known here: {', '.join(known)}" if known else ""))


def _variant(location: tuple[str | int, ...], path: Path) -> str | None:
    """The section's type, which pydantic's location names between the section and its key."""
    between = location[-2] if len(location) > 1 and location[-2:-1] != path[-2:-1] else None
    return between if isinstance(between, str) and known_keys(path[:-1], between) else None


def _empty(finding: Mapping[str, Any], document: Document, path: Path) -> bool:
    return finding["type"] != "missing" and finding["input"] is None and document.has(path)


def _message(finding: Mapping[str, Any]) -> str:
    kind, context, given = finding["type"], finding.get("ctx", {}), finding["input"]
    if kind == "value_error":
        return str(context["error"])
    if kind in ("literal_error", "enum"):
        return f"must be {context['expected']}{_near(given, context['expected'])}"
    if kind == "union_tag_invalid":
        expected = context["expected_tags"]
        return f"must be {expected}{_near(context['tag'], expected)}"
    if kind == "string_pattern_mismatch":
        if context["pattern"].startswith("^[A-Za-z0-9]"):
            return f"is not a name: use {_NAME_RULE}"
        return "must not contain control characters"
    if kind in _WORDS:
        return _WORDS[kind].format(**context)
    text = str(finding["msg"])
    return text[:1].lower() + text[1:]


def _near(given: object, expected: str) -> str:
    options = [option.strip(" '") for option in expected.replace(" or ", ",").split(",")]
    return did_you_mean(given, options) if isinstance(given, str) else ""
