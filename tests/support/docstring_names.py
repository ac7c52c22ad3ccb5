"""Names in backticks in docstrings, and what they may refer to. Both are read from the source; nothing is imported.

A name may begin with a package or module (`episodes.state_machine.step`, or the module's own name,
`state_machine.step`), a class (`Episode.to_state`), or a key of the site file (`serving.address`).
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "eugenie_cli"

_BACKTICKED = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_CALLED_MODULE = re.compile(r"(?<=\b[Mm]odule `)[a-z]\w*(?=`)|(?<=`)[a-z]\w*(?=` (?:module|package)\b)")
_DOTTED = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)(?:\(.*\))?")
_COMMENT = re.compile(r"(?:^|\s)# .*$")
_OF_SELF = re.compile(r"\bself\.(\w+)")
_WORD = re.compile(r"[A-Za-z_]\w*")

Definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class Quoted:
    """A text in backticks, with the file and line of its docstring and the parameters in scope there."""

    file: Path
    line: int
    text: str
    parameters: frozenset[str]

    @property
    def dotted(self) -> list[str]:
        """The parts of a dotted name, without a call's arguments; empty if the text is not a dotted name."""
        match = _DOTTED.fullmatch(self.text)
        return match[1].split(".") if match else []

    @property
    def word(self) -> str:
        """The text, if it is one identifier; otherwise empty."""
        return self.text if _WORD.fullmatch(self.text) else ""

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line}: `{self.text}`"


@dataclass
class Class:
    """Known members of a class, and the names of its bases."""

    members: set[str] = field(default_factory=set)
    bases: list[str] = field(default_factory=list)


@functools.cache
def sources() -> dict[Path, ast.Module]:
    """Every handwritten module of the package."""
    files = sorted(path for path in PACKAGE.rglob("*.py") if not path.name.endswith("_pb2.py"))
    return {path: tree_of(path) for path in files}


@functools.cache
def tree_of(path: Path) -> ast.Module:
    """A file's syntax tree, parsed once for all tests of a process."""
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def code() -> dict[Path, str]:
    """Every module's source without docstrings and comments."""
    return {path: _without_docstrings(path) for path in sources()}


