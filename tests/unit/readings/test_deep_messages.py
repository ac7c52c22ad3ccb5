"""Deeply nested messages, in JSON and in Avro: they become dead letters and never raise or crash the process."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

from eugenie_cli.readings import reject_reasons
from eugenie_cli.readings.avro_shape import MAX_DEPTH, check_shape
from eugenie_cli.readings.columns.reader import compile_columns
from eugenie_cli.readings.payload import compile_payload
from eugenie_cli.readings.reading import Rejected

LONG = {name: {"path": name} for name in ("asset", "tag", "ts", "value")}
MAPPINGS = {
    "long": LONG,
    "wide": {"shape": "wide", "asset": {"path": "asset"}, "ts": {"path": "ts"}},
    "records": {**LONG, "records": "a"},
    "array": {**LONG, "records": "."},
}
MESSAGE = {"asset": "p", "tag": "t", "ts": "2026-01-01T00:00:00Z", "value": 1, "a": []}


def deep_messages(depth: int) -> list[bytes]:
    texts = []
    for begin, end in (("[", "]"), ('{"a":', "}")):
        deep = begin * depth + "1" + end * depth
        texts += [deep, f"[{deep}]", begin * depth]
        texts += [json.dumps({**MESSAGE, key: "@"}).replace('"@"', deep) for key in MESSAGE]
    return [text.encode() for text in texts]


@pytest.mark.slow
@pytest.mark.parametrize("mapping", MAPPINGS.values(), ids=MAPPINGS)
@pytest.mark.parametrize("depth", [100, 900, 1_023, 1_025, 400_000])
def test_deep_json_is_a_dead_letter_for_both_readers(mapping: dict[str, Any], depth: int):
    reference = compile_payload(mapping, "UTC")
    columns = compile_columns(mapping, "UTC", lambda *_: 0)
    good = json.dumps(MESSAGE).encode()
    for message in deep_messages(depth):
        outcomes = reference(message)
        if depth > 2_000:
            assert {outcome.reason for outcome in outcomes if isinstance(outcome, Rejected)} <= {
                reject_reasons.BAD_JSON, reject_reasons.TOO_LARGE,
            }  # fmt: skip
        columns([message, good])


def schema_of(fields: list[Any], **more: Any) -> dict[str, Any]:
    named = [{"name": f"f{index}", "type": kind} for index, kind in enumerate(fields)]
    return {"type": "record", "name": "N", "fields": named, **more}


def nested(depth: int) -> Any:
    kind: Any = "string"
    for _ in range(depth):
        kind = {"type": "array", "items": kind}
    return kind


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([schema_of(["null", ["null", "N"]])], "contains itself"),
        ([schema_of([["null", "a.b.N"]], namespace="a.b")], "contains itself"),
        ([schema_of([{"type": "array", "items": "N"}])], "contains itself"),
        ([schema_of([{"type": "record", "name": "M", "fields": [{"name": "n", "type": ["null", "N"]}]}])], "itself"),
        ([nested(3_000)], "nested more than 64 deep"),
        ([schema_of([nested(40)]), {"type": "record", "name": "M", "fields": [
            {"name": "x", "type": {"type": "array", "items": nested(30) | {"items": "N"}}}]}], None),
        ([{"type": "array", "items": "null"}], "array of zero-length values"),
        ([schema_of(["null", "null"]), {"type": "array", "items": "N"}], "array of zero-length values"),
        ([{"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}}], "array of zero-length values"),
    ],
)  # fmt: skip
def test_an_unbounded_schema_is_refused(parts: list[Any], words: str | None):
    if words is None:
        return check_shape(parts)
    with pytest.raises(ValueError, match=words):
        check_shape(parts)
    pytest.importorskip("fastavro")
    read = compile_payload({**LONG, "format": "avro"}, "UTC", lambda _: parts)
    (letter,) = read(b"\x00" + struct.pack(">I", 7) + b"\x02" * 60_000)
    assert isinstance(letter, Rejected) and letter.reason == reject_reasons.BAD_AVRO and words in letter.detail
    return None


def test_schemas_of_gateways_are_bounded():
    check_shape([schema_of(["string", "double", {"type": "map", "values": ["null", "double", "string"]}])])
    check_shape([nested(MAX_DEPTH - 1)])
    other = schema_of(["string"], namespace="other")
    check_shape([other, schema_of(["other.N"], namespace="own")])  # the same name in another namespace
