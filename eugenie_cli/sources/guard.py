"""Turns what an importer raises or returns unexpectedly into an error of its source, so that others are imported."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import Any

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import Batch
from eugenie_cli.history.manifest import Item
from eugenie_cli.progress import Advance
from eugenie_cli.site.source_plugins import broken
from eugenie_cli.sources.contract import fault_of_batch, fault_of_items
from eugenie_cli.sources.interface import GrowingImporter, Importer, PlannedImporter, SourceItem, Tally
from eugenie_cli.sources.windows.browsing import Browsed


def open_importer(make: Callable[[], Importer], source_type: str) -> GuardedImporter:
    """The guarded importer that `make` returns. Raises EugenieError, naming the type's package, if that fails."""
    with _guarded(source_type, "opening the source"):
        return GuardedImporter(make(), source_type)


class GuardedImporter:
    """An importer whose exceptions other than EugenieError become one that names the package of its type.

    With `--debug` they are passed on unchanged, with their traceback, except SystemExit, which would end the command.
    A result that does not follow the interface is such an error, too.
    """

    def __init__(self, importer: Importer, source_type: str) -> None:
        self._importer = importer
        self._source_type = source_type

    @cached_property
    def planned(self) -> PlannedImporter | None:
        """The importer itself if its items depend on what was imported before."""
        return self._importer if isinstance(self._importer, PlannedImporter) else None

    def items(self, held: Mapping[str, Item] | None = None) -> Sequence[SourceItem]:
        """`held`: the source's items in the history."""
        with self._guarded("listing its items"):
            items = self.planned.plan(held or {}) if self.planned is not None else self._importer.items()
            self._check(fault_of_items(items), "listing its items")
        return items

    def recognized(self, held: Mapping[str, Item]) -> Sequence[SourceItem]:
        """The source's own items, for a comparison with those in the history; does not ask a source that is planned."""
        if self.planned is None:
            return self.items()
        with self._guarded("listing its items"):
            items = self.planned.recognized(held)
            self._check(fault_of_items(items), "listing its items")
        return items

    def browse(self, pattern: str | None) -> Sequence[Browsed]:
        """The tags of the source. Raises EugenieError if its type cannot list them."""
        list_tags = getattr(self._importer, "browse", None)
        if list_tags is None:
            raise EugenieError(
                f"sources of type {self._source_type} cannot be browsed",
                "look at its files, or use its server's own tools",
            )
        with self._guarded("listing its tags"):
            return list(list_tags(pattern))

    def close(self) -> None:
        if self.planned is not None:
            with self._guarded("closing the source"):
                self.planned.close()

    def missing(self, key: str) -> str:
        try:
            with self._guarded("explaining what is missing"):
                why = self._importer.missing(key)
                self._check_text(why, "explaining what is missing")
        except EugenieError as error:
            return error.reason
        return why

    def settings(self) -> Mapping[str, Any]:
        with self._guarded("describing its settings"):
            settings = self._importer.settings()
            json.dumps({**settings, "rules": ""}, sort_keys=True)  # as `settings_digest` does
        return settings

    def digest(self, item: SourceItem) -> str:
        with self._guarded(f"hashing {item.key}"):
            digest = self._importer.digest(item)
            self._check_text(digest, f"hashing {item.key}")
        return digest

    def continues(self, item: SourceItem, state: Mapping[str, Any]) -> bool:
        if not isinstance(self._importer, GrowingImporter):
            return False
        with self._guarded(f"comparing {item.key}"):
            return bool(self._importer.continues(item, state))

    def read(
        self, item: SourceItem, tally: Tally, advance: Advance, known: Mapping[str, Any] | None = None
    ) -> Iterator[Batch]:
        """`known`: what was kept with the item, if it `continues`: only the rest is read."""
        with self._guarded(f"reading {item.key}"):
            if known is not None and isinstance(self._importer, GrowingImporter):
                batches = iter(self._importer.read_on(item, known, tally, advance))
            else:
                batches = iter(self._importer.read(item, tally, advance))
        while True:
            with self._guarded(f"reading {item.key}"):
                try:
                    batch = next(batches)
                except StopIteration:
                    return
                self._check(fault_of_batch(batch), f"reading {item.key}")
            yield batch  # outside the guard: what the writer raises is not the importer's

    def _check(self, fault: str | None, doing: str) -> None:
        if fault is not None:
            raise broken(self._source_type, f"failed {doing}: it returned {fault}")

    def _check_text(self, text: object, doing: str) -> None:
        self._check(None if isinstance(text, str) else f"{type(text).__name__} instead of text", doing)

    def _guarded(self, doing: str) -> AbstractContextManager[None]:
        return _guarded(self._source_type, doing)


@contextmanager
def _guarded(source_type: str, doing: str) -> Iterator[None]:
    try:
        yield
    except EugenieError:
        raise
    except (Exception, SystemExit) as error:
        if os.environ.get("EUGENIE_DEBUG") == "1" and not isinstance(error, SystemExit):
            raise
        raise broken(source_type, f"failed {doing}: {type(error).__name__}: {error}") from error
