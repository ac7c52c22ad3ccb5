"""The two readers of payloads: the scalar rule, and the reader of columns, which must agree with it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from eugenie_cli.readings.avro import SchemaOf
from eugenie_cli.readings.columns.reader import compile_columns
from eugenie_cli.readings.mapping import Outcome
from eugenie_cli.readings.payload import compile_payload
from eugenie_cli.readings.reading import Rejected
from eugenie_cli.site.readings_mapping import ReadingsMapping

BAD = "bad"
"""In place of the value of a reading of bad quality."""


def dumped(**mapping: Any) -> dict[str, Any]:
    """A mapping as the job receives it."""
    return ReadingsMapping.model_validate(mapping).model_dump(mode="json")


def shown(outcome: Outcome) -> tuple[Any, ...]:
    """(asset, sensor, tag, ms, value or BAD), or the rejection."""
    if isinstance(outcome, Rejected):
        return tuple(outcome)
    return (*outcome[:4], outcome.value if outcome.good else BAD)


def by_rule(
    mapping: dict[str, Any], payloads: Sequence[bytes | None], schema_of: SchemaOf | None = None
) -> list[list[tuple[Any, ...]]]:
    """The outcomes of each payload by the scalar rule, in any order."""
    read = compile_payload(mapping, "UTC", schema_of)
    return [sorted((shown(outcome) for outcome in read(payload)), key=repr) for payload in payloads]


def in_columns(
    mapping: dict[str, Any], payloads: Sequence[bytes | None], schema_of: SchemaOf | None = None
) -> list[list[tuple[Any, ...]]]:
    """The same by the reader of columns; read twice, the second time with filled caches."""
    names: dict[Any, int] = {}
    read = compile_columns(mapping, "UTC", lambda *identity: names.setdefault(identity, len(names)), schema_of)
    results = []
    for columns in (read(payloads), read(payloads)):
        identities = list(names)
        outcomes: list[list[tuple[Any, ...]]] = [[] for _ in payloads]
        for message, place, ts, value in zip(columns.message, columns.place, columns.ts, columns.value, strict=True):
            worth = BAD if math.isnan(value) else float(value)
            outcomes[message].append((*identities[place], int(ts), worth))
        for message, rejected in columns.rejected:
            outcomes[message].append(tuple(rejected))
        results.append([sorted(of_one, key=repr) for of_one in outcomes])
    assert results[0] == results[1]
    return results[0]


def outcomes_of(
    mapping: dict[str, Any], *payloads: bytes | None, schema_of: SchemaOf | None = None
) -> list[list[tuple[Any, ...]]]:
    """The outcomes of each payload, on which both readers agree."""
    expected = by_rule(mapping, payloads, schema_of)
    actual = in_columns(mapping, payloads, schema_of)
    for payload, of_rule, of_columns in zip(payloads, expected, actual, strict=True):
        assert of_columns == of_rule, payload
    return expected
