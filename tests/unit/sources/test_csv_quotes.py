"""Quotes and line breaks in fields: no row is lost or invented, and each rejection has its line."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.csv_files import read_file

from eugenie_cli.sources.csv import lines as lines_module

WIDE = {"shape": "wide", "asset": {"const": "p1"}, "ignore": ["note", "more"]}
HEADER = "ts,flow,note"
SECOND = 1_767_420_000_000

same_folder = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def stamp(second: int) -> str:
    return f"2026-01-03T{6 + second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}Z"


def seconds(rows) -> list[int]:
    return [(ts - SECOND) // 1000 for _, _, ts, _ in rows]


NOTES = st.text("\",;\n\r\\ a5'", max_size=12)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])
QUOTING = st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])


@pytest.mark.slow
@same_folder
@given(
    st.lists(st.tuples(st.sampled_from(["1.5", "2", "kaputt"]), NOTES, ENDS, QUOTING), min_size=1, max_size=25),
    st.integers(20, 90),
)
def test_properly_quoted_fields_are_read_as_python_reads_them(tmp_path, written, block):
    """The reference is Python's `csv`, for any notes, line ends and block boundaries."""
    text = io.StringIO(newline="")
    text.write(HEADER + "\n")
    for second, (value, note, end, quoting) in enumerate(written):
        if "\r" in note or "\n" in note:  # the writer itself quotes only the one that ends its lines
            quoting = csv.QUOTE_ALL
        csv.writer(text, lineterminator=end, quoting=quoting).writerow([stamp(second), value, note])
    path = tmp_path / "notes.csv"
    path.write_bytes(text.getvalue().encode())
    reader = csv.reader(io.StringIO(text.getvalue(), newline=""))
    next(reader)
    expected, places, before = [], [], reader.line_num
    for second, row in enumerate(filter(None, reader)):
        if row[1] == "kaputt":
            last = reader.line_num
            places.append(str(before + 1) if last == before + 1 else f"{before + 1}-{last}")
        else:
            expected.append(second)
        before = reader.line_num
    rows, tally = read_file(path, WIDE, block)
    assert seconds(rows) == expected
    assert sum(tally.rejected.values()) == len(places)
    shown = [example.split(": ")[0].removeprefix("notes.csv:") for example in tally.examples.get("bad-value", [])]
    assert shown == places[:3]


DAMAGED = st.sampled_from(
    [
        '{ts},"2.41,',
        '{ts},"2.41',
        '{ts},1,"called',
        '"{ts},1,x',
        '{ts},1,"',
        '{ts},"1","a ""quoted"" word',
        '{ts},1,"5"" pipe',
        '{ts},1,"say, what',
    ]
)
SOUND = st.sampled_from(
    [
        "{ts},1,",
        '"{ts}","1","x"',
        '{ts},1,"5"" pipe, new"',
        '{ts},1,5" pipe',
        '{ts},1,""',
        '{ts},1,"two\nlines"',
        '{ts},1,"three\n\n ""lines"""',
        "{ts},1,it's",
        '{ts},1,a "word" here',
    ]
)


@pytest.mark.slow
@same_folder
@given(
    st.lists(st.tuples(st.booleans(), SOUND, DAMAGED), min_size=1, max_size=30),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.integers(20, 200),
    st.booleans(),
)
def test_an_unclosed_quote_costs_only_its_own_line(tmp_path, written, end, block, last_end):
    lines, expected, places, line = [HEADER], [], [], 2
    for second, (sound, good, bad) in enumerate(written):
        row = (good if sound else bad).replace("{ts}", stamp(second))
        lines.append(row.replace("\n", end))
        (expected if sound else places).append(second if sound else line)
        line += row.count("\n") + 1
    path = tmp_path / "open.csv"
    path.write_bytes((end.join(lines) + end * last_end).encode())
    rows, tally = read_file(path, WIDE, block)
    assert seconds(rows) == expected
    assert tally.rejected == ({"missing-field": len(places)} if places else {})
    assert [int(e.split(":")[1]) for e in tally.examples.get("missing-field", [])] == places[:3]


@pytest.mark.slow
@same_folder
@given(st.text('",\n\r\ta1"', max_size=120), st.integers(13, 40))
def test_any_text_is_read_alike_with_any_block_size(tmp_path, text, block):
    path = tmp_path / "soup.csv"
    path.write_bytes(f"{HEADER}\n{stamp(0)},1,a\n{text}\n{stamp(1)},2,b\n".encode())
    expected, expected_tally = read_file(path, WIDE)
    rows, tally = read_file(path, WIDE, block)
    assert (rows, tally.rejected, tally.examples) == (expected, expected_tally.rejected, expected_tally.examples)
    assert (tally.records, tally.lost) == (expected_tally.records, expected_tally.lost)


