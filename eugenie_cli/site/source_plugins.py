"""The types of sources that installed packages bring, found by their entry points and loaded when they are needed.

A plug-in that cannot be used is an error of the sites that use its type, and of no other.
"""

from __future__ import annotations

import contextlib
import functools
import pkgutil
from importlib.metadata import EntryPoint, entry_points
from typing import Any, get_args

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.site.source_types import SourceSettings, SourceType

GROUP = "eugenie.sources"


def source_type_names() -> tuple[str, ...]:
    """The types that installed packages name, sorted; whether they can be loaded is not known yet."""
    return tuple(sorted(_points()))


@functools.cache
def source_type(name: str) -> SourceType:
    """The type of that name. Raises EugenieError that names the package where it cannot be used."""
    points = _points()[name]
    if len(points) > 1:
        packages = " and ".join(sorted(_package(point) for point in points))
        raise EugenieError(
            f"source type {name} is brought by {packages}", "uninstall all but one of them", ExitCode.INVALID_SITE
        )
    try:
        found = points[0].load()
    except Exception as error:
        raise broken(name, f"cannot be loaded: {type(error).__name__}: {error}") from error
    if problem := _problem(name, found):
        raise broken(name, f"cannot be used: {points[0].value} {problem}")
    return found  # type: ignore[no-any-return]


def settings_of(sources: Any) -> list[type[SourceSettings]]:
    """The settings of the types that the sources of a file name, as far as they can be used."""
    named = [source.get("type") for source in sources if isinstance(source, dict)] if isinstance(sources, list) else []
    found = []
    for name in dict.fromkeys(name for name in named if isinstance(name, str) and name in _points()):
        with contextlib.suppress(EugenieError):  # told where the source is validated
            found.append(source_type(name).settings)
    return found


def usable_source_types() -> tuple[list[SourceType], list[EugenieError]]:
    """All types that can be loaded and described to an editor, by name, and an error for each of the others."""
    types, errors = [], []
    for name in source_type_names():
        try:
            types.append(_with_json_schema(source_type(name)))
        except EugenieError as error:
            errors.append(error)
    return types, errors


def _with_json_schema(usable: SourceType) -> SourceType:
    try:
        usable.settings.model_json_schema()
    except Exception as error:  # a package that is not ours may raise anything
        raise broken(usable.name, f"has settings without a JSON schema: {type(error).__name__}: {error}") from error
    return usable


def importer_factory(name: str) -> Any:
    """What a type's `importer` names. Imports its libraries. Raises EugenieError that names the package."""
    try:
        return pkgutil.resolve_name(source_type(name).importer)
    except EugenieError:
        raise
    except Exception as error:
        raise broken(name, f"has an importer that cannot be loaded: {type(error).__name__}: {error}") from error


def broken(name: str, what: str) -> EugenieError:
    """The error of a type that cannot be used: `what` follows the type and its package."""
    point = _points()[name][0]
    distribution = point.dist.name if point.dist is not None else "the package"
    return EugenieError(
        f"source type {name} of {_package(point)} {what}",
        f"install a version of {distribution} that fits this eugenie, with what it needs, or uninstall it",
        ExitCode.INVALID_SITE,
    )


@functools.cache
def _points() -> dict[str, tuple[EntryPoint, ...]]:
    """Entry points by name. Reads the metadata of every installed package, about 15 ms, once in a process."""
    found: dict[str, tuple[EntryPoint, ...]] = {}
    for point in entry_points(group=GROUP):
        found[point.name] = (*found.get(point.name, ()), point)
    return found


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else point.value


def _problem(name: str, found: object) -> str | None:
    """Why an object is not the source type `name`; None where it is."""
    if not isinstance(found, SourceType):
        return "is no SourceType"
    if found.name != name:
        return f"is named {found.name}, its entry point {name}"
    if not (isinstance(found.settings, type) and issubclass(found.settings, SourceSettings)):
        return "has settings that are no subclass of SourceSettings"
    if get_args(found.settings.model_fields["type"].annotation) != (name,):
        return f"has settings whose `type` is not Literal[{name!r}]"
    return None
