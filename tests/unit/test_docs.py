"""The documents are held to the code: commands parse, examples load, the help is up to date."""

from __future__ import annotations

import ast
import functools
import importlib.util
import json
import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support.documents import DOCS, README, ROOT, blocks, named, text, written
from typer.main import get_command

from eugenie_cli.errors import ExitCode
from eugenie_cli.main import app
from eugenie_cli.workspace import Workspace

WITHOUT_COMMANDS = {"CONTRIBUTING.md", "design.md", "glossary.md", "readings.md"}
"""Documents that may show no command of eugenie's; so may decisions."""

# Documents stand alone: they name no folder of the machine that they were written on, and nothing about how they came
# to be. (What they may link to: test_links.py.)
FORBIDDEN = {
    "a machine's folder": r"(?<![\w>])/(?:work|root|home|tmp|mnt)/",
    "work in progress": r"\bissue #\d|\bsession\b(?! cluster)|\bTODO\b|\bFIXME\b",
}


@functools.cache
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_cli", ROOT / "docs" / "generate_cli.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# -- every document -----------------------------------------------------------------------------------------


@named
@pytest.mark.parametrize("what", FORBIDDEN)
def test_it_speaks_of_the_project_alone(path, what):
    found = re.search(FORBIDDEN[what], text(path))
    assert found is None, f"{path.name} names {what}: {found[0]!r}"


# -- commands -----------------------------------------------------------------------------------------------


def command_lines(path: Path) -> Iterator[str]:
    """Lines of console blocks, and `eugenie ...` in the running text."""
    for block in blocks(path, "console"):
        yield from (line for line in block.splitlines() if line.startswith("eugenie"))
    prose = re.sub(r"^```.*?^```$", "", text(path), flags=re.MULTILINE | re.DOTALL)
    yield from (" ".join(code.split()) for code in re.findall(r"`(eugenie [^`]+)`", prose))


def parse(line: str) -> None:
    """Parse a command line as `eugenie` would, without running it. Raises what Typer raises."""
    words = shlex.split(line.split(" > ")[0])[1:]
    command, path = get_command(app), ["eugenie"]
    while words and words[0] in getattr(command, "commands", {}):
        path.append(words.pop(0))
        command = command.commands[path[-1]]  # type: ignore[attr-defined]
    names = getattr(command, "commands", None)
    assert not (names and words and not words[0].startswith("-")), f"{line}: {path[-1]} has no command {words[0]}"
    if words and words not in (["--help"], ["--version"]) and words[0] != "...":
        command.make_context(" ".join(path), words)
    elif any(parameter.required for parameter in command.params):
        assert words or len(path) > 1, line


@pytest.mark.slow
@written
def test_every_command_that_is_shown_can_be_given(path):
    lines = list(dict.fromkeys(command_lines(path)))
    assert lines or path.name in WITHOUT_COMMANDS or path.parent.name == "decisions"
    for line in lines:
        parse(line)


def test_a_command_or_option_that_does_not_exist_would_be_noticed():
    with pytest.raises(AssertionError, match="has no command rewind"):
        parse("eugenie stream rewind")
    with pytest.raises(Exception, match="No such option"):
        parse("eugenie train --gpu")
    with pytest.raises(Exception, match="Missing parameter"):
        parse("eugenie models promote pump")


@pytest.mark.slow
def test_the_table_of_commands_is_complete():
    shown = {}
    for row in re.findall(r"^\| (`eugenie [^|]+) \|", text(README), re.MULTILINE):
        first, *others = re.findall(r"`([^`]+)`", row)
        group = first.split()[:-1]
        shown |= dict.fromkeys([tuple(first.split()[1:]), *((*group[1:], other) for other in others)])
    # `up`, `down` and `status` share a line, and are of no group
    leaves = {
        path for path in generator().commands(get_command(app)) if path and not hasattr(_command(path), "commands")
    }
    assert set(shown) == leaves


def _command(path: tuple[str, ...]) -> Any:
    command: Any = get_command(app)
    for name in path:
        command = command.commands[name]
    return command


@pytest.mark.slow
def test_the_page_of_the_commands_is_up_to_date():
    page = generator().page()
    assert " ".join(text(ROOT / "docs" / "cli.md").split()) == " ".join(page.split()), (
        "run .venv/bin/python docs/generate_cli.py"
    )