@pytest.mark.slow
@same_folder
@given(st.lists(st.sampled_from(['"', 'x"', '"x', '"a,b', '",', 'x,"', '""', '"""']), max_size=8), st.data())
def test_good_rows_are_read_despite_junk_between_them(tmp_path, junk, data):
    lines = [f"{stamp(second)},1,x" for second in range(12)]
    for piece in junk:
        lines.insert(data.draw(st.integers(0, len(lines))), piece)
    path = tmp_path / "junk.csv"
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    rows, _ = read_file(path, WIDE, 64)
    assert seconds(rows) == list(range(12))


@pytest.mark.parametrize(
    ("body", "expected", "rejections"),
    [
        ('T0,1,"a\nb\nc"\nT1,kaputt,\n', [0], {"bad-value": ["f.csv:5: flow: 'kaputt'"]}),
        ('T0,1,"a\nb"\nT1,"2\n3",x\nT2,3,\n', [0, 2], {"bad-value": ["f.csv:4-5: flow: '2\\n3'"]}),
        ('T0,"1\nT1,2,\nT2,3",x\nT3,4,\n', [1, 3], {"missing-field": ["f.csv:2: the"], "bad-value": ["f.csv:4: f"]}),
        ('T0,1,"an operator pasted\nT1,9,x\nthis and more"\nT2,3,\n', [0, 2], {}),
        ('x,"\nT1,2,\n",\nT2,3,\n', [1, 2], {"missing-field": ["f.csv:2: the quote of field 2", "f.csv:4: the quote"]}),
        ('T0,1,"open\nT1,2,x\nT2,3,closed"\nT3,4,\n', [1, 2, 3], {"missing-field": ["f.csv:2: the quote of field 3"]}),
        ('T0,1,"a\nb",more,fields\nT1,2,\n', [1], {"missing-field": ["f.csv:2-3: 5 fields, expected 3"]}),
        ('T0,1,"never closed', [], {"missing-field": ["f.csv:2: the quote of field 3 is not closed: 2026"]}),
        ('T0,1,"a\\"b"\nT1,2,\n', [0, 1], {}),
        ('T0,1,x\n"""\nT1,2,\n', [0, 1], {"missing-field": ["f.csv:3: the quote of field 1"]}),
    ],
)
def test_each_kind_of_quote(tmp_path, body, expected, rejections):
    for second in range(4):
        body = body.replace(f"T{second}", stamp(second))
    path = tmp_path / "f.csv"
    path.write_text(f"{HEADER}\n{body}")
    for block in (None, 16, 50):
        rows, tally = read_file(path, WIDE, block)
        assert seconds(rows) == expected
        assert {reason: len(examples) for reason, examples in tally.examples.items()} == {
            reason: len(begins) for reason, begins in rejections.items()
        }
        for reason, begins in rejections.items():
            for example, begin in zip(tally.examples[reason], begins, strict=True):
                assert example.startswith(begin)


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ('ts,"flow\n[bar]"', "flow [bar]"),
        ('"ts","flow\r\n\r\n[bar]"', "flow [bar]"),
        ('\ufeff"ts","flow"', "flow"),
        ('\n\n"ts",flow', "flow"),
        ('sep=,\n"ts",flow', "flow"),
        ('ts,"flow', "flow"),
    ],
)
def test_headers_with_line_breaks_byte_order_marks_and_quotes(tmp_path, header, names):
    path = tmp_path / "f.csv"
    path.write_bytes(f"{header}\n{stamp(0)},1\n{stamp(1)},kaputt\n".encode())
    readings = {"shape": "wide", "tag": None, "asset": {"const": "p1"}}
    rows, tally = read_file(path, readings)
    if names == "flow":
        assert seconds(rows) == [0]
        assert tally.examples["bad-value"][0].startswith(f"f.csv:{header.count(chr(10)) + 3}: ")
    else:
        assert tally.unknown_columns + list(tally.companions) == [names]


def test_a_field_or_a_line_that_never_ends_is_one_rejection(tmp_path, monkeypatch):
    monkeypatch.setattr(lines_module, "LONGEST_LINE", 1000)
    path = tmp_path / "f.csv"
    path.write_text(f"{HEADER}\n{stamp(0)},1,\n{'x' * 5000}\n{stamp(1)},2,\n{stamp(2)},kaputt,\n")
    rows, tally = read_file(path, WIDE, 100)
    assert seconds(rows) == [0, 1]
    assert tally.examples["missing-field"][0].startswith("f.csv:3: a line of more than")
    assert tally.examples["bad-value"][0].startswith("f.csv:5: ")
