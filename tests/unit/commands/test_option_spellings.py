"""Each option has one name and one meaning across all commands; old names are accepted with a warning."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperOption
from typer.main import get_command

from eugenie_cli.commands.renamed import RENAMED
from eugenie_cli.main import app

ROOT = Path(__file__).parents[3]
FLAG, CHOICE = "", "<table|json>"
WITH_CSV = "<table|json|csv>"  # the rows of a query
# Option -> the name of its value, and its only meaning. A new option is added here, or is one of these.
OPTIONS = {
    "--accept-alarms": (FLAG, "what the champion alarms on is normal"),
    "--again": (FLAG, "repeat work even if nothing has changed"),
    "--anomalies": ("FILE", "where anomaly records are written"),
    "--asset": ("ASSET", "only these assets"),
    "--beside": (FLAG, "submit although the site's job runs from another workspace"),
    "--bounded": (FLAG, "score without Kafka and Flink, up to a fixed end"),
    "--browse": (FLAG, "list what a source has"),
    "--canary": ("CLASS=PERCENT", "share of requests of a newest version"),
    "--candidate": ("VERSION", "a second model version to compare"),
    "--class": ("CLASS", "only these classes"),
    "--continue": (FLAG, "warm start from the champion"),
    "--days": ("DAYS", "length of a history"),
    "--debug": (FLAG, "show tracebacks"),
    "--down-on-exit": (FLAG, "stop the engines when supervising ends"),
    "--drain": (FLAG, "end the stream"),
    "--dry-run": (FLAG, "show what would be done, do nothing"),
    "--epochs": ("COUNT", "epochs of a training"),
    "--faults": ("KINDS", "faults of the simulated plant"),
    "--follow": (FLAG, "keep printing"),
    "--force": (FLAG, "do it despite an objection"),
    "--from": ("INSTANT", "first instant of a period"),
    "--from-savepoint": ("PATH", "the state to resume from"),
    "--image": ("IMAGE", "name of a container image"),
    "--jobs": ("COUNT", "number of classes trained in parallel"),
    "--keep": (FLAG, "leave the started engines running at the end"),
    "--labels": ("FILE", "known faults"),
    "--lines": ("COUNT", "number of lines of a log"),
    "--look": (FLAG, "look at files that are named"),
    "--match": ("PATTERN", "only names that match"),
    "--minutes": ("MINUTES", "length of a live stretch"),
    "--model-version": ("VERSION", "the model version"),
    "--monitoring-namespace": ("NAMESPACE", "namespace of Prometheus"),
    "--name": ("NAME", "name of a new site"),
    "--offline": (FLAG, "do not pull the image"),
    "--only": ("ENGINES", "only these engines"),
    "--origin": (FLAG, "show where values come from"),
    "--output": (CHOICE, "how data is rendered"),
    "--output-dir": ("FOLDER", "where files are written"),
    "--parallelism": ("COUNT", "parallelism of the stream job"),
    "--plant-dir": ("FOLDER", "an exported simulated plant"),
    "--prune": (FLAG, "drop what nothing leads to any more"),
    "--report": ("FILE", "where the report is written"),
    "--savepoint": (FLAG, "take a savepoint"),
    "--scores": ("FILE", "where scores are written"),
    "--seconds": ("SECONDS", "end after that time"),
    "--secret": ("NAME", "the Kubernetes secret that rendered files name"),
    "--seed": ("NUMBER", "seed of the simulated plant"),
    "--service-account": ("NAME", "the Kubernetes service account that rendered files name"),
    "--since": ("WHEN", "an age or instant to start from"),
    "--site": ("SITE", "the site"),
    "--source": ("SOURCE", "the source that describes a file"),
    "--speed": ("FACTOR", "plant seconds per second"),
    "--start-at": ("POSITION", "where in Kafka the job starts"),
    "--state": ("URI", "where checkpoints and savepoints are stored"),
    "--stream-namespace": ("NAMESPACE", "namespace of the Flink job"),
    "--supervise": (FLAG, "keep running and restart what dies"),
    "--target": ("TARGET", "the platform that files are rendered for"),
    "--to": ("INSTANT", "instant at which a period ends"),
    "--upgrade": (FLAG, "replace the running job"),
    "--version": (FLAG, "the version of eugenie"),
    "--worst": ("COUNT", "only so many, those that need most attention"),
    "--yes": (FLAG, "do not ask"),
}

# What users write with other tools, too: a site file begins from exports, a period from an instant.
OF_ONE_COMMAND = {("init", "--from"): ("FILE", "sample exports")}


def commands(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """(path, command) of all commands."""
    command = command or get_command(app)
    yield " ".join(path), command
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, (*path, name))


COMMANDS = dict(commands())


def options() -> Iterator[tuple[str, str, TyperOption]]:
    """(path, name, option) of every option; the name is its first long one."""
    for path, command in COMMANDS.items():
        for option in command.params:
            if isinstance(option, TyperOption):
                yield path, next(name for name in option.opts if name.startswith("--")), option


def test_the_list_has_exactly_the_options_in_use():
    assert {spelling for _, spelling, _ in options()} == set(OPTIONS)


def test_no_two_options_mean_the_same():
    meanings = [meaning for _, meaning in (*OPTIONS.values(), *OF_ONE_COMMAND.values())]
    assert len(set(meanings)) == len(meanings)


def test_an_option_takes_the_same_kind_of_value_everywhere():
    for path, spelling, option in options():
        value = FLAG if option.is_flag else option.metavar or CHOICE
        expected, _ = OF_ONE_COMMAND.get((path, spelling), OPTIONS[spelling])
        assert value == expected, f"eugenie {path} {spelling}"


def test_values_have_english_names_in_the_help():
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert set(re.findall(r"<[^<>=\n]+>", page)) == {CHOICE, WITH_CSV}
    assert not re.findall(r"^Usage: .*[{}].*", page, re.MULTILINE)


def test_commands_that_take_classes_or_assets_as_options_take_them_as_arguments_too():
    for path, command in COMMANDS.items():
        names = {name for option in command.params for name in option.opts}
        arguments = {option.metavar for option in command.params if not isinstance(option, TyperOption)}
        if "--class" in names and path not in ("stream replay", "history quality"):  # arguments: a file, assets
            assert "CLASS" in arguments, path
        if "--asset" in names and path != "stream replay":
            assert "ASSET" in arguments, path


OLD = [(path, old, new) for path, renamed in RENAMED.items() for old, new in renamed.items()]
REQUIRED = {"stream render": ("--target", "kubernetes")}


def parsed(path: str, *words: str) -> dict[str, Any]:
    required = REQUIRED.get(path, ())
    missing = required if required[:1] and required[0] not in " ".join(words) and "--kubernetes" not in words else ()
    return COMMANDS[path].make_context(f"eugenie {path}", [*words, *missing]).params


@pytest.mark.parametrize(("path", "old", "new"), OLD, ids=lambda given: str(given))
def test_an_old_name_means_the_new_one_and_gives_a_warning(capsys, path, old, new):
    (option,) = (option for option in COMMANDS[path].params if new[0] in option.opts)
    values = () if option.is_flag or len(new) > 1 else ("7",)
    expected = parsed(path, *new, *values)
    assert capsys.readouterr().err == ""
    assert parsed(path, old, *values) == expected
    warning = f"warning: {old} is now {' '.join(new)}; the next release will not accept {old}\n"
    assert capsys.readouterr().err == warning
    if values:
        assert parsed(path, f"{old}=7") == expected


@pytest.mark.parametrize(("path", "old", "new"), OLD, ids=lambda given: str(given))
def test_no_help_shows_an_old_name(path, old, new):
    names = {name for option in COMMANDS[path].params for name in option.opts}
    assert old not in names and set(new[:1]) <= names


def test_a_value_that_looks_like_an_old_name_stays(capsys):
    assert parsed("stream submit", "--site", "--from", "--start-at", "latest")["site"] == "--from"
    assert parsed("train", "--", "--force")["classes"] == ["--force"]
    assert capsys.readouterr().err == ""


def test_documents_use_no_old_name():
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "templates").rglob("*.*")):
        text = page.read_text(encoding="utf-8") if page.is_file() else ""
        for path, old, _ in OLD:
            assert not re.search(rf"eugenie {path}\b[^`\n]*(?<=\s){old}\b(?!-)", text), f"{page.name}: {path} {old}"


def test_classes_can_be_given_as_arguments_or_options():
    for path in ("train", "evaluate", "export", "models list", "models drift"):
        by_argument, by_option = parsed(path, "pump"), parsed(path, "--class", "pump")
        assert by_argument["classes"] == by_option["class_names"] == ["pump"], path
