"""Only the command that is called is built, and the program is the same as with all of them."""

from __future__ import annotations

import pytest
from typer.main import get_command, get_group
from typer.testing import CliRunner

from eugenie_cli.main import app, called

EVERY = list(get_command(app).commands)


@pytest.mark.parametrize("name", EVERY)
def test_a_command_is_the_same_alone(name):
    alone, among_all = get_group(called(app, [name, "x"])), get_command(app)
    assert list(alone.commands) == [name]
    assert (
        CliRunner().invoke(called(app, [name]), [name, "--help"]).output
        == CliRunner().invoke(app, [name, "--help"]).output
    )
    assert [option.name for option in alone.params] == [option.name for option in among_all.params]


@pytest.mark.parametrize("words", [[], ["--help"], ["--version"], ["imprt"], ["--help", "import"], ["--debug"]])
def test_all_commands_are_there_for_help_and_for_words_that_are_none(words):
    assert called(app, words) is app


def test_a_traceback_may_be_asked_for_before_the_command():
    assert list(get_group(called(app, ["--debug", "train"])).commands) == ["train"]
