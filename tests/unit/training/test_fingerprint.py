"""A recipe covers all code that affects a model."""

from __future__ import annotations

import ast
from pathlib import Path

from eugenie_cli.training import build, fingerprint

FOLDER = Path(build.__file__).parent
KEEPS = {"checkpoint", "mmap_arrays"}
"""Modules that only store things, which does not affect a model."""


def used_by(module: str) -> set[str]:
    """Modules of `training` that a module of it imports."""
    imported = set()
    for node in ast.walk(ast.parse((FOLDER / f"{module}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("eugenie_cli.training"):
            inner = str(node.module).split(".")[2:]
            imported |= set(inner[:1]) or {name.name for name in node.names}
    return imported


def test_all_modules_that_make_a_model_are_in_its_recipe() -> None:
    seen: set[str] = set()
    waiting = {"build"}
    while waiting:
        module = waiting.pop()
        seen.add(module)
        waiting |= used_by(module) - seen
    assert seen - KEEPS <= set(fingerprint.MODULES)
    assert {"trainer", "batches", "layers"} <= seen
