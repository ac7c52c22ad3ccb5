"""A table that is drawn without Rich is the one that Rich draws."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich import box
from rich.console import Console as RichConsole
from rich.table import Table
from rich.text import Text

from eugenie_cli.console import FILE_WIDTH, Console
from eugenie_cli.plain_table import drawn

words = st.text(st.sampled_from("aB0.,-_ :[]%äß€─\t\u00ad表"), max_size=12)


def by_rich(columns, rows, right, caption):
    out = io.StringIO()
    table = Table(caption=caption, box=box.SIMPLE_HEAD, caption_justify="left")
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    RichConsole(file=out, highlight=False, width=FILE_WIDTH, emoji=False).print(table)
    return out.getvalue()


@settings(max_examples=30)
@given(st.data())
def test_a_table_is_drawn_as_rich_draws_it_or_not_at_all(data):
    columns = data.draw(st.lists(words.filter(lambda name: "[" not in name), min_size=1, max_size=4))
    rows = data.draw(st.lists(st.lists(words, min_size=len(columns), max_size=len(columns)), max_size=4))
    right, caption = data.draw(st.sets(st.sampled_from(columns))), data.draw(st.none() | words)
    text = drawn(columns, rows, right, FILE_WIDTH, caption)
    assert text is None or text == by_rich(columns, rows, right, caption)


@pytest.mark.parametrize("cell", ["€", "表", "a\nb", " a", "x" * 200, "\u00ad"])
def test_other_signs_and_long_lines_are_left_to_rich(cell):
    assert drawn(["a"], [[cell]], (), FILE_WIDTH) is None
    out = io.StringIO()
    Console(out, io.StringIO()).table(["a"], [[cell]])
    assert out.getvalue() == by_rich(["a"], [[cell]], (), None)


def test_ordinary_words_are_drawn():
    text = drawn(["name", "share"], [["pump-1", "12.5 %"], ["Süd", ""]], ["share"], FILE_WIDTH, "and 2 more")
    assert text == by_rich(["name", "share"], [["pump-1", "12.5 %"], ["Süd", ""]], ["share"], "and 2 more")
    assert text is not None


@pytest.mark.parametrize("name", ["COLUMNS", "FORCE_COLOR"])
def test_what_the_environment_asks_for_is_left_to_rich(name, monkeypatch):
    monkeypatch.setenv(name, "20")
    out = io.StringIO()
    Console(out, io.StringIO()).table(["a", "b"], [["x" * 10, "y" * 10]])
    assert (max(map(len, out.getvalue().splitlines())) == 20) if name == "COLUMNS" else ("\x1b[" in out.getvalue())


def test_an_instant_in_a_wide_table_is_on_one_line():
    out, instant = io.StringIO(), "2026-01-03T06:00:00Z"
    Console(out, io.StringIO()).table([f"column {number}" for number in range(8)], [[instant] * 8])
    assert out.getvalue().count(instant) == 8
