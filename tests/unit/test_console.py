"""What is printed is safe for a terminal, and stays what it is."""

from __future__ import annotations

import io
import json

import pytest

from eugenie_cli.console import Console

UNSAFE = "\x7f\x85\x9b31m\u202e\u2028\ufeff"


@pytest.mark.parametrize(
    "name", ["pump-101", "Pumpe Süd", UNSAFE, "password=hidden", "http://me:hidden@host/x", '"quoted" \\ \t']
)
def test_a_record_on_stdout_is_the_record_that_came_and_moves_no_cursor(name):
    record, out = {"asset": name, "score": 3.25}, io.StringIO()
    for text in (json.dumps(record, ensure_ascii=False, separators=(",", ":")), json.dumps(record)):
        Console(out, io.StringIO()).json_text(text)
    Console(out, io.StringIO()).json_line(record)
    assert [json.loads(line) for line in out.getvalue().splitlines()] == [record] * 3
    assert not set(UNSAFE.replace("31m", "")) & set(out.getvalue())


def test_an_ordinary_record_is_printed_byte_for_byte():
    text, out = '{"asset":"Pumpe Süd",  "score":3.250}', io.StringIO()
    Console(out, io.StringIO()).json_text(text)
    assert out.getvalue() == f"{text}\n"
