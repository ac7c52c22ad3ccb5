"""Decodes values of the binary encoding (OPC 10000-6, 5.2.2.17) as columns.

A server encodes the values of one node mostly alike, so that runs of them are records of one size, which numpy reads at
once. Everything else is read one value at a time by asyncua.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import nodeid_from_binary, struct_from_binary, variant_from_binary
from numpy.typing import NDArray

HISTORY_DATA = ua.ObjectIds.HistoryData_Encoding_DefaultBinary
DATA_CHANGE = ua.ObjectIds.DataChangeNotification_Encoding_DefaultBinary

VALUE, STATUS, SOURCE, SERVER, SOURCE_PICO, SERVER_PICO = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_NUMBERS = {
    **{1: "u1", 2: "i1", 3: "u1", 4: "<i2", 5: "<u2", 6: "<i4", 7: "<u4", 8: "<i8", 9: "<u8", 10: "<f4", 11: "<f8"}
}
"""Built-in types that are numbers: Boolean to Double."""
_FIRST_RUN, _LONGEST_RUN = 32, 1 << 16


@dataclass(frozen=True)
class Values:
    """N data values.

    `value` float64 [N]: NaN if it is not a number; `status` uint32 [N]: status codes; `source`, `server` int64 [N]:
    timestamps, 100 ns since 1601, 0 if there is none; `other`: what is not a number, by position; `handle` uint32 [N]:
    client handles, of notifications.
    """

    value: NDArray[np.float64]
    status: NDArray[np.uint32]
    source: NDArray[np.int64]
    server: NDArray[np.int64]
    other: dict[int, Any]
    handle: NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.status)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Values:
        """Those that a mask or an array of positions chooses."""
        positions = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen
        if len(positions) == len(self) and bool(np.all(positions == np.arange(len(self)))):
            return self
        other = {}
        if self.other:
            other = {new: self.other[old] for new, old in enumerate(positions.tolist()) if old in self.other}
        return Values(
            self.value[positions],
            self.status[positions],
            self.source[positions],
            self.server[positions],
            other,
            self.handle[positions] if len(self.handle) else self.handle,
        )


@dataclass(frozen=True)
class NodeHistory:
    """The answer for one node: its status code, its values, and where it goes on, if it does."""

    status: int
    values: Values
    continuation: bytes | None


def decode_history(answer: bytes) -> list[NodeHistory]:
    """The results of a HistoryReadResponse, one per node.

    Raises a UaStatusCodeError for the status of the whole answer.
    """
    buffer = Buffer(answer)
    nodeid_from_binary(buffer)
    header: Any = struct_from_binary(ua.ResponseHeader, buffer)
    header.ServiceResult.check()
    at, results = buffer.cur_pos, []
    (count,) = struct.unpack_from("<i", answer, at)
    at += 4
    for _ in range(max(count, 0)):
        (status, length) = struct.unpack_from("<Ii", answer, at)
        at += 8
        continuation = answer[at : at + length] if length > 0 else None
        at += max(length, 0)
        kind, body, at = _extension_object(answer, at)
        values = decode_values(answer, body[0], handles=False)[0] if kind == HISTORY_DATA and body[1] else EMPTY
        results.append(NodeHistory(status, values, continuation))
    return results


@dataclass(frozen=True)
class Published:
    """A PublishResponse. `sent`: when, by the server's clock, 100 ns since 1601; `others`: notifications other than of
    data.
    """

    subscription: int
    available: tuple[int, ...]
    more: bool
    sequence: int
    sent: int
    values: tuple[Values, ...]
    others: tuple[Any, ...]
    is_keep_alive: bool


def decode_publish(answer: bytes) -> Published:
    """A PublishResponse. Raises a UaStatusCodeError for its status."""
    buffer = Buffer(answer)
    nodeid_from_binary(buffer)
    header: Any = struct_from_binary(ua.ResponseHeader, buffer)
    header.ServiceResult.check()
    at = buffer.cur_pos
    subscription, available = struct.unpack_from("<Ii", answer, at)
    at += 8
    sequences = struct.unpack_from(f"<{max(available, 0)}I", answer, at)
    at += 4 * len(sequences)
    more, sequence, sent = struct.unpack_from("<?Iq", answer, at)
    values, others, count = decode_notifications(answer, at + 13)
    return Published(subscription, sequences, more, sequence, sent, values, others, count == 0)


def decode_notifications(answer: bytes, at: int) -> tuple[tuple[Values, ...], tuple[Any, ...], int]:
    """The notifications of a message: values, others, and their number."""
    (count,) = struct.unpack_from("<i", answer, at)
    at += 4
    values, others = [], []
    for _ in range(max(count, 0)):
        begin = at
        kind, body, at = _extension_object(answer, at)
        if kind == DATA_CHANGE and body[1]:
            values.append(decode_values(answer, body[0], handles=True)[0])
        else:
            others.append(ua.ua_binary.extensionobject_from_binary(Buffer(answer, begin)))
    return tuple(values), tuple(others), max(count, 0)


def _extension_object(answer: bytes, at: int) -> tuple[int, tuple[int, int], int]:
    """(numeric id of its type, (start, length) of its body, where the next thing is)."""
    buffer = Buffer(answer, at)
    kind = nodeid_from_binary(buffer)
    at = buffer.cur_pos
    encoding = answer[at]
    at += 1
    length = 0
    if encoding:
        (length,) = struct.unpack_from("<i", answer, at)
        at += 4
        length = max(length, 0)
    number = kind.Identifier if kind.NamespaceIndex == 0 and isinstance(kind.Identifier, int) else -1
    return number, (at, length), at + length


def decode_values(answer: bytes, at: int, *, handles: bool) -> tuple[Values, int]:
    """An array of DataValues, or of MonitoredItemNotifications (`handles`), and where the next thing is."""
    (count,) = struct.unpack_from("<i", answer, at)
    at += 4
    count = max(count, 0)
    value, status = np.full(count, np.nan), np.zeros(count, np.uint32)
    source, server = np.zeros(count, np.int64), np.zeros(count, np.int64)
    handle = np.zeros(count if handles else 0, np.uint32)
    columns: dict[str, NDArray[Any]] = {"status": status, "source": source, "server": server, "handle": handle}
    other: dict[int, Any] = {}
    done, length = 0, _FIRST_RUN
    prefix = 4 if handles else 0
    while done < count:
        mask = answer[at + prefix]
        kind = answer[at + prefix + 1] if mask & VALUE else 0
        if not mask & VALUE or kind in _NUMBERS:
            record = _record(mask, kind, handles)
            wanted = min(length, count - done, (len(answer) - at) // record.itemsize)
            if wanted == 0:
                raise ValueError("the answer ends within a value")
            rows = np.frombuffer(answer, record, wanted, at)
            alike = rows["mask"] == mask
            if mask & VALUE:
                alike &= rows["kind"] == kind
            run = wanted if alike.all() else int(np.argmin(alike))
            rows, until = rows[:run], done + run
            if mask & VALUE:
                value[done:until] = rows["value"]
            else:
                other.update(dict.fromkeys(range(done, until)))
            for name in columns.keys() & set(record.names or ()):
                columns[name][done:until] = rows[name]
            at += run * record.itemsize
            length = min(2 * length, _LONGEST_RUN) if run == wanted else _FIRST_RUN
            done = until
            continue
        if handles:
            (handle[done],) = struct.unpack_from("<I", answer, at)
        buffer = Buffer(answer, at + prefix + 1)
        variant = variant_from_binary(buffer)
        other[done] = variant.Value
        at = buffer.cur_pos
        for bit, form, name in _REST:
            if mask & bit:
                (number,) = struct.unpack_from(form, answer, at)
                at += struct.calcsize(form)
                if name in columns:
                    columns[name][done] = number
        done += 1
    return Values(value, status, source, server, other, handle), at


_REST = (
    (STATUS, "<I", "status"),
    (SOURCE, "<q", "source"),
    (SOURCE_PICO, "<H", "source picoseconds"),
    (SERVER, "<q", "server"),
    (SERVER_PICO, "<H", "server picoseconds"),
)
_RECORDS: dict[tuple[int, int, bool], np.dtype[Any]] = {}


def _record(mask: int, kind: int, handles: bool) -> np.dtype[Any]:
    """The layout of values that have these members."""
    known = _RECORDS.get((mask, kind, handles))
    if known is None:
        fields = [("handle", "<u4")] if handles else []
        fields.append(("mask", "u1"))
        if mask & VALUE:
            fields += [("kind", "u1"), ("value", _NUMBERS[kind])]
        for bit, form, name in _REST:
            if mask & bit:
                fields.append((name, {"<I": "<u4", "<q": "<i8", "<H": "<u2"}[form]))
        known = _RECORDS[mask, kind, handles] = np.dtype(fields)
    return known


EMPTY = Values(
    np.zeros(0), np.zeros(0, np.uint32), np.zeros(0, np.int64), np.zeros(0, np.int64), {}, np.zeros(0, np.uint32)
)
