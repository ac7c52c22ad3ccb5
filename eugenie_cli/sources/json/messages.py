"""Messages of a file -> readings: by the column reader of the stream, so that a file and Kafka mean the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import orjson

from eugenie_cli.history.batch import Batch
from eugenie_cli.readings import reject_reasons
from eugenie_cli.readings.columns.reader import Columns
from eugenie_cli.readings.columns.sensor_index import Identity
from eugenie_cli.readings.json_text import MAX_PAYLOAD
from eugenie_cli.readings.mapping import PARTS, compile_mapping
from eugenie_cli.readings.members import paths_of
from eugenie_cli.readings.reading import Reading, Rejected, RejectedMeasurement
from eugenie_cli.readings.routing import Router
from eugenie_cli.readings.timestamp_parts import PARTS as PARTS_OF_INSTANTS
from eugenie_cli.readings.typed_values import NULL_VALUE, TYPED
from eugenie_cli.sources.interface import Tally
from eugenie_cli.sources.json.documents import Record
from eugenie_cli.sources.json.ordered import compile_ordered
from eugenie_cli.sources.places import Places
from eugenie_cli.sources.records.advice import advised
from eugenie_cli.sources.records.companions import is_row_quality, kind_of
from eugenie_cli.sources.records.conversions import conversions
from eugenie_cli.sources.records.row_order import RowOrder

RECORDS = "records of the file"
"""The member that contains the records in the messages that are made of them."""
CONSTANT = "constant of the mapping: "
LARGEST_AROUND = 100_000  # characters: what is around the records is repeated in each message

Place = Callable[[int], str]


class MessageReader:
    """Reads the messages of one file. `records`: path of the array of records in each message."""

    def __init__(
        self,
        mapping: Mapping[str, Any],
        timezone: str,
        router: Router,
        tally: Tally,
        bases: frozenset[str] = frozenset(),
    ) -> None:
        """`bases`: `companions.bases_of` the site's tags and sensors."""
        self._router = router.ignoring_case() if mapping.get("case") == "ignore" else router
        self._mapping, self._timezone, self._tally = mapping, timezone, tally
        self._places = Places(self._router)
        self._conversions = conversions(mapping["value"], self._router, lambda: self._places.series)
        self._order, self._in_order = RowOrder(), mapping["ts"].get("ambiguous") == "order"
        self._wide, self._bases = mapping["shape"] == "wide", bases
        self._unknown: dict[str, bool] = {}
        self._compile([])

    def _compile(self, ignored: Sequence[str]) -> None:
        """A member that no asset has is not read again: reading it one by one would be slow."""
        self._mapping = {**self._mapping, "ignore": [*self._mapping["ignore"], *ignored]}
        mappings = (self._mapping, self._with_members(), {**self._mapping, "records": RECORDS})
        self._of_lines, self._of_record, self._of_records = (
            compile_ordered(mapping, self._timezone, self._places, self._order) for mapping in mappings
        )

    def _with_members(self) -> dict[str, Any]:
        """The mapping of single records, with its constants as members: so records are read as whole columns."""
        mapping = {**self._mapping, "records": None}
        self._constants: dict[str, str] = {}
        for name in ("asset", "sensor", "tag"):
            part = mapping.get(name)
            if part and part.get("const") is not None and not self._wide:
                self._constants[CONSTANT + name] = part["const"]
                mapping[name] = {**part, "const": None, "path": CONSTANT + name}
        return mapping

    # -- lines and records -----------------------------------------------------------------------------

    def lines(self, payloads: Sequence[bytes], place: Place) -> Batch:
        """The readings of messages. `place`: index of a message -> where it is."""
        with suppress(ValueError):
            self._notice(orjson.loads(payloads[0]) if payloads else None)
        return self._messages(self._of_lines(payloads, None), len(payloads), place)

    def _messages(self, columns: Columns, count: int, place: Place) -> Batch:
        rejected = [(place(number), rejected) for number, rejected in columns.rejected]
        unknown = [(place(int(columns.message[row])), row) for row in np.flatnonzero(columns.place < 0).tolist()]
        return self._accepted(columns, rejected, unknown, count)

    def records(self, records: Sequence[Record]) -> Batch:
        """The readings of records with the same objects around them."""
        if not records:
            return self._messages(self._of_record([], None), 0, str)
        self._notice(records[0].value)
        if self._stands_alone(records[0].around) and all(record.plain for record in records):
            values = [record.value for record in records]
            if self._constants:
                values = [{**value, **self._constants} if isinstance(value, dict) else value for value in values]
            columns = self._of_record(list(map(_dumped, values)), None)
            return self._messages(columns, len(records), lambda index: records[index].place)
        payloads, firsts = [], []
        for first, chunk in self._chunks(records):
            payloads.append(chunk)
            firsts.append(first)
        columns = self._of_records(payloads, None)
        rejected = [self._located(records, firsts[number], rejected) for number, rejected in columns.rejected]
        rows = np.flatnonzero(columns.place < 0).tolist()
        places = iter(self._unknown_places(records) if rows else ())
        unknown = [(next(places, records[0].place), row) for row in rows]
        return self._accepted(columns, rejected, unknown, len(records))

    def _stands_alone(self, around: Mapping[str, Any]) -> bool:
        """Whether the mapping finds nothing in the objects around a record: then it is a message by itself."""
        if self._wide:
            return not around
        paths = {path for part in PARTS for path in paths_of(self._mapping.get(part))}
        names = {path.split(".")[0] for path in paths} | paths | {*TYPED, NULL_VALUE, *PARTS_OF_INSTANTS.values()}
        return names.isdisjoint(around)

    def _chunks(self, records: Sequence[Record]) -> list[tuple[int, bytes]]:
        """(index of the first record, message) of the messages that are made of records."""
        if not records:
            return []
        if self._in_order and len(records) > 1:  # each is a message, so that their order is that of the file
            return [(at, text) for at, record in enumerate(records) for _, text in self._chunks([record])]
        odd = [index for index, record in enumerate(records) if not record.plain]
        if odd and len(records) > 1:  # NaN makes a whole message unreadable: it is one of its own
            first = odd[0]
            pieces = ((0, records[:first]), (first, records[first : first + 1]), (first + 1, records[first + 1 :]))
            return [(start + at, text) for start, piece in pieces for at, text in self._chunks(piece)]
        message = {**self._around(records[0].around), RECORDS: [record.value for record in records]}
        text = json.dumps(message).encode() if odd else _dumped(message)
        if len(text) <= MAX_PAYLOAD or len(records) == 1:
            return [(0, text)]
        half = len(records) // 2
        return [*self._chunks(records[:half]), *((half + at, text) for at, text in self._chunks(records[half:]))]

    def _around(self, around: Mapping[str, Any]) -> Mapping[str, Any]:
        """The objects around records; of large ones only what the mapping may look up there."""
        if len(_dumped(around)) <= LARGEST_AROUND:
            return around
        used = {"errors", *TYPED}
        for part in PARTS:
            for path in paths_of(self._mapping.get(part)):
                used |= {path, path.split(".")[0]}
        return {name: value for name, value in around.items() if name in used}

    def _located(self, records: Sequence[Record], first: int, rejected: Rejected) -> tuple[str, Rejected]:
        """A rejection whose message begins with its index among the records of a message -> its place in the file."""
        index, end, detail = rejected.detail.removeprefix(f"{RECORDS}[").partition("]: ")
        if not end or not index.isdigit():
            return records[first].place, rejected
        located = Rejected(rejected.reason, detail)
        if isinstance(rejected, RejectedMeasurement):
            located = RejectedMeasurement.of(located, *rejected.identity)
        return records[first + int(index)].place, located

    def _unknown_places(self, records: Sequence[Record]) -> list[str]:
        """Where the first readings are whose sensors the site does not have."""
        of_record, places = compile_mapping(self._mapping, self._timezone), []
        for record in records:
            if not isinstance(record.value, dict):
                continue
            for outcome in of_record(record.value, record.around):
                if isinstance(outcome, Reading) and not self._router.route(*outcome[:3]):
                    places.append(record.place)
            if len(places) > 10:
                break
        return places

    # -- outcomes --------------------------------------------------------------------------------------

    def _accepted(
        self, columns: Columns, rejected: Sequence[tuple[str, Rejected]], unknown: Sequence[tuple[str, int]], count: int
    ) -> Batch:
        ignored, lost = set(), 0
        for place, rejection in rejected:
            tag = rejection.identity[2] if self._wide and isinstance(rejection, RejectedMeasurement) else None
            if tag is not None and self._is_unknown(tag):
                ignored.add(tag)
                continue
            lost += not self._wide or not isinstance(rejection, RejectedMeasurement)
            self._reject(rejection.reason, place, rejection.detail)
        for place, row in unknown:
            identity = columns.unknown[-1 - int(columns.place[row])]
            if self._wide and identity[2] is not None and self._is_unknown(identity[2]):
                ignored.add(identity[2])
                continue
            lost += not self._wide
            self._reject(reject_reasons.UNKNOWN_TAG, place, f"the site has no {_named(identity)}")
        known = columns.place >= 0
        self._tally.records += count if self._wide else int(known.sum()) + lost
        self._tally.lost += lost
        if ignored:
            told = self._tally.companions.keys()
            kinds = {tag: kind_of(tag, self._bases, ()) for tag in sorted(ignored - told)}
            self._tally.companions |= {tag: kind for tag, kind in kinds.items() if kind is not None}
            self._tally.unknown_columns.extend(tag for tag, kind in kinds.items() if kind is None)
            self._compile(sorted(ignored))
        place_of = columns.place[known].astype(np.int32)
        value = self._conversions.applied(place_of, columns.value[known])
        return Batch(tuple(self._places.series), place_of, columns.ts[known], value)

    def _notice(self, record: Any) -> None:
        """Note members that look like the quality of a record, which the mapping does not read."""
        if self._mapping.get("quality") is None and isinstance(record, dict):
            named = {path.split(".")[0] for part in PARTS for path in paths_of(self._mapping.get(part))}
            other = {*named, *self._mapping["ignore"]}
            found = [name for name in record if name not in other and is_row_quality(name)]
            self._tally.companions |= dict.fromkeys(found, "row")

    def _reject(self, reason: str, place: str, detail: str) -> None:
        if self._tally.reject(reason, 1) > 0:
            self._tally.example(reason, place, advised(reason, detail))

    def _is_unknown(self, tag: str) -> bool:
        """Wide: whether no asset of the site has a sensor or tag of a member's name, as for a column of a table."""
        if tag not in self._unknown:
            self._unknown[tag] = not self._router.knows(tag)
        return self._unknown[tag]


def _named(identity: Identity) -> str:
    names = zip(("asset", "sensor", "tag"), identity, strict=True)
    return ", ".join(f"{what} {name!r}" for what, name in names if name)


def _dumped(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer of more than 64 bits, or half of a surrogate pair
        return json.dumps(value).encode()
