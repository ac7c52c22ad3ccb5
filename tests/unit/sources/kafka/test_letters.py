"""What can be read again from dead letters, and what cannot."""

from __future__ import annotations

import pytest

from eugenie_cli.episodes.records import PAYLOAD_LIMIT, dead_letter, dumps
from eugenie_cli.sources.kafka.letters import opened

READING = '{"asset": "p1", "sensor": "flow", "ts": "2026-01-01T00:00:00Z", "value": 1.5}'


@pytest.mark.parametrize(
    ("record", "is_text", "kind"),
    [
        (dumps(dead_letter("late", "", READING)), True, "late"),
        (dumps(dead_letter("late", "", READING)), False, "late"),
        (dumps(dead_letter("reset", "", READING)), True, "late"),
        (dumps(dead_letter("bad-value", "", READING.encode())), True, "messages"),
        (dumps(dead_letter("bad-value", "", b"\x00\x00\x00\x00\x01\xff")), False, "binary message"),
        (dumps(dead_letter("bad-json", "", "x" * (PAYLOAD_LIMIT + 1))), True, "was cut"),
        (dumps(dead_letter("unknown-tag", "PT-1", None)), True, "about unknown-tag without the message"),
        (dumps({**dead_letter("bad-value", "", "1"), "record": {"key": "PT-1"}}), True, "key, headers or timestamp"),
        (b'{"asset": "p1"}', True, "not a dead letter"),
        (b"[1]", True, "not a dead letter"),
        (b"{", True, "not JSON"),
        (None, True, "not JSON"),
    ],
)
def test_each_letter_is_read_again_or_named(record, is_text, kind):
    letters = opened([b"{}", record], is_text=is_text)
    if kind in ("late", "messages"):
        ((number, payload),) = getattr(letters, kind)
        assert (number, payload.decode()) == (1, READING if kind == "messages" else f"[{READING}]")
    else:
        number, why = letters.unusable[-1]
        assert number == 1 and kind in why
