"""Source types of installed packages, found by their entry points and loaded on first use.

A broken plug-in is an error only for sites that use its type.
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
    """The types declared by installed packages, sorted; they may turn out not to be loadable."""
    return tuple(sorted(_points()))


@functools.cache
def source_type(name: str) -> SourceType:
    """The type with that name. Raises EugenieError, naming the package, if it cannot be used."""
    points = _points()[name]
    if len(points) > 1:
        packages = " and ".join(sorted(_package(point) for point in points))
        raise EugenieError(
            f"source type {name} is provided by {packages}", "uninstall all but one of them", ExitCode.INVALID_SITE
        )
    try:
        loaded = points[0].load()
    except (Exception, SystemExit) as error:
        raise broken(name, f"cannot be loaded: {type(error).__name__}: {error}") from error
    if problem := _problem(name, loaded):
        raise broken(name, f"cannot be used: {points[0].value} {problem}")
    return loaded  # type: ignore[no-any-return]


def settings_of(sources: Any) -> list[type[SourceSettings]]:
    """The settings classes of the source types that occur in a file, without unusable ones."""
    named = [source.get("type") for source in sources if isinstance(source, dict)] if isinstance(sources, list) else []
    settings = []
    for name in dict.fromkeys(name for name in named if isinstance(name, str) and name in _points()):
        with contextlib.suppress(EugenieError):  # reported when the source is validated
            settings.append(source_type(name).settings)
    return settings


def usable_source_types() -> tuple[list[SourceType], list[EugenieError]]:
    """All types, by name, that can be loaded and described by a JSON schema, and an error for each of the others."""
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
    except (Exception, SystemExit) as error:  # a package that is not ours may raise anything
        raise broken(usable.name, f"has settings without a JSON schema: {type(error).__name__}: {error}") from error
    return usable


def importer_factory(name: str) -> Any:
    """What a type's `importer` names. Imports its libraries. Raises EugenieError that names the package."""
    try:
        return pkgutil.resolve_name(source_type(name).importer)
    except EugenieError:
        raise
    except (Exception, SystemExit) as error:
        raise _unloadable(name, "an importer", error) from error


def live_factory(name: str) -> Any:
    """What a type's `live` names; None if the type has no live side. Raises EugenieError as `importer_factory` does."""
    place = source_type(name).live
    try:
        return None if place is None else pkgutil.resolve_name(place)
    except (Exception, SystemExit) as error:
        raise _unloadable(name, "a live side", error) from error


def _unloadable(name: str, what: str, error: BaseException) -> EugenieError:
    extra = source_type(name).extra
    if extra is not None and isinstance(error, ImportError):
        return EugenieError(f"source type {name} needs the extra `{extra}`: {error}", f"pip install 'eugenie[{extra}]'")
    return broken(name, f"has {what} that cannot be loaded: {type(error).__name__}: {error}")


def broken(name: str, what: str) -> EugenieError:
    """The error for an unusable type; `what` follows the names of the type and its package."""
    point = _points()[name][0]
    distribution = point.dist.name if point.dist is not None else "the package"
    return EugenieError(
        f"source type {name} of {_package(point)} {what}",
        f"install a version of {distribution} for this version of eugenie, with its dependencies, or uninstall it",
        ExitCode.INVALID_SITE,
    )


@functools.cache
def _points() -> dict[str, tuple[EntryPoint, ...]]:
    """Entry points by name. Reads the metadata of every installed package once per process, in about 15 ms."""
    points: dict[str, tuple[EntryPoint, ...]] = {}
    for point in entry_points(group=GROUP):
        points[point.name] = (*points.get(point.name, ()), point)
    return points


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else point.value


def _problem(name: str, loaded: object) -> str | None:
    """Why an object is not the source type `name`; None if it is."""
    if not isinstance(loaded, SourceType):
        return "is not a SourceType"
    if loaded.name != name:
        return f"is named {loaded.name}, but its entry point {name}"
    if not (isinstance(loaded.settings, type) and issubclass(loaded.settings, SourceSettings)):
        return "has settings that are not a subclass of SourceSettings"
    if get_args(loaded.settings.model_fields["type"].annotation) != (name,):
        return f"has settings whose `type` is not Literal[{name!r}]"
    return None
