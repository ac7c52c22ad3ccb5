"""A message's payload -> readings: the reference with which the faster column reader must agree.

A message is one record, or contains an array of them (`records`). A member is looked up in the record first, then in
the enclosing message: gateways write the time or the machine once, for many measurements.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from eugenie_cli.readings import reject_reasons
from eugenie_cli.readings.avro import SchemaOf, compile_avro
from eugenie_cli.readings.kafka_record import Members, bind_record, enclosing, is_payload_the_value, parse_value
from eugenie_cli.readings.mapping import MAX_PAYLOAD, MISSING, WHOLE, Outcome, ToReadings, compile_mapping, member
from eugenie_cli.readings.reading import Rejected

Message: TypeAlias = "dict[str, Any] | list[Any]"


def compile_payload(
    mapping: Mapping[str, Any], timezone: str, schema_of: SchemaOf | None = None
) -> Callable[..., list[Outcome]]:
    """The mapping as a pure function: payload -> its outcomes, in the message's order.

    If the mapping has parts of the Kafka record, the function takes a record's members as its second argument.
    `mapping`, `timezone` and errors: as for `compile_mapping`. `schema_of`: the schemas, for format avro; except
    UnknownSchema, what it raises propagates. The payload None, which deletes a key in Kafka, is `bad-json` or
    `bad-avro`. An empty array of records has no outcomes.
    """
    bound = bind_record(mapping)
    of_message, enclose = compile_message(bound, timezone), enclosing(bound)
    read = _value if is_payload_the_value(bound) else _reader(bound.get("format") or "json", schema_of)

    def of_payload(payload: bytes | None, members: Members | None = None) -> list[Outcome]:
        message = read(payload)
        return [message] if isinstance(message, Rejected) else of_message(enclose(message, members))

    return of_payload


def _value(payload: bytes | None) -> Any:
    """A payload that is nothing but the value."""
    if payload is None:
        return Rejected(reject_reasons.BAD_JSON, "a message without a payload")
    if len(payload) > MAX_PAYLOAD:
        return Rejected(reject_reasons.TOO_LARGE, f"{len(payload)} bytes, at most {MAX_PAYLOAD}")
    try:
        return parse_value(payload)
    except ValueError as error:
        return Rejected(reject_reasons.BAD_VALUE, str(error))


def _reader(format: str, schema_of: SchemaOf | None) -> Callable[[bytes | None], Message | Rejected]:
    if format == "json":
        return parse_message
    if format == "avro" and schema_of is not None:
        return compile_avro(schema_of)
    raise ValueError(f"a message cannot have format {format}" if schema_of else f"format {format}: no schema registry")


def compile_message(mapping: Mapping[str, Any], timezone: str) -> Callable[[Message], list[Outcome]]:
    """As `compile_payload`, for an already decoded payload."""
    of_record, records = compile_mapping(mapping, timezone), mapping.get("records")

    def of_message(message: Message) -> list[Outcome]:
        if records is not None:
            return _of_records(message, records, of_record)
        if not isinstance(message, dict):
            return [Rejected(reject_reasons.BAD_JSON, "a record is a JSON object, not list")]
        return of_record(message)

    return of_message


def _of_records(message: Message, records: str, of_record: ToReadings) -> list[Outcome]:
    if records == WHOLE:
        elements, around = message, None
    elif isinstance(message, dict):
        elements, around = member(message, records), message
    else:
        return [Rejected(reject_reasons.BAD_JSON, f"records at {records!r} are in a JSON object, not in a list")]
    if not isinstance(elements, list):
        what = "nothing" if elements is MISSING else f"{type(elements).__name__}, not an array,"
        where = "as the message" if records == WHOLE else f"at {records!r}"
        return [Rejected(reject_reasons.MISSING_FIELD, f"no records: {what} {where}")]
    outcomes: list[Outcome] = []
    for index, element in enumerate(elements):
        if isinstance(element, dict):
            of_element = of_record(element, around)
        else:
            detail = f"a record is a JSON object, not {type(element).__name__}"
            of_element = [Rejected(reject_reasons.BAD_JSON, detail)]
        at = f"{'' if records == WHOLE else records}[{index}]"
        outcomes += [
            Rejected(outcome.reason, f"{at}: {outcome.detail}") if isinstance(outcome, Rejected) else outcome
            for outcome in of_element
        ]
    return outcomes


# -- JSON ------------------------------------------------------------------------------------------------


def parse_message(payload: str | bytes | None) -> Message | Rejected:
    """A payload as a JSON object or array; `bad-json` if it is neither, `too-large` above `MAX_PAYLOAD` characters."""
    if payload is None:
        return Rejected(reject_reasons.BAD_JSON, "a message without a payload")
    try:
        text = payload.decode("utf-8") if isinstance(payload, bytes) else payload
        if len(text) > MAX_PAYLOAD:
            return Rejected(reject_reasons.TOO_LARGE, f"{len(text)} characters, at most {MAX_PAYLOAD}")
        message = json.loads(text, parse_constant=_refuse_constant)
        if "\\ud" in text or "\\uD" in text:  # half of a surrogate pair is not text, and could not be written to Kafka
            json.dumps(message, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        return Rejected(reject_reasons.BAD_JSON, str(error))
    if not isinstance(message, (dict, list)):
        return Rejected(reject_reasons.BAD_JSON, f"a record is a JSON object, not {type(message).__name__}")
    return message


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
