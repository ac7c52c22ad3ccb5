"""The only printer: data on stdout, everything else on stderr, tables and JSON of the same object."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from typing import Any, TextIO

from eugenie_cli.masking import mask
from eugenie_cli.plain_table import drawn
from eugenie_cli.printable import harmless, harmless_json
from eugenie_cli.progress import Advance

FILE_WIDTH = 160
"""Columns of tables in a file or a pipe, unless the environment says how many."""
UNFOLDED_WIDTH = 200
"""A table of ordinary words that is at most this wide is not folded in a file: half an instant is hard to find."""
WIDTHS_AND_COLOURS = {"COLUMNS", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "JPY_PARENT_PID"}
"""Variables of the environment that change what Rich prints into a file."""


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: dataclasses become dicts, paths and dates strings."""
    return json.loads(json.dumps(value, default=_encode, allow_nan=False))


def _encode(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if hasattr(value, "item"):
        return value.item()
    return str(value)


def shown(text: str) -> str:
    """The text as it may be printed: without secrets and without control characters."""
    return harmless(mask(text))


def _masked(value: Any) -> Any:
    """`value`, as `plain` returns it, without secrets."""
    if isinstance(value, dict):
        return {key: _masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item) for item in value]
    return mask(value) if isinstance(value, str) else value


class Console:
    """Writes to stdout and stderr, or to streams that a test passes. Implements `progress.Progress`."""

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.out = out if out is not None else sys.stdout
        self.err = err if err is not None else sys.stderr
        self._bars: Any = None

    @property
    def interactive(self) -> bool:
        """True when stdout is a terminal."""
        return self.out.isatty()

    @property
    def asks(self) -> bool:
        """True when a user at a terminal can answer a question."""
        return sys.stdin.isatty() and self.err.isatty()

    def _rich(self, stream: TextIO) -> Any:
        from rich.console import Console as RichConsole

        width = None if stream.isatty() or "COLUMNS" in os.environ else FILE_WIDTH
        return RichConsole(file=stream, highlight=False, soft_wrap=False, width=width, emoji=False)

    # -- data, on stdout ---------------------------------------------------------------------------

    def json(self, value: Any) -> None:
        """Print one JSON document on stdout."""
        self.out.write(harmless_json(json.dumps(_masked(plain(value)), indent=2, ensure_ascii=False)) + "\n")
        self.out.flush()

    def json_line(self, value: Any) -> None:
        """Print one line of JSON on stdout."""
        self.json_text(json.dumps(plain(value), ensure_ascii=False))

    def json_text(self, text: str) -> None:
        """Print one line of JSON on stdout that is already text, such as a Kafka record. Its meaning is unchanged."""
        self.out.write(harmless_json(text) + "\n")
        self.out.flush()

    def line(self, text: str) -> None:
        """Print one line of plain text on stdout."""
        self.out.write(shown(text) + "\n")
        self.out.flush()

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[Any]],
        *,
        title: str | None = None,
        right: Sequence[str] = (),
        caption: str | None = None,
    ) -> None:
        """Print a table on stdout; the columns named in `right` are right-aligned."""
        texts = [["" if cell is None else shown(str(cell)) for cell in row] for row in rows]
        if title is None and self._is_file:
            text = drawn(columns, texts, right, UNFOLDED_WIDTH, caption)
            if text is not None:
                self.out.write(text)
                self.out.flush()
                return
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(title=title, caption=caption, box=box.SIMPLE_HEAD, title_justify="left", caption_justify="left")
        for name in columns:
            table.add_column(name, justify="right" if name in right else "left", overflow="fold")
        for row in texts:
            table.add_row(*map(Text, row))
        self._rich(self.out).print(table)

    @property
    def _is_file(self) -> bool:
        """True if Rich would print plain text of `FILE_WIDTH` on stdout: no terminal, and nothing that asks for one."""
        return not self.out.isatty() and not WIDTHS_AND_COLOURS & os.environ.keys()

    def renderable(self, renderable: Any) -> None:
        """Print any Rich object on stdout."""
        self._rich(self.out).print(renderable)

    @contextmanager
    def live(self, render: Any) -> Iterator[Any]:
        """Show a live view on the terminal; yields a function that takes the next Rich object to show."""
        from rich.live import Live

        with Live(render, console=self._rich(self.out), refresh_per_second=4, transient=False) as view:
            yield view.update

    # -- everything else goes to stderr ------------------------------------------------------------------

    def say(self, message: str) -> None:
        """Print one line of narration on stderr."""
        message = shown(message)
        if self._bars is not None:
            self._bars.console.print(message, markup=False)
        else:
            self.err.write(message + "\n")
            self.err.flush()

    def error(self, reason: str, hint: str | None = None) -> None:
        """Print an error on stderr: what is wrong, then what to do next."""
        colour = self.err.isatty() and "NO_COLOR" not in os.environ
        head, tail = ("\x1b[1;31m", "\x1b[0m") if colour else ("", "")
        self.err.write(f"{head}error:{tail} {shown(reason)}\n")
        if hint:
            self.err.write(f"  next: {shown(hint)}\n")
        self.err.flush()

    @contextmanager
    def task(self, label: str, total: float | None = None, unit: str = "") -> Iterator[Advance]:
        """Show a progress bar on a terminal; elsewhere print one line when the task ends."""
        if not self.err.isatty():
            done = 0.0

            def count(amount: float) -> None:
                nonlocal done
                done += amount

            yield count
            self.say(f"{label}: {done:,.0f}{' ' + unit if unit else ''}" if done else label)
            return
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
        )

        outer = self._bars is None
        if outer:
            self._bars = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[unit]}"),
                TimeElapsedColumn(),
                console=self._rich(self.err),
            )
            self._bars.start()
        try:
            task = self._bars.add_task(label, total=total, unit=unit)
            yield lambda amount: self._bars.advance(task, amount)
        finally:
            if outer:
                self._bars.stop()
                self._bars = None
