"""The JSON schema of a site file, for editors: completion, help and errors while typing."""

from __future__ import annotations

from typing import Any

from eugenie_cli.site.field_types import DURATION_SCHEMA, show_duration
from eugenie_cli.site.introspection import LOADER_KEYS
from eugenie_cli.site.schema import Site

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
# A number may also come from a variable.
_VARIABLE = {"type": "string", "pattern": r"^\$\{(env|file):[^}]+\}$"}


def site_schema() -> dict[str, Any]:
    """The schema as plain values. It omits what only `config check` can know, such as names that must exist."""
    schema = Site.model_json_schema(by_alias=True)
    for key in LOADER_KEYS:
        schema["properties"].pop(key, None)
    kafka = schema["properties"]["kafka"]
    schema["properties"]["kafka"] = {
        "anyOf": [{"$ref": kafka["$ref"]}, {"type": "string", "description": "embedded, or host:port"}],
        "default": "embedded",
    }
    return {"$schema": _DIALECT, **_for_files(schema), "title": "eugenie site file"}


def _for_files(node: Any) -> Any:
    """pydantic's schema, adapted to what files contain: variables for numbers, units on durations."""
    if isinstance(node, list):
        return [_for_files(item) for item in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("default"), (dict, list)):  # of a section, whose values have defaults of their own
        node = {key: item for key, item in node.items() if key != "default"}
    if node.get("pattern") == DURATION_SCHEMA["pattern"] and isinstance(node.get("default"), int):
        return {**node, "default": show_duration(node["default"])}
    if node.get("type") in ("integer", "number"):
        outer = {key: node[key] for key in ("title", "description", "default") if key in node}
        return {**outer, "anyOf": [{key: item for key, item in node.items() if key not in outer}, _VARIABLE]}
    return {key: item if key == "default" else _for_files(item) for key, item in node.items()}