def _without_docstrings(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    for docstring, _ in _docstrings()[path]:
        assert docstring.end_lineno is not None
        lines[docstring.lineno - 1 : docstring.end_lineno] = [""] * (docstring.end_lineno - docstring.lineno + 1)
    return "\n".join(_COMMENT.sub("", line) for line in lines)


def module_name(path: Path) -> str:
    """A file's module, such as `episodes.state_machine`; for an `__init__.py`, the package."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def modules() -> dict[str, set[str]]:
    """Module or package -> its names: definitions, constants, imported names, its own modules."""
    held = {module_name(path): set(_held(tree, path.name == "__init__.py")) for path, tree in sources().items()}
    for name in list(held):
        parent, _, own = name.rpartition(".")
        held[parent].add(own)
    del held[""]
    return held


@functools.cache
def classes() -> dict[str, Class]:
    """Class -> its members, over all classes of that name."""
    by_name: dict[str, Class] = {}
    for path, tree in sources().items():
        for node in _classes_in(tree):
            known = by_name.setdefault(node.name, Class())
            known.members |= _members(node, path)
            known.bases += [ast.unparse(base).split("[")[0].split(".")[-1] for base in node.bases]
    return by_name


def classes_by_package() -> dict[str, set[str]]:
    """Top-level package or module -> the names of its classes."""
    by_package: dict[str, set[str]] = {}
    for path, tree in sources().items():
        top = path.relative_to(PACKAGE).with_suffix("").parts[0]
        by_package.setdefault(top, set()).update(node.name for node in _classes_in(tree))
    return by_package


@functools.cache
def identifiers() -> frozenset[str]:
    """Every word of the code, including its strings and file names, but not docstrings and comments."""
    files = {part for path in sources() for part in path.relative_to(PACKAGE).with_suffix("").parts}
    return frozenset(files.union(*map(_WORD.findall, code().values())))


@functools.cache
def quoted() -> tuple[Quoted, ...]:
    """Every text in backticks in a docstring of the package."""
    return tuple(_matches(_BACKTICKED))


@functools.cache
def called_modules() -> tuple[Quoted, ...]:
    """Names that a docstring calls a module or a package."""
    return tuple(_matches(_CALLED_MODULE))


def docstrings() -> Iterator[tuple[Path, str]]:
    """Every docstring with its file."""
    for path, texts in _docstrings().items():
        yield from ((path, docstring.value) for docstring, _ in texts)


def _matches(pattern: re.Pattern[str]) -> Iterator[Quoted]:
    for path, texts in _docstrings().items():
        for docstring, parameters in texts:
            for text in pattern.findall(docstring.value):
                yield Quoted(path, docstring.lineno, text, parameters)


def resolves(parts: list[str]) -> bool:
    """Whether a dotted name exists in a module, a package or a class."""
    if parts[0] == PACKAGE.name:
        return len(parts) == 1 or (parts[1] in _top_level() and _held_by(parts[1], parts[2:]))
    return any(_held_by(module, parts[1:]) for module in _modules_named(parts[0])) or _is_member(parts)


@functools.cache
def defined_below(package: Path) -> set[str]:
    """Modules in and below a package, what they define, and the fields and methods of their classes."""
    names: set[str] = set()
    for path, tree in sources().items():
        if package in path.parents:
            names |= {path.stem, path.parent.name, *_held(tree, is_package=False)}
            names = names.union(*(_members(node, path) for node in _classes_in(tree)))
    return names


def is_of_the_project(first: str) -> bool:
    """Whether a dotted name with this first part refers to a package, module or class of the project."""
    return first == PACKAGE.name or bool(_modules_named(first)) or first in classes()


def _top_level() -> set[str]:
    return {name for name in modules() if "." not in name}


def _modules_named(name: str) -> list[str]:
    return [module for module in modules() if module.rpartition(".")[2] == name]


def _held_by(module: str, rest: list[str]) -> bool:
    if not rest:
        return True
    if f"{module}.{rest[0]}" in modules():
        return _held_by(f"{module}.{rest[0]}", rest[1:])
    return rest[0] in modules()[module] and (len(rest) == 1 or _is_member(rest))


def _is_member(parts: list[str]) -> bool:
    """Whether `Class.member` exists. Members inherited from foreign classes are unknown and assumed to exist."""
    known = classes().get(parts[0])
    if known is None or len(parts) < 2:
        return False
    return parts[1] in known.members or any(
        _is_member([base, *parts[1:]]) if base in classes() else base not in ("object", "Protocol", "NamedTuple")
        for base in known.bases
    )


def _held(tree: ast.Module, is_package: bool) -> Iterator[str]:
    """A module's own names; for a package, also names that it re-exports from its modules."""
    for statement in _statements(tree):
        if isinstance(statement, Definitions):
            yield statement.name
        elif isinstance(statement, (ast.Import, ast.ImportFrom)) and is_package:
            yield from (alias.asname or alias.name for alias in statement.names)
        yield from _assigned(statement)


def _statements(node: ast.AST) -> Iterator[ast.stmt]:
    """Statements at a module's top level, including those inside `if` and `try`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child
        if isinstance(child, (ast.If, ast.Try, ast.ExceptHandler)):
            yield from _statements(child)


def _classes_in(node: ast.AST) -> Iterator[ast.ClassDef]:
    """Classes anywhere below a node. Only statements can contain classes, so expressions are skipped."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield child
        if isinstance(child, (ast.stmt, ast.ExceptHandler)):
            yield from _classes_in(child)


def _members(node: ast.ClassDef, path: Path) -> set[str]:
    names = {inner.name for inner in node.body if isinstance(inner, Definitions)}
    names |= {name for statement in node.body for name in _assigned(statement)}
    return names.union(_OF_SELF.findall("\n".join(code()[path].splitlines()[node.lineno - 1 : node.end_lineno])))


def _assigned(statement: ast.stmt) -> Iterator[str]:
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    for target in targets:
        if target is not None:
            yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))


@functools.cache
def _docstrings() -> dict[Path, list[tuple[ast.Constant, frozenset[str]]]]:
    return {path: list(_docstring_nodes(tree, frozenset())) for path, tree in sources().items()}


def _docstring_nodes(node: ast.AST, parameters: frozenset[str]) -> Iterator[tuple[ast.Constant, frozenset[str]]]:
    """Texts used as statements (docstrings, including those of constants), each with the parameters in scope."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        parameters |= {inner.arg for inner in ast.walk(node.args) if isinstance(inner, ast.arg)}
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant) and isinstance(child.value.value, str):
            yield child.value, parameters
        elif isinstance(child, (ast.stmt, ast.ExceptHandler)):
            yield from _docstring_nodes(child, parameters)
