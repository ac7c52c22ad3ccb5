"""What contributors are told holds: targets of make, marks of tests, hooks, the map, the changelog, decisions."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support.documents import ROOT, links, text

import eugenie_cli

MAKEFILE = text(ROOT / "Makefile")
PYPROJECT = text(ROOT / "pyproject.toml")
CONTRIBUTING = text(ROOT / "CONTRIBUTING.md")
CHANGELOG = text(ROOT / "CHANGELOG.md")

DECISIONS = ROOT / "docs" / "decisions"
PAGES = sorted(DECISIONS.glob("[0-9]*.md"))
LONGEST = 45
"""Lines of a decision: about a page."""

LONGEST_MODULE = 300
"""Lines: one idea fits into them."""


def test_make_help_lists_every_target():
    listed = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    (targets,) = re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)
    assert re.findall(r"^([a-z]+) +\S", listed, re.MULTILINE) == targets.split()


def test_marks_of_tests_are_explained():
    (marks,) = re.findall(r"^markers = \[\n(.*?)^\]", PYPROJECT, re.MULTILINE | re.DOTALL)
    registered = re.findall(r'^ +"(\w+):', marks, re.MULTILINE)
    assert set(registered) == set(re.findall(r"^\| `(\w+)` \| .+ \| (?:left out|runs) \|", CONTRIBUTING, re.MULTILINE))


def test_hooks_are_local_and_use_the_environments_tools():
    (repository,) = yaml.safe_load(text(ROOT / ".pre-commit-config.yaml"))["repos"]
    assert repository["repo"] == "local"
    for hook in repository["hooks"]:
        tool, *_ = hook["entry"].split()
        assert hook["language"] == "system"
        assert (Path(sys.prefix) / "bin" / tool.removeprefix(".venv/bin/")).exists(), tool


def test_every_folder_is_on_the_map():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("no git checkout")
    folders = {file.partition("/")[0] for file in tracked.stdout.splitlines() if "/" in file}
    shown = set(re.findall(r"^\| `([\w/-]+)/` \|", CONTRIBUTING, re.MULTILINE))
    assert {name for name in folders if not name.startswith(".")} <= shown
    assert all((ROOT / name).is_dir() for name in shown)


def test_the_package_is_typed_for_those_who_import_it():
    assert (Path(eugenie_cli.__file__).parent / "py.typed").is_file()
    assert 'packages = ["eugenie_cli"]' in PYPROJECT  # a wheel has all that lies in it


def test_no_module_is_over_300_lines():
    root = Path(eugenie_cli.__file__).parent
    modules = (file for file in root.rglob("*.py") if not file.name.endswith("_pb2.py"))  # those are generated
    lengths = {str(file.relative_to(root)): len(text(file).splitlines()) for file in modules}
    assert [name for name, lines in lengths.items() if lines > LONGEST_MODULE] == []
    assert f"at most {LONGEST_MODULE} lines" in CONTRIBUTING


def test_the_changelog_has_the_words_of_keep_a_changelog():
    kinds = re.findall(r"^### (.+)$", CHANGELOG, re.MULTILINE)
    assert set(kinds) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    first, *versions = re.findall(r"^## (.+)$", CHANGELOG, re.MULTILINE)
    assert first == "Unreleased"
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ - \d{4}-\d\d-\d\d", version) for version in versions)
    assert versions[0].split()[0] == eugenie_cli.__version__


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_decision_says_why_and_what_follows(page):
    assert re.findall(r"^## (.+)$", text(page), re.MULTILINE) == ["Context", "Decision", "Consequences"]
    assert len(text(page).splitlines()) <= LONGEST


def test_decisions_are_numbered_and_listed():
    assert [int(page.name[:4]) for page in PAGES] == list(range(1, len(PAGES) + 1))
    titles = {page.name: re.findall(r"^# (.+)$", text(page), re.MULTILINE)[0] for page in PAGES}
    assert all(title.startswith(f"{int(name[:4])}. ") for name, title in titles.items())
    listed = dict(re.findall(r"^- \[(.+)\]\((.+)\)$", text(DECISIONS / "README.md"), re.MULTILINE))
    assert {name: title for title, name in listed.items()} == titles
    assert "decisions/README.md" in links(ROOT / "docs" / "design.md")
