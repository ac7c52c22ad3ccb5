"""A message's payload -> readings: the reference with which the faster column reader must agree.

A message is one record, or contains an array of them (`records`). A member is looked up in the record first, then in
the enclosing message: gateways write the time or the machine once, for many measurements. A payload may contain several
messages, one per line (`payload_formats`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from eugenie_cli.readings import reject_reasons
from eugenie_cli.readings.change_events import compile_deletion
from eugenie_cli.readings.json_text import Message
from eugenie_cli.readings.kafka_record import Members, bind_record, enclosing
from eugenie_cli.readings.mapping import WHOLE, Outcome, ToReadings, compile_mapping
from eugenie_cli.readings.members import MISSING, member, opened
from eugenie_cli.readings.payload_formats import Lines, SchemaOf, compile_format
from eugenie_cli.readings.reading import Rejected


def compile_payload(
    mapping: Mapping[str, Any], timezone: str, schema_of: SchemaOf | None = None
) -> Callable[..., list[Outcome]]:
    """The mapping as a pure function: payload -> its outcomes, in the message's order.

    If the mapping has parts of the Kafka record, the function takes a record's members as its second argument.
    `mapping`, `timezone` and errors: as for `compile_mapping`. `schema_of`: the schemas, for formats avro and protobuf;
    except UnknownSchema, what it raises propagates. The payload None, which deletes a key in Kafka, is `bad-json`,
    `bad-avro` and so on; for change events it has no outcomes. An empty array of records has none either.
    """
    bound = bind_record(mapping)
    of_message, enclose = compile_message(bound, timezone), enclosing(bound)
    read = compile_format(bound, schema_of)
    is_deletion = compile_deletion(bound)

    def of_payload(payload: bytes | None, members: Members | None = None) -> list[Outcome]:
        if is_deletion is not None and payload is None:
            return []
        message = read(payload)
        if not isinstance(message, Lines):
            return [message] if isinstance(message, Rejected) else of_message(enclose(message, members))
        outcomes: list[Outcome] = []
        for number, line in message.messages:
            of_line: list[Outcome] = [line] if isinstance(line, Rejected) else of_message(enclose(line, members))
            outcomes += located(of_line, f"line {number}")
        return outcomes

    return of_payload


def compile_message(mapping: Mapping[str, Any], timezone: str) -> Callable[[Message], list[Outcome]]:
    """As `compile_payload`, for an already decoded message."""
    of_record, records = compile_mapping(mapping, timezone), mapping.get("records")
    is_deletion, in_base64 = compile_deletion(mapping), bool(mapping.get("base64"))

    def of_message(message: Message) -> list[Outcome]:
        if is_deletion is not None and is_deletion(message):
            return []
        if records is not None:
            return _of_records(message, records, of_record, in_base64)
        if not isinstance(message, dict):
            return [Rejected(reject_reasons.BAD_JSON, "a record is a JSON object, not list")]
        return of_record(message)

    return of_message


def located(outcomes: list[Outcome], where: str) -> list[Outcome]:
    """Outcomes whose rejections name their place in the message."""
    return [outcome.within(where) if isinstance(outcome, Rejected) else outcome for outcome in outcomes]


def _of_records(message: Message, records: str, of_record: ToReadings, in_base64: bool) -> list[Outcome]:
    if records == WHOLE:
        elements, around = message, None
    elif isinstance(message, dict):
        elements, around = opened(member(message, records, in_base64), in_base64), message
    else:
        return [Rejected(reject_reasons.BAD_JSON, f"records at {records!r} are in a JSON object, not in a list")]
    if not isinstance(elements, list):
        what = "nothing" if elements is MISSING else f"{type(elements).__name__}, not an array,"
        where = "as the message" if records == WHOLE else f"at {records!r}"
        return [Rejected(reject_reasons.MISSING_FIELD, f"no records: {what} {where}")]
    outcomes: list[Outcome] = []
    for index, element in enumerate(elements):
        record = opened(element, in_base64)
        if isinstance(record, dict):
            of_element = of_record(record, around)
        else:
            detail = f"a record is a JSON object, not {type(element).__name__}"
            of_element = [Rejected(reject_reasons.BAD_JSON, detail)]
        outcomes += located(of_element, f"{'' if records == WHOLE else records}[{index}]")
    return outcomes
