"""The golden payloads, for every implementation that reads them.

A file has `mapping` and `timezone` as in a site file, `schemas` (number -> Avro schemas, the message's own last) for
the format avro, and `cases`. A case has `about`; the message as `message` (JSON), `payload` (text, or null for none) or
`hex` (bytes); and `expect`, its outcomes in order. A null value means NaN.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from eugenie_cli.readings.avro import SchemaOf, UnknownSchema
from eugenie_cli.readings.mapping import Outcome
from eugenie_cli.readings.reading import Rejected
from eugenie_cli.readings.reject_reasons import REASONS
from eugenie_cli.site.readings_mapping import ReadingsMapping

FOLDER = Path(__file__).parents[1] / "golden" / "readings"


class Golden(NamedTuple):
    """One file."""

    name: str
    mapping: dict[str, Any]
    timezone: str
    schema_of: SchemaOf | None
    cases: list[dict[str, Any]]


def goldens() -> Iterator[Golden]:
    """Every file, in order of name."""
    for path in sorted(FOLDER.glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        mapping = ReadingsMapping.model_validate(document["mapping"]).model_dump(mode="json")
        schemas = document.get("schemas")
        schema_of = None if schemas is None else schemas_in(schemas)
        yield Golden(path.stem, mapping, document["timezone"], schema_of, document["cases"])


def schemas_in(schemas: dict[str, list[Any]]) -> SchemaOf:
    """A registry with only these schemas."""

    def schema_of(number: int) -> list[Any]:
        if str(number) not in schemas:
            raise UnknownSchema(f"{number}: not found")
        return schemas[str(number)]

    return schema_of


def payload_of(case: dict[str, Any]) -> bytes | None:
    """The bytes on Kafka."""
    if "hex" in case:
        return bytes.fromhex(case["hex"])
    text = json.dumps(case["message"]) if "message" in case else case["payload"]
    return None if text is None else text.encode("utf-8")


def shown(outcome: Outcome) -> dict[str, Any]:
    """An outcome in the files' notation."""
    if isinstance(outcome, Rejected):
        assert outcome.reason in REASONS
        assert outcome.detail
        return {"rejected": outcome.reason}
    entry = outcome._asdict()
    if math.isnan(entry["value"]):
        entry["value"] = None
    return entry
