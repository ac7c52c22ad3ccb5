"""What ships to Flink needs no package beyond those that stream workers have, and no module that a name hides."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import eugenie_cli
from eugenie_cli.streaming.package import SHIPPED

PACKAGE = Path(eugenie_cli.__file__).parent
WORKERS_HAVE = {
    "flink_job": {"pyflink", "apache_beam", "numpy", "pandas", "grpc"},
    "readings": {"numpy", "pyarrow", "orjson", "fastavro", "google"},
    "episodes": set(),
    "tfserving": {"numpy", "grpc", "google"},
}
LOADERS_OF_NAMES = ("import_module", "__import__", "resolve_name")
MAY_LOAD_NAMES = {"site/source_plugins.py", "detection/detectors/registry.py"}
"""Plug-ins' entry points, and the detector types: import contracts cannot see what these load."""


def imported(tree: ast.AST) -> set[str]:
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    return {name.partition(".")[0] for name in names} - {*sys.stdlib_module_names, "eugenie_cli"}


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_package_imports_what_workers_have(name):
    for file in sorted((PACKAGE / name).rglob("*.py")):
        assert imported(ast.parse(file.read_text(encoding="utf-8"))) <= WORKERS_HAVE[name], file


@pytest.mark.slow
def test_modules_are_imported_by_statements():
    loading = set()
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
            if name in LOADERS_OF_NAMES:
                loading.add(file.relative_to(PACKAGE).as_posix())
    assert loading == MAY_LOAD_NAMES


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import requests", {"requests"}),
        ("def f():\n    from sqlalchemy.orm import Session", {"sqlalchemy"}),
        ("import os, numpy as np\nfrom . import x\nfrom eugenie_cli.readings import y", {"numpy"}),
    ],
)
def test_any_form_of_import_is_found(text, found):
    assert imported(ast.parse(text)) == found
