"""Functions take few parameters: what travels together is one value, such as a request. Lower the numbers as they
fall."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from support.passing_on import Function

import eugenie_cli

ROOT = Path(eugenie_cli.__file__).parent
MANY = 6
"""More parameters than this are hard to read at a call."""
WITH_MANY = 19
"""Functions of the package with more than `MANY`, leaf functions of keyword options among them."""
MOST = 10

# A command's parameters are its options. Generated code is nobody's to read.
LEFT_OUT = ("commands/*.py", "tfserving/protos/*.py")


def parameters(function: Function) -> int:
    """Number of its parameters, without `self` and `cls`."""
    given = function.args
    names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len([name for name in names if name not in ("self", "cls")])


@pytest.fixture(scope="module")
def found() -> dict[str, int]:
    """`file:line name` -> number of parameters, where there are many."""
    left_out = {file for pattern in LEFT_OUT for file in ROOT.glob(pattern)}
    counts = {
        f"{file.relative_to(ROOT)}:{node.lineno} {node.name}": parameters(node)
        for file in sorted(set(ROOT.rglob("*.py")) - left_out)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    return {name: count for name, count in counts.items() if count > MANY}


@pytest.mark.slow
def test_few_functions_take_many_parameters(found):
    assert len(found) <= WITH_MANY, "\n".join(found)


@pytest.mark.slow
def test_no_function_takes_more_parameters_than_the_longest_one(found):
    assert max(found.values()) <= MOST, max(found, key=lambda name: found[name])
