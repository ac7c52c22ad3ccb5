"""Docstrings are held to the code: what they name in backticks exists."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from support import docstring_names
from support.docstring_names import ROOT, Quoted

from eugenie_cli.site.introspection import known_keys

FILES = (".config", ".csv", ".db", ".gz", ".json", ".jsonl", ".lock", ".npz", ".proto", ".sock", ".txt", ".yaml")
"""Ends of file names, which look like attributes."""

FOREIGN = {
    "client.containers.create": "the Docker SDK's",
    "Row.of": "Flink's, in Java",
    "evaluate.point.f1": "a metric in MLflow",
    "evaluate.baselines.mewma.vus_pr": "a metric in MLflow",
    "pipeline.py": "a file that is rendered",
    "pyflink": "Flink's package",
    "env_auth": "rclone's",
    "key_by": "PyFlink's",
    "CET": "a time zone",
    "CEST": "a time zone",
    "PT101_VALUE": "a column's name",
    "signature_def": "a field of TensorFlow Serving's metadata",
}
"""Names that others have given, and that look like ours."""


def is_site_key(parts: list[str]) -> bool:
    """Whether the site file may have this key: `serving.address`, also as `site.serving.address`."""
    path = parts[1:] if parts[0] == "site" else parts
    return bool(path) and path[-1] in known_keys(tuple(path[:-1]))


def is_unknown(quoted: Quoted) -> bool:
    """Whether a name speaks of the project's packages, modules, classes or site file, and is in none of them."""
    parts = quoted.dotted
    if not parts or ".".join(parts) in FOREIGN or quoted.text.endswith(FILES) or parts[0] in quoted.parameters:
        return False
    return docstring_names.is_of_the_project(parts[0]) and not (docstring_names.resolves(parts) or is_site_key(parts))


def in_the_package(text: str, file: str = "episodes/state_machine.py") -> Quoted:
    return Quoted(docstring_names.PACKAGE / file, 1, text, frozenset({"rows"}))


def shown(found: Iterable[Quoted]) -> str:
    return "\n".join(map(str, found))


@pytest.mark.slow
def test_dotted_names_lead_to_a_module_class_or_key():
    unknown = [quoted for quoted in docstring_names.quoted() if is_unknown(quoted)]
    assert not unknown, shown(unknown)


@pytest.mark.slow
def test_single_names_are_somewhere_in_the_code():
    known = docstring_names.identifiers() | FOREIGN.keys()
    unknown = [quoted for quoted in docstring_names.quoted() if quoted.word and quoted.word not in known]
    assert not unknown, shown(unknown)


@pytest.mark.slow
def test_a_package_names_its_own_modules():
    unknown = [
        quoted
        for quoted in docstring_names.quoted()
        if quoted.file.name == "__init__.py"
        and quoted.word
        and quoted.word not in FOREIGN
        and quoted.word not in docstring_names.defined_below(quoted.file.parent)
    ]
    assert not unknown, shown(unknown)


@pytest.mark.slow
def test_what_is_called_a_module_is_one():
    basenames = {name.rpartition(".")[2] for name in docstring_names.modules()}
    unknown = [quoted for quoted in docstring_names.called_modules() if quoted.text not in basenames | FOREIGN.keys()]
    assert not unknown, shown(unknown)


def test_files_of_the_project_exist():
    """`docs/design.md` from its root; `files.py` anywhere, unless the program writes a file of that name."""
    names = {path.name for folder in ("eugenie_cli", "docs", "templates") for path in (ROOT / folder).rglob("*")}
    code = "\n".join(docstring_names.code().values())
    for quoted in docstring_names.quoted():
        first, _, rest = quoted.text.partition("/")
        if rest and first in ("docs", "templates", "eugenie_cli", "tests", "benchmarks"):
            assert (ROOT / quoted.text).exists(), str(quoted)
        elif quoted.text.endswith((".py", ".md")) and "*" not in quoted.text and " " not in quoted.text:
            assert Path(quoted.text).name in names or f'"{quoted.text}"' in code, str(quoted)


@pytest.mark.parametrize(
    "text",
    [
        "episodes.state_machine.step",
        "eugenie_cli.episodes.state_machine.step",
        "state_machine.step(rule, episode, row)",
        "Episode.to_state",
        "serving.address",
        "site.serving.runtime",
        "rows.shape",
        "models.config",
        "numpy.ndarray",
    ],
)
def test_such_names_are_let_be(text):
    assert not is_unknown(in_the_package(text))


@pytest.mark.parametrize(
    "text",
    ["episodes.machine", "state_machine.advance", "Episode.to_json", "serving.adress", "eugenie_cli.streamjob.desk"],
)
def test_such_names_would_be_noticed(text):
    if text.startswith("eugenie_cli."):
        assert not docstring_names.resolves(in_the_package(text).dotted)
    else:
        assert is_unknown(in_the_package(text))
