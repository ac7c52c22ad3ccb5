"""Payloads that no gateway should send, generated from a seed: mutations of good payloads, and payload bombs."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterator

LONG = 900_000
"""Characters of a long text in a payload that is just within the size limit."""

WEIRD: tuple[bytes, ...] = (
    b"null", b"true", b"false", b"[]", b"{}", b'""', b'" "', b'"\\t"', b"[1]", b'{"a": 1}', b'"NaN"',
    b'"Infinity"', b'"-inf"', b"NaN", b"Infinity", b"-Infinity", b"nan", b"1e999", b"-1e999", b"1e400", b"1e39",
    b"-3.5e38", b"1e-400", b"-0", b"0", b"-0.0", b"1E5", b"01", b"+1", b"1.", b".5", b"1e", b"0x10", b"1_000",
    b"--1", b"1,5", b'"1,5"', b'"1.5"', b'" 7 "', b'"+5"', b'"5."', b'".5"', b'"0x10"', b'"1_000"', b'"1 000"',
    b'"12abc"', b'"abc"', b'"Bad Input"', b'"No Data"', b'"good"', b'"GOOD"', b'"uncertain"', b'"bad"',
    b'"perhaps"', b'"\\u0000"', b'"\\u001f"', b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\ud83d\\ude00"',
    '"😀"'.encode(), '"１２"'.encode(), '"٣"'.encode(), '"½"'.encode(), '"\u200b1"'.encode(),
    '"\u00a01"'.encode(), '"\u2028"'.encode(), b'"\\"', b'"\x00"', b'"\n"', b"undefined", b"None", b"True",
    b"'1'", b"1 2", b"1;", b"/*1*/2", b"9" * 20, b"9" * 400, b"9" * 5_000, b"-" + b"9" * 19,
    b"18446744073709551616", b"9223372036854775808", b"0." + b"3" * 400, b"1" + b"0" * 308, b"1" + b"0" * 309,
    b"4.9e-324", b"2.2250738585072011e-308", b"1.7976931348623157e308",
)  # fmt: skip
"""JSON values, valid or nearly valid, that replace a member's value."""

INSTANTS: tuple[str, ...] = (
    "9999-12-31T23:59:59.999Z", "10000-01-01T00:00:00Z", "9999-12-31T23:59:59.999-18:00",
    "0001-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "-0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999Z",
    "1970-01-01T00:00:00Z", "1900-01-01T00:00:00Z", "1970-01-01T00:00:00+18:00", "2038-01-19T03:14:08Z",
    "2262-04-11T23:47:16.854775808Z", "2999-01-01T00:00:00Z", "2016-12-31T23:59:60Z", "2026-02-30T00:00:00Z",
    "2024-02-29T00:00:00Z", "2023-02-29T00:00:00Z", "2020-01-01T24:00:00Z", "2020-01-01T25:00:00Z",
    "2020-13-01T00:00:00Z", "2020-00-10T00:00:00Z", "2020-01-01T00:60:00Z", "2020-01-01T00:00:00+99:99",
    "2020-01-01T00:00:00+18:01", "2020-01-01T00:00:00-18:00", "2020-01-01T00:00:00.1234567891Z",
    "2020-01-01T00:00:00.Z", "2020-01-01T00:00:00,5Z", "2020-01-01 00:00:00 Z", "2020-01-01",
    "20200101T000000Z", "2020-W01-1", "2020-001", "12:30", "now", "yesterday", "", " ", "0", "-1", "1e3",
    "1700000000", "1700000000000", "1700000000000000000", "1e20", "9" * 40, "NaN", "Infinity",
    "2020-01-01T00:00:00Z\u0000", "２０２０-01-01T00:00:00Z", "2020-01-01T00:00:00\u200bZ",
    "2020‐01‐01T00:00:00Z", "T" * 10_000,
)  # fmt: skip
"""Texts for the instant: far from now, almost valid, or not an instant at all."""

NAMES = ("asset", "sensor", "ts", "value", "quality")

Good = bytes
Mutation = Callable[[random.Random, Good], "bytes | None"]


def bombs() -> Iterator[bytes | None]:
    """Each bomb once: too long, too deep, in another encoding, or missing."""
    yield from (
        None,
        b"",
        b" ",
        b"\n",
        b"\x00",
        b"null",
        b"true",
        b"0",
        b'"text"',
        b"[]",
        b"{}",
        b"[{}]",
        b"{}{}",
        b"\xef\xbb\xbf{}",
    )
    for depth in (50, 500, 5_000, 200_000):
        yield b"[" * depth + b"]" * depth
        yield b"[" * depth
        yield b'{"a":' * depth + b"1" + b"}" * depth
        yield b'{"asset":' + b"[" * depth + b"]" * depth + b"}"
    yield b"{" + b",".join(b'"k%d": %d' % (number, number) for number in range(50_000)) + b"}"
    yield b'{"value": 1' + b"0" * LONG + b"}"
    yield b'"' + b"\\" * 999_999
    yield b" " * 999_999
    yield b"\x00" * 900_000
    yield bytes(range(256)) * 3_000
    yield gzip.compress(b'{"value": 0}' * 1_000)


