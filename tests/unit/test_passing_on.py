"""Functions ask for what they use, not for a whole site to hand on. Where the figures fall, they are lowered here."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.passing_on import COMMANDS, Package

import eugenie_cli

ONLY_HANDED_ON = 30
ENTERED = {"import": 4, "train": 9, "evaluate": 7, "export": 8, "stream submit": 6}
"""Files into which a command brings a whole site."""


@pytest.fixture(scope="module")
def package() -> Package:
    return Package(Path(eugenie_cli.__file__).parent)


@pytest.mark.slow
def test_few_functions_only_hand_a_site_on(package):
    found = package.passing_on()
    assert len(found) <= ONLY_HANDED_ON, "\n".join(found)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_brings_its_site_into_few_files(package, command):
    found = package.entered_from(*COMMANDS[command])
    assert len(found) <= ENTERED[command], "\n".join(sorted(found))


SITE = "class Site: ...\n"
GIVEN = """
from functools import partial
from made.site import Site

class Keeper:
    def __init__(self, site: Site) -> None:
        self._site = site

    def look(self) -> None:
        looks(self._site)

def looks(site: Site) -> str:
    return site.name

def hands_on(site: Site, more: int) -> str:
    return looks(site)

def hands_on_later(site: "Site") -> object:
    return partial(looks, site)

def by_name(*, site: Site) -> str:
    return looks(site=site)

def has_no_use_for_it(site: Site) -> None: ...

def keeps(site: Site) -> Keeper:
    return Keeper(site)

def never_called(site: Site) -> str:
    return looks(site)
"""
COMMAND = """
def command(name: str) -> None:
    from made.load import open_site
    from made.given import hands_on, keeps

    site = open_site(name)
    hands_on(site, 1)
    keeps(open_site(name))
"""
LOAD = "from made.site import Site\n\ndef open_site(name: str) -> Site: ...\n"


@pytest.fixture
def made(tmp_path) -> Package:
    root = tmp_path / "made"
    root.mkdir()
    for name, text in {"site": SITE, "given": GIVEN, "command": COMMAND, "load": LOAD}.items():
        (root / f"{name}.py").write_text(text, encoding="utf-8")
    return Package(root)


def test_who_looks_into_a_site_keeps_it_or_ignores_it_does_not_hand_it_on(made):
    names = ("hands_on", "hands_on_later", "by_name", "keeps", "never_called")
    assert made.passing_on() == [f"given.{name}" for name in names]


def test_a_site_enters_what_is_called_with_it(made):
    assert made.entered_from("command") == {"given"}
    assert {place.name for place in made.reached("command")} == {"command", "hands_on", "looks", "keeps", "Keeper"}