@pytest.mark.slow
def test_help_is_plain_text_everywhere():
    assert not re.search("[╭╮╰╯│\x1b]", generator().page())


def test_make_targets_exist():
    targets = set(re.findall(r"^([a-z]+):", text(ROOT / "Makefile"), re.MULTILINE))
    for path in DOCS:
        shown = re.findall(r"(?:`|^)make ([a-z]+)", text(path), re.MULTILINE)
        assert set(shown) <= targets, path.name


def test_exit_codes_are_the_programs():
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", text(README), re.MULTILINE)}
    assert listed == {int(code) for code in ExitCode}


@pytest.mark.slow
def test_hints_of_errors_name_commands_that_exist():
    hints = set()
    for file in (ROOT / "eugenie_cli").rglob("*.py"):
        # a value that is filled in stands for some name
        source = re.sub(r"\{[^{}]*\}", "1", text(file))
        hints |= {" ".join(hint.split()) for hint in re.findall(r"`(eugenie [a-z][^`\"|.]*)`", source)}
    assert len(hints) > 10
    for hint in sorted(hints):
        parse(hint)


# -- the design ------------------------------------------------------------------------------------------------

DESIGN = ROOT / "docs" / "design.md"


def defined_in(module: Path) -> set[str]:
    """Names that a module defines or imports at its top level, and the methods of its classes."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(text(module))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).split(".")[-1])
    return names


def test_interfaces_name_modules_and_functions_that_exist():
    (block,) = blocks(DESIGN, "python")
    found = re.findall(r"(?<![\w.\"])([a-z_]+)\.([a-z_]+)\.([A-Za-z_]+)", re.sub(r"python -m \S+", "", block))
    assert len(found) > 20
    for package, module, name in found:
        file = ROOT / "eugenie_cli" / package / f"{module}.py"
        assert file.exists(), f"{package}.{module}"
        assert name in defined_in(file), f"{package}.{module}.{name}"


def test_every_package_has_its_line():
    section = text(DESIGN).split("## Packages")[1].split("```")[1]
    packages = {path.parent.name for path in (ROOT / "eugenie_cli").glob("*/__init__.py")}
    assert set(re.findall(r"^(?:main, )?(\w+)/", section, re.MULTILINE)) == packages


def test_every_reason_of_a_dead_letter_is_listed():
    from eugenie_cli.readings.reject_reasons import REASONS

    (listed,) = re.findall(r"^`reason`: (.*?)\n\(", text(DESIGN), re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"`([a-z-]+)`", listed)) == set(REASONS)


def test_records_have_the_members_that_the_design_says():
    from eugenie_cli.episodes.records import anomaly_record, dead_letter, score_record
    from eugenie_cli.episodes.state_machine import Event

    section = text(DESIGN).split("## Records on Kafka")[1].split("\n## ")[0]
    event = Event("open", 0, 0, 0, None, None, 2.0, 2.0, (1.0,), (1.0,), (2.0,), 1)
    records = (
        score_record("s", "a", "c", 0, 1.2, 8, 1, "c", 1),
        anomaly_record("s", "a", "c", [("pressure", "bar")], event, "c"),
        {**dead_letter("late", "", None), "count": 1},
    )
    for record in records:
        (written,) = re.findall(rf"`(\{{\"schema\": \"{record['schema']}\".*?)`", section, re.DOTALL)
        assert set(re.findall(r'"(\w+)"(?=:|, "|\}|\[, "|\])', written)) >= set(record)


# -- the README's examples --------------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path):
    """The README's site file, with the README's export beside it."""
    from eugenie_cli.site.load import load_site

    (site_file,) = blocks(README, "yaml")
    export = next(block for block in blocks(README, "csv") if block.startswith("time,"))
    (tmp_path / "site-configs").mkdir()
    (tmp_path / "exports").mkdir()
    (tmp_path / "site-configs" / "my-plant.yaml").write_text(site_file, encoding="utf-8")
    (tmp_path / "exports" / "pump-1.csv").write_text(export, encoding="utf-8")
    return load_site(tmp_path / "site-configs" / "my-plant.yaml")


def test_the_site_file_is_valid(site):
    assert site.site == "my-plant"
    assert site.assets_of("pump") == ("pump-1", "pump-2")
    assert site.topics.readings == "my-plant.readings"
    assert [period.asset for period in site.exclude] == ["pump-1"]


def test_the_export_is_imported_to_the_last_reading(site):
    from eugenie_cli.history.site_history import open_history
    from eugenie_cli.sources.importing import import_sources

    (report,) = import_sources(site)
    assert (report.new, report.readings, report.bad_quality) == (1, 6, 1)
    assert (report.rejected, report.unknown_columns, report.failed) == ({}, {}, [])
    readings = open_history(site).read("pump-1")
    assert set(readings.names) == set(site.classes["pump"].sensor_names)
    # the file's times are local, three hours ahead of UTC
    assert readings.ts.min() == 1_767_214_800_250


def test_the_labels_are_read(site, tmp_path):
    from eugenie_cli.site.labels import Labelled, read_labels

    labels = next(block for block in blocks(README, "csv") if block.startswith("asset,"))
    (tmp_path / "faults.csv").write_text(labels, encoding="utf-8")
    (label,) = read_labels(tmp_path / "faults.csv", Labelled(site.timezone, site.assets, site.classes)).of(["pump-1"])
    assert label.sensors == ("motor_current", "discharge_pressure")


def test_the_messages_are_readings_that_lead_to_their_sensors(site):
    from eugenie_cli.readings.mapping import compile_mapping
    from eugenie_cli.readings.reading import Reading
    from eugenie_cli.readings.routing import Router

    mapping = site.kafka.readings.model_dump(mode="json")
    to_readings = compile_mapping(mapping, site.timezone)
    router = Router(
        {name: {"class": asset.class_name, "tags": asset.tags} for name, asset in site.assets.items()},
        {name: one.sensor_names for name, one in site.classes.items()},
    )
    routes = []
    for line in blocks(README, "json")[0].splitlines():
        (reading,) = to_readings(json.loads(line))
        assert isinstance(reading, Reading) and reading.good
        routes.append(router.route(reading.asset, reading.sensor, reading.tag))
    assert routes == [("pump-2", 2), ("pump-1", 0)]


def test_the_folders_of_a_workspace_are_named():
    section = text(README).split("## Where files are stored")[1].split("\n## ")[0]
    folders = {name for name in vars(Workspace) if isinstance(vars(Workspace)[name], property)}
    assert [field.name for field in fields(Workspace)] == ["root"]
    for folder in folders - {"checkpoints", "savepoints"}:
        assert f"`{folder}/" in section, folder
    assert "flink/savepoints/" in section


def test_the_testbed_is_reached_by_the_variable_that_is_named(monkeypatch):
    from eugenie_cli.site.load import load_site

    monkeypatch.setenv("EUGENIE_DATA", os.sep + "somewhere")
    (source,) = load_site(ROOT / "site-configs" / "skab.yaml").sources
    assert source.path == "/somewhere/skab/valve1/*.csv"


def test_the_demos_tables_look_like_the_example():
    from io import StringIO

    from eugenie_cli.commands.demo_report import report
    from eugenie_cli.console import Console
    from eugenie_cli.demo.judge import Ledger, Verdict
    from eugenie_cli.demo.run import Result

    injected, detected = "2026-01-05T10:07:00.000Z", "2026-01-05T10:21:50.000Z"
    verdict = Verdict("cavitation", "P-104", injected, detected, 890.0, ("flow",), True)
    ledger = Ledger(3, 1, 1, 1, (("late", 1),))
    out = StringIO()
    result = Result([verdict], [], ledger, 1.0, {}, Path(), Path())
    report(result, kept=False, console=Console(out, StringIO()))
    example = next(block for block in blocks(README, "text") if block.startswith("Faults"))
    shown = " ".join(out.getvalue().split())
    for words in (
        "fault asset injected detected delay sensors named",
        "cavitation P-104 10:07:00 10:21:50 14.8 min",
        "False alarms: none",
        "sent in rows bad quality dead letters",
        "every reading accounted for",
    ):
        assert words in shown and words in " ".join(example.split()), words