def giants(good: Good) -> Iterator[bytes]:
    """Messages of 5 MB: far above the limit of a reading, but allowed by the topic."""
    size = 5_000_000
    while True:
        yield good[:-1] + b', "pad": "' + b"x" * size + b'"}'
        yield b"[" * size
        yield random.Random(size).randbytes(size)
        yield b"\xff" * size
        yield b'{"asset": "' + "ü".encode() * (size // 2) + b'"}'
        yield b" " * size + good


def _flipped(rng: random.Random, good: Good) -> bytes:
    payload = bytearray(good)
    for _ in range(rng.randint(1, 5)):
        payload[rng.randrange(len(payload))] = rng.randrange(256)
    return bytes(payload)


def _sliced(rng: random.Random, good: Good) -> bytes:
    begin, end = sorted((rng.randrange(len(good)), rng.randrange(len(good) + 1)))
    return rng.choice(
        [good[:begin], good[begin:], good[:begin] + good[end:], good[:end] + good[begin:], good[begin:end] * 3]
    )


def _inserted(rng: random.Random, good: Good) -> bytes:
    place = rng.randrange(len(good) + 1)
    what = rng.choice(
        [rng.randbytes(rng.randint(1, 8)), rng.choice(WEIRD), rng.choice([b",", b'"', b"\\", b"}", b"{", b":", b"\t"])]
    )
    return good[:place] + what + good[place:]


def _replaced(rng: random.Random, good: Good) -> bytes:
    return _members(rng, {rng.choice(NAMES): rng.choice(WEIRD)}, good)


def _timed(rng: random.Random, good: Good) -> bytes:
    text = rng.choice(INSTANTS)
    value = text.encode() if rng.random() < 0.2 else json.dumps(text, ensure_ascii=rng.random() < 0.5).encode()
    return _members(rng, {"ts": value}, good)


def _strange(rng: random.Random, good: Good) -> bytes:
    names = [
        f"pump-{rng.randint(1, 9)}",
        "PUMP-101",
        "pump-101 x",
        "",
        "\x00",
        "ü" * 40,
        "a\x1fb",
        "'; DROP TABLE",
        "${x}",
    ]
    return _members(rng, {rng.choice(["asset", "sensor", "tag"]): json.dumps(rng.choice(names)).encode()}, good)


def _fewer(rng: random.Random, good: Good) -> bytes:
    document = json.loads(good)
    for name in rng.sample(sorted(document), rng.randint(1, len(document))):
        value = document.pop(name)
        if rng.random() < 0.4:
            document[rng.choice([name.upper(), f" {name}", f"{name} ", f"{name}s", f"x.{name}"])] = value
    return json.dumps(document).encode()


def _doubled(rng: random.Random, good: Good) -> bytes:
    name = rng.choice(NAMES)
    again = b'"%s": %s' % (name.encode(), rng.choice(WEIRD))
    return rng.choice([b"{" + again + b", " + good[1:], good[:-1] + b", " + again + b"}"])


def _encoded(rng: random.Random, good: Good) -> bytes:
    text = good.decode().replace("pump", rng.choice(["pump", "pümp", "泵"]))
    encoding = rng.choice(
        ["utf-16", "utf-16-le", "utf-32", "utf-8-sig", "latin-1", "cp1252", "utf-7", "gb18030", "idna"]
    )
    try:
        return text.encode(encoding)
    except UnicodeError:
        return text.encode("utf-16")


def _nested(rng: random.Random, good: Good) -> bytes:
    depth = rng.choice([1, 2, 20, 500, 3_000])
    return rng.choice([
        b"[" * depth + good + b"]" * depth,
        b'{"a":' * depth + good + b"}" * depth,
        good[:-1] + b', "x": ' + b"[" * depth + b"]" * depth + b"}",
        good + b"," + good,
        b"[" + good + b"," + good + b"]",
    ])  # fmt: skip


def _long(rng: random.Random, good: Good) -> bytes:
    text = rng.choice([b"x", b"9", b"\\u0000", b"\\n", "ß".encode(), b"\\ud83d\\ude00", b"\xff", b"<"])
    value = b'"' + text * (rng.choice([300, 30_000]) // len(text)) + b'"'
    return _members(rng, {rng.choice([*NAMES, "tag", "note"]): value}, good)


def _random(rng: random.Random, good: Good) -> bytes:
    return rng.randbytes(rng.randint(1, 300))


def _members(rng: random.Random, changed: dict[str, bytes], good: Good) -> bytes:
    """The good payload with members replaced or added verbatim."""
    parts = {name: json.dumps(value).encode() for name, value in json.loads(good).items()} | changed
    order = list(parts)
    if rng.random() < 0.3:
        rng.shuffle(order)
    return b"{" + b", ".join(b'"%s": %s' % (name.encode(), parts[name]) for name in order) + b"}"


MUTATIONS: tuple[tuple[Mutation, int], ...] = (
    (_flipped, 14),
    (_sliced, 10),
    (_inserted, 12),
    (_replaced, 22),
    (_timed, 12),
    (_strange, 8),
    (_fewer, 8),
    (_doubled, 6),
    (_encoded, 4),
    (_nested, 3),
    (_long, 1),
    (_random, 6),
)


def mutate(rng: random.Random, good: Good) -> bytes | None:
    """A hostile payload made from a good one."""
    (mutation,) = rng.choices([mutation for mutation, _ in MUTATIONS], [weight for _, weight in MUTATIONS])
    return mutation(rng, good)


def long_members(good: Good) -> Iterator[bytes]:
    """A text of LONG characters in place of each member: the dead letter about it must still fit in Kafka."""
    rng = random.Random(0)
    for name in (*NAMES, "tag"):
        for text in (b"x" * LONG, b"\\u0001" * (LONG // 6), "ß".encode() * (LONG - 1), b"7" * LONG):
            yield _members(rng, {name: b'"' + text + b'"'}, good)
