"""Old names of options: accepted for one release, absent from the help, each with a warning that gives the new name.

To drop them, delete this module and the `cls=` arguments that refer to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from eugenie_cli.commands.command import Command
from eugenie_cli.console import Console

if TYPE_CHECKING:
    from collections.abc import Sequence

RENAMED: dict[str, dict[str, tuple[str, ...]]] = {
    "train": {"--force": ("--again",)},
    "evaluate": {"--version": ("--model-version",)},
    "export": {"--version": ("--model-version",)},
    "up": {"--keep": ("--supervise",)},
    "demo": {"--dir": ("--output-dir",)},
    "simulate export": {"--dir": ("--output-dir",)},
    "simulate live": {"--dir": ("--plant-dir",)},
    "stream submit": {"--from": ("--start-at",), "--savepoint": ("--from-savepoint",)},
    "stream replay": {"--version": ("--model-version",)},
    "stream render": {"--dir": ("--output-dir",), "--kubernetes": ("--target", "kubernetes")},
}
"""Command -> old name -> its replacement."""


def with_old_spellings(path: str) -> type[Command]:
    """The class for the command `eugenie <path>`, which also accepts the old names."""
    old = RENAMED[path]

    class Renaming(Command):
        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            taking = {name for option in self.params if not getattr(option, "is_flag", True) for name in option.opts}
            return super().parse_args(ctx, list(_renewed(args, old, taking)))

    return Renaming


def _renewed(args: Sequence[str], old: Mapping[str, tuple[str, ...]], taking: set[str]) -> Iterator[str]:
    """The words of a command line with current names. `taking`: options whose next word is their value."""
    words = iter(args)
    for word in words:
        name, equals, value = word.partition("=")
        if word == "--":
            yield word
            break
        new = old.get(name)
        if new is not None:
            Console().say(f"warning: {name} is now {' '.join(new)}; the next release will not accept {name}")
            yield from (*new[:-1], new[-1] + equals + value)
            name = new[-1]
        else:
            yield word
        if name in taking and not equals:
            yield from (next_word for next_word in (next(words, None),) if next_word is not None)
    yield from words
