"""An item of `sources`, validated by the settings of its type, which are loaded when a file uses the type."""

from __future__ import annotations

import functools
import operator
from typing import Annotated, Any

from pydantic import Discriminator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, Tag, TypeAdapter, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, core_schema

from eugenie_cli.errors import EugenieError
from eugenie_cli.site.source_plugins import broken, source_type, source_type_names, usable_source_types
from eugenie_cli.site.source_types import SourceSettings


class _ByType:
    """A union, for pydantic, of all installed types; only those in use are loaded."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(_validate)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        models: list[Any] = [usable.settings for usable in usable_source_types()[0]] or [SourceSettings]
        union: Any = functools.reduce(operator.or_, models)
        if len(models) > 1:
            union = Annotated[union, Field(discriminator="type")]
        return handler(TypeAdapter(union).core_schema)


Source = Annotated[SourceSettings, _ByType()]


def _validate(given: Any, info: core_schema.ValidationInfo) -> SourceSettings:
    """The source as its type's settings. As with a union, the location of an error contains the type's name."""
    if isinstance(given, SourceSettings):
        return given
    if not isinstance(given, dict):
        raise _error("model_type", given, {"class_name": "source"})
    if "type" not in given:
        raise _error("missing", given, at=("type",))
    name, known = given["type"], [repr(known) for known in source_type_names()]
    if name not in source_type_names():
        expected = " or ".join(filter(None, (", ".join(known[:-1]), *known[-1:])))
        raise _error("literal_error", name, {"expected": expected or "of a type that is installed"}, at=("type",))
    try:
        return _adapter(name).validate_python(given, context=info.context)
    except ValidationError:
        raise
    except EugenieError as error:
        raise _at_type(name, error) from error
    except (Exception, SystemExit) as problem:  # another package's code may raise anything
        fault = broken(name, f"fails on this source: {type(problem).__name__}: {problem}")
        raise _at_type(name, fault) from problem


@functools.cache
def _adapter(name: str) -> TypeAdapter[SourceSettings]:
    model: Any = source_type(name).settings
    tagged: Any = Annotated[Annotated[model, Tag(name)], Discriminator(lambda _: name)]
    return TypeAdapter(tagged)


def _at_type(name: str, error: EugenieError) -> ValidationError:
    return _error("value_error", name, {"error": f"{error.reason}; {error.hint}"}, at=("type",))


def _error(
    kind: str, given: Any, context: dict[str, Any] | None = None, *, at: tuple[str | int, ...] = ()
) -> ValidationError:
    details = InitErrorDetails(type=kind, loc=at, input=given, ctx=context or {})
    return ValidationError.from_exception_data("source", [details])
