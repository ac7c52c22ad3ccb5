"""Malicious site files: refused with a message and a line, without crashing the process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from eugenie_cli.errors import ExitCode
from eugenie_cli.site.yaml_document import parse
from eugenie_cli.site.yaml_limits import MAX_CHARACTERS, MAX_DEPTH, MAX_VALUES

GOOD = "site: s\nclasses: {pump: {sensors: [{name: a}]}}\nassets: {p: {class: pump}}\n"
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = "a: &a {k: v}\n" + "".join(
    f"{name}: &{name}\n  <<: [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
LADDER = "a: &a [[[[[[[[[[x]]]]]]]]]]\n" + "".join(
    f"{name}: &{name} [[[[[[[[[[*{before}]]]]]]]]]]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def indented(levels: int, key: str = "k:") -> str:
    return "".join(f"{' ' * level}{key}\n" for level in range(levels))


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("site: " + "[" * 100_000 + "]" * 100_000, 1, "nested more than 64 deep"),
        ("site: x\nclasses: " + "{a: " * 100_000, 2, "nested more than 64 deep"),
        ("- " * 50_000, 1, "nested more than 64 deep"),
        ("? " * 50_000, 1, "nested more than 64 deep"),
        (indented(2_000), 65, "nested more than 64 deep"),
        (indented(2_000, "- "), 65, "nested more than 64 deep"),
        ("[" * 3_000, 1, "nested more than 64 deep"),
        ("site: x\n" + LADDER, 8, "with the alias *f it is nested more than 64 deep"),
        ("site: x\n" + LAUGHS, 8, "its aliases stand for more than"),
        ("site: x\n" + MERGES, None, "its aliases stand for more than"),
        ("a: &a [*a]\n", 1, "the alias *a is inside the section that it refers to"),
        ("a: &a {<<: *a}\n", 1, "the alias *a is inside the section that it refers to"),
        ("a: &a {b: &b {c: *a}}\n", 1, "the alias *a is inside the section that it refers to"),
        ("a: *nowhere\n", 1, "undefined alias"),
        ("a: &x 1\nb: &x 2\n", None, None),
        ("a: 1\n---\nb: 2\n", 2, "another document"),
        ("site: !!python/object/apply:os.system ['true']\n", 1, "python/object/apply:os.system is not supported"),
        ("site: !mine x\n", 1, "the tag !mine is not supported"),
        ("a: &a !mine {k: v}\nb: {<<: *a}\n", None, "the tag !mine is not supported"),
        ("b:\n  <<: [x]\n", 2, "<< takes a section"),
        ("site: a\0b\n", 1, "the character U+0000 is not allowed"),
        ("site: x\n\tclasses: y\n", 2, "not valid YAML"),
        ("site: 'x\n" * 5, None, "not valid YAML"),
        ("#" * (MAX_CHARACTERS + 1), 1, "characters, at most"),
    ],
    ids=range(24),
)
def test_a_file_that_is_too_deep_too_large_or_not_yaml_is_a_problem_with_its_line(text, line, words):
    document = parse(text)
    if words is None:
        return
    reported = [problem for problem in document.problems if words in problem.message]
    assert reported, [problem.message for problem in document.problems][:3]
    assert line is None or line in [problem.position.line for problem in reported]


def test_a_file_just_within_the_limits_is_read():
    value = parse("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert not value.problems
    rows = "a: &a [1, 2, 3, 4]\nb: [" + ", ".join(["*a"] * 1_000) + "]\n"
    assert len(parse(rows).value["b"]) == 1_000 < MAX_VALUES


def test_written_keys_and_earlier_merged_sections_take_precedence():
    document = parse(
        "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: &c {<<: *b, w: 3}\n"
        "d:\n  x: 4\n  <<: [*a, *c]\n  v: 4\n"
    )  # fmt: skip
    assert document.value["d"] == {"x": "4", "y": "1", "z": "2", "w": "3", "v": "4"}
    lines = {key: document.position(("d", key), key=True).line for key in document.value["d"]}
    assert lines == {"x": 5, "y": 1, "z": 2, "w": 3, "v": 7}


def test_merging_a_section_many_times_costs_no_more_than_writing_it_each_time():
    text = "a: &a {x: {k: 1}, y: 1}\n" + "".join(f"b{number}: {{<<: *a, x: {{k: 2}}}}\n" for number in range(2_000))
    value = parse(text).value
    assert value["b1999"] == {"x": {"k": "2"}, "y": "1"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    [
        b"site: " + b"[" * 100_000,
        b"\xe9" * 10,
        LAUGHS.encode(),
        b"- " * 20_000 + b"\nsite: [",
    ],
    ids=["brackets", "latin-1", "laughs", "dashes"],
)
def test_the_command_ends_with_exit_code_3(tmp_path: Path, content: bytes):
    file = tmp_path / "s.yaml"
    file.write_bytes(content)
    program = "import sys; from eugenie_cli.main import main; main()"
    words = [sys.executable, "-c", program, "config", "check", "--site", str(file)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == ExitCode.INVALID_SITE, done.stderr[-500:]
    assert f"{file}:" in done.stderr and "next: " in done.stderr and "Traceback" not in done.stderr


def test_a_good_file_has_no_problems(tmp_path: Path):
    assert parse(GOOD).problems == []
