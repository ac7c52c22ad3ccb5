"""Where a whole `Site` goes: functions that only pass it on, and the files that it enters from a command.

A function that passes a site on without using it requires more of its callers than it needs. The analysis reads only
the source, by names and imports. It does not follow calls through a table or an object's method, but the methods of a
class that was created with a site count as entered.

    python -m support.passing_on [FOLDER]     # from tests/; the figures of a package, by default the installed one
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from support.docstring_names import tree_of

TYPE = "Site"
COMMANDS = {
    "import": ("commands.import_", None),
    "train": ("commands.train", None),
    "evaluate": ("commands.evaluate", None),
    "export": ("commands.export", None),
    "stream submit": ("commands.stream", "submit"),
}
"""Command -> module, and the function in it; None: all functions."""

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Place:
    """A function or a class of the package."""

    module: str
    name: str


@dataclass
class Module:
    """What a file defines, and its names for imported objects."""

    tree: ast.Module
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Local name -> (module, name in it); the name is empty for a module."""

    @cached_property
    def functions(self) -> dict[str, Function]:
        return {node.name: node for node in self.tree.body if isinstance(node, _FUNCTIONS)}

    @cached_property
    def classes(self) -> dict[str, ast.ClassDef]:
        return {node.name: node for node in self.tree.body if isinstance(node, ast.ClassDef)}


class Package:
    """The modules of a folder, named without the package's own name: `streaming.submit`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.modules: dict[str, Module] = {}
        for file in sorted(root.rglob("*.py")):
            name = ".".join(file.relative_to(root).with_suffix("").parts)
            self.modules[name.removesuffix(".__init__")] = Module(tree_of(file))
        for module in self.modules.values():
            module.imports = dict(self._imports(module.tree))

    def _imports(self, tree: ast.Module) -> Iterator[tuple[str, tuple[str, str]]]:
        for node in _statements(tree):  # imports inside functions count
            if not isinstance(node, ast.ImportFrom) or node.module is None:
                continue
            package, _, source = node.module.partition(".")
            for alias in node.names:
                if package != self.root.name:
                    continue
                inner = f"{source}.{alias.name}".strip(".")
                target = (inner, "") if inner in self.modules else (source, alias.name)
                yield alias.asname or alias.name, target

    def passing_on(self) -> list[str]:
        """`module.function` of functions that take a Site and only pass it to others."""
        return [
            f"{name}.{node.name}"
            for name, module in self.modules.items()
            for node in _statements(module.tree)
            if isinstance(node, _FUNCTIONS) and any(_only_handed_on(node, site) for site in _sites(node))
        ]

    def entered_from(self, module: str, function: str | None = None) -> set[str]:
        """Modules with a function or class that is called with a Site, at any depth, from a module's functions."""
        return {place.module for place in self.reached(module, function)} - {module}

    def reached(self, module: str, function: str | None = None) -> set[Place]:
        """The functions and classes that are called with a Site, including those to begin with."""
        begin = self.modules[module].functions
        waiting = [Place(module, name) for name in begin if function in (None, name)]
        seen = set(waiting)
        while waiting:
            for callee in self._called(waiting.pop()):
                if callee not in seen:
                    seen.add(callee)
                    waiting.append(callee)
        return seen

    def _called(self, place: Place) -> Iterator[Place]:
        module = self.modules[place.module]
        definition = module.classes.get(place.name) or module.functions.get(place.name)
        if definition is None:
            return
        functions = [node for node in (definition, *_statements(definition)) if isinstance(node, _FUNCTIONS)]
        known = {site for function in functions for site in _sites(function)}
        known |= {
            target.id
            for node in ast.walk(definition)
            if isinstance(node, ast.Assign) and self._opens(module, node.value)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(definition):
            if not isinstance(node, ast.Call):
                continue
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            given += [inner for value in given if isinstance(value, ast.Tuple) for inner in value.elts]
            if any(_is_site(value, known) or self._opens(module, value) for value in given):
                # a function may be passed with its arguments, to `partial` or to a pool
                yield from (target for value in (node.func, *given) if (target := self._target(place.module, value)))

    def _opens(self, module: Module, value: ast.expr) -> bool:
        """Whether `value` calls a function that returns a Site."""
        if not isinstance(value, ast.Call) or not isinstance(value.func, ast.Name):
            return False
        source, name = module.imports.get(value.func.id, ("", ""))
        function = self.modules[source].functions.get(name) if source in self.modules else None
        return function is not None and _is_annotated(function.returns)

    def _target(self, inside: str, value: ast.expr) -> Place | None:
        module = self.modules[inside]
        if isinstance(value, ast.Name):
            place = module.imports.get(value.id, (inside, value.id))
        elif isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name):
            place = (module.imports.get(value.value.id, ("", ""))[0], value.attr)
        else:
            return None
        target_module = self.modules.get(place[0])
        if target_module is None or place[1] not in target_module.functions | target_module.classes:
            return None
        return Place(*place)


def _statements(node: ast.AST) -> Iterator[ast.stmt]:
    """Every statement below a node, those inside functions among them. Expressions hold none, and are most nodes."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child
        if isinstance(child, (ast.stmt, ast.ExceptHandler, ast.match_case)):
            yield from _statements(child)


def _sites(function: Function) -> list[str]:
    """Parameters of type Site."""
    given = function.args
    return [
        parameter.arg
        for parameter in (*given.posonlyargs, *given.args, *given.kwonlyargs)
        if _is_annotated(parameter.annotation)
    ]


def _is_annotated(annotation: ast.expr | None) -> bool:
    return annotation is not None and ast.unparse(annotation).strip("'\"") == TYPE


def _only_handed_on(function: Function, site: str) -> bool:
    nodes = [node for statement in function.body for node in ast.walk(statement)]
    used = [node for node in nodes if isinstance(node, ast.Name) and node.id == site]
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    given = [value for call in calls for value in (*call.args, *(keyword.value for keyword in call.keywords))]
    return bool(used) and all(any(name is value for value in given) for name in used)


def _is_site(value: ast.expr, known: set[str]) -> bool:
    if isinstance(value, ast.Name):
        return value.id in known
    if isinstance(value, ast.Attribute) and value.attr in (
        "site",
        "_site",
    ):  # an object's site; a site's own `site` is its name
        return not _is_site(value.value, known)
    return False


def main() -> None:
    """Print the figures."""
    import eugenie_cli

    package = Package(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(eugenie_cli.__file__).parent)
    functions = package.passing_on()
    print("\n".join(functions))
    print(f"{len(functions)} functions only pass a site on")
    for command, (module, function) in COMMANDS.items():
        print(f"{command}: a site enters {len(package.entered_from(module, function))} files")


if __name__ == "__main__":
    main()
