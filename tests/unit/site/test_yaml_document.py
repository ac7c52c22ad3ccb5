"""YAML as written: text stays text, and every value has its position."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from eugenie_cli.site import yaml_document
from eugenie_cli.site.diagnostics import Position
from eugenie_cli.site.yaml_document import Document, parse


def messages(text: str) -> list[str]:
    return [problem.show("f") for problem in parse(text).problems]


@pytest.mark.parametrize(
    "written", ["no", "0123", "12:30:00", "1e3", "0x10", "1_000", "on", "2026-01-03", "1.10", "=", "<"]
)
def test_plain_values_stay_as_written(written):
    assert parse(f"key: {written}").value == {"key": written}


@pytest.mark.parametrize("written", ["", "~", "null"])
def test_only_empty_values_are_none(written):
    assert parse(f"key: {written}").value == {"key": None}


def test_a_quoted_null_is_text():
    assert parse('key: "null"').value == {"key": "null"}


def test_keys_are_text_too():
    assert parse("101: a\nno: b").value == {"101": "a", "no": "b"}


def test_values_and_keys_have_their_positions():
    document = parse("a:\n  b: [1, {c: x}]\n")
    assert document.position(("a", "b", 1, "c")) == Position(2, 14)
    assert document.position(("a", "b", 1, "c"), key=True) == Position(2, 11)
    assert document.position(("a", "b")) == Position(2, 3)  # for a section or list: its key
    assert document.position(("a", "missing")) == Position(1, 1)  # the section that lacks it


def test_every_duplicate_key_is_reported_with_the_first_ones_line():
    assert messages("a: 1\nb: {c: 1, c: 2}\na: 2") == [
        "f:2:11: b.c: duplicate key, first used in line 2",
        "f:3:1: a: duplicate key, first used in line 1",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a: [1, 2",
            "f:1:9: not valid YAML: while parsing a flow sequence, expected ',' or ']', but got '<stream end>'",
        ),
        ("a: b: c", "f:1:5: not valid YAML: mapping values are not allowed here"),
        (
            "a: 1\n---\nb: 2",
            "f:2:1: not valid YAML: expected a single document in the stream, but found another document",
        ),
        ("a: *unknown", "f:1:4: not valid YAML: found undefined alias 'unknown'"),
        (
            "a: !!python/object:os.system x",
            "f:1:4: a: the tag tag:yaml.org,2002:python/object:os.system is not supported",
        ),
        ("? [a]\n: b", "f:1:3: a key must be plain text"),
        ("a: &x [*x]", "f:1:8: the alias *x is inside the section that it refers to"),
        ("a: \x07", "f:1:4: not valid YAML: the character U+0007 is not allowed"),
    ],
)
def test_invalid_yaml_is_reported_with_its_position(text, message):
    assert messages(text) == [message]


def test_aliases_and_merges_are_understood():
    document = parse("base: &b {x: 1, y: 2}\none: *b\ntwo: {<<: *b, y: 3}\n")
    assert document.value == {
        "base": {"x": "1", "y": "2"},
        "one": {"x": "1", "y": "2"},
        "two": {"x": "1", "y": "3"},
    }
    assert document.position(("two", "y")) == Position(3, 18)


_PLAIN = st.recursive(
    st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f\x85"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@pytest.mark.slow
@given(_PLAIN.filter(lambda value: not isinstance(value, str)))
def test_any_quoted_yaml_is_read_back_and_the_position_of_every_value_is_right(value):
    text = yaml.safe_dump(value, default_style='"', allow_unicode=True, width=10_000)
    document = parse(text)
    assert document.value == value and document.problems == []
    lines = text.split("\n")
    for path in document.values:
        position = document.position(path)
        written = lines[position.line - 1][position.column - 1 :]
        member = value
        for part in path:
            member = member[part]
        if isinstance(member, str):
            assert written.startswith('"')


SCALARS = st.sampled_from(["", "~", "null", "a", "1", "yes", "a b", "# x", "'", '"', "a: b", "é", "<<", "[", "- x"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SCALARS, inner, max_size=3), max_leaves=12
)
ODD_TEXTS = ("", "a", "a: 1\n---\nb: 2", "? [a]\n: b", "a: !x b", "a: &b 1\nc: *b", "a: 1\na: 2", "a: [" * 70, "- - a")


@settings(max_examples=60)
@given(
    st.sampled_from(ODD_TEXTS) | st.builds(yaml.safe_dump, VALUES, default_flow_style=st.sampled_from([None, False]))
)
def test_the_short_way_to_a_document_gives_what_the_long_way_gives(text):
    short = parse(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml_document, "_ordinary", lambda _: None)
        long = parse(text)
    assert described(short) == described(long)


def described(document: Document) -> tuple:
    places = [
        {at: (mark.line, mark.column) for at, mark in marks.items()} for marks in (document.values, document.keys)
    ]
    return document.value, *places, document.containers, document.problems


@pytest.mark.parametrize(
    ("text", "is_literal"),
    [("a: b", True), ("a: ${x}", False), ('a: "\\u0024{x}"', False), ("a: &b ${x}", False)],
)
def test_a_text_is_literal_only_if_nothing_in_it_can_be_replaced(text, is_literal):
    assert parse(text).is_literal is is_literal
