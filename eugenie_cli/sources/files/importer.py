"""What the importers of files share: which files there are, how they are recognized, and which asset they are of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from eugenie_cli.errors import EugenieError
from eugenie_cli.files import sha256_of
from eugenie_cli.history.batch import Batch
from eugenie_cli.printable import printable
from eugenie_cli.progress import Advance
from eugenie_cli.readings.mapping import PARTS, bind_file
from eugenie_cli.site.schema import Site
from eugenie_cli.sources.files.archives import inside, is_archive, members, split_pattern, without_archives
from eugenie_cli.sources.files.compression import without_compression
from eugenie_cli.sources.files.finding import matching, state_of
from eugenie_cli.sources.files.names import bind_captures
from eugenie_cli.sources.files.opening import raw_bytes
from eugenie_cli.sources.files.settings import FileSettings
from eugenie_cli.sources.files.stated import bind_names, states_in
from eugenie_cli.sources.interface import SourceItem, Tally, router_of
from eugenie_cli.sources.records.unclear_days import UnclearDaysError

if TYPE_CHECKING:  # what reads files takes a while to import, and is not needed if no file has changed
    from eugenie_cli.sources.files.tables import TableContext


class FileImporter:
    """An importer with one item per file, or per file in an archive. A type of files implements `read_file`."""

    def __init__(self, source: FileSettings, site: Site) -> None:
        self._source, self._site = source, site
        self._base = site.base.resolve()
        self._below = f"{self._base}/"
        self._mapping = source.readings.model_dump(mode="json")
        parts = (self._mapping.get(part) or {} for part in PARTS)
        self._has_patterns = any(part.get("file") for part in parts) or states_in(self._mapping, "file")
        self._router = router_of(site)

    def items(self) -> Sequence[SourceItem]:
        """The files that match the source's path, sorted, with unreadable ones: reading those raises the error."""
        pattern = self._site.resolve(self._source.path)
        archives, within = split_pattern(pattern)
        items: list[SourceItem] = []
        for path in matching(archives):
            archive = Path(path) if path[-4:].lower() == ".zip" else None
            contained = members(archive, within) if archive is not None and is_archive(archive) else None
            if contained or (contained is not None and within is not None):
                items.extend(self._item(str(file), content) for file, content in contained.items())
            else:  # an archive that is unreadable or empty, too: reading it raises the error
                items.append(self._item(path))
        if not items:
            raise EugenieError(
                f"source {self._source.name}: no file matches {printable(str(pattern))}",
                hint=f"correct `path` of the source in {self._site.file}",
            )
        return items

    def _item(self, path: str, content: Mapping[str, int] | None = None) -> SourceItem:
        """A file, with a key relative to the site's folder, so that it is recognized after the folder was moved.

        `content`: of a file in an archive, what changes with it.
        """
        key = path.removeprefix(self._below)
        state = {**state_of(path), **(content or {})}
        size = state.get("member_size", state.get("size", 0))
        return SourceItem(key, size, state, (path,) if key != path else (), self._names(path))

    def _names(self, path: str) -> dict[str, str]:
        """What a file's name says about its readings."""
        if not self._has_patterns:
            return {}
        try:
            bound = self._bound(Path(path))
        except EugenieError:  # reading the file raises it again
            return {}
        return {
            name: str(part.get("date") or part.get("start")) if name == "ts" else part["const"]
            for name, part in bound.items()
            if part != self._mapping[name]
        }

    def _bound(self, path: Path) -> dict[str, Any]:
        """The mapping of a file, with its patterns filled in."""
        if not self._has_patterns:
            return self._mapping
        plain: PurePath = without_compression(path)
        if inside(path) is not None:
            plain = without_archives(plain)
        mapping = bind_names(self._mapping, plain, self._site.timezone)
        return bind_file(bind_captures(mapping, plain, self._known), str(plain))

    def missing(self, key: str) -> str:
        """Why `items` no longer contains an imported item."""
        path, archive = self._base / key, None
        try:
            archive = inside(path)
            exists = path.exists() or (archive is not None and path in (members(archive[0], None) or ()))
        except OSError as error:
            return f"its file cannot be accessed: {error.strerror}"
        if not exists and archive is not None:
            return "it is no longer in its archive"
        return "the source's `path` does not match it" if exists else "its file is gone"

    def settings(self) -> Mapping[str, Any]:
        """The source's own settings, the time zone, and the routing table."""
        return {
            "source": self._source.model_dump(mode="json", exclude={"name", "path"}),
            "timezone": self._site.timezone,
            "routes": sorted([str(field) for field in route] for route in self._router.table()),
        }

    def digest(self, item: SourceItem) -> str:
        """SHA-256 of the file. Raises EugenieError if it cannot be read."""
        path = self._base / item.key
        try:
            with raw_bytes(path) as file:
                return sha256_of(file)
        except OSError as error:
            raise EugenieError(
                f"{printable(str(path))} cannot be read: {error.strerror}",
                hint="let the user that runs eugenie read the file, and check the disk or the network share",
            ) from error

    def mapping_of(self, path: Path) -> dict[str, Any]:
        """The mapping of a file. Raises EugenieError if the site has no such asset."""
        mapping = self._bound(path)
        asset = (mapping["asset"] or {}).get("const")
        if asset is not None and asset.strip() not in self._site.assets:
            raise EugenieError(
                f"{printable(str(path))}: the site has no asset {asset!r}",
                hint="add it to `assets`, or narrow the source's `path` to the files of the site's assets",
            )
        return mapping

    def context_of(self, path: Path) -> TableContext:
        """How the table of a file is read. Raises EugenieError if the site has no such asset."""
        from eugenie_cli.sources.files.tables import TableContext

        mapping, where = self.mapping_of(path), printable(str(path))
        return TableContext(where, self._source.readings, mapping, self._site.timezone, self._router, self._bases)

    @cached_property
    def _known(self) -> dict[str, frozenset[str]]:
        """The names that patterns over the file's name may find."""
        tags = frozenset(tag for asset in self._site.assets.values() for tag in asset.tags.values())
        sensors = frozenset(name for equipment in self._site.classes.values() for name in equipment.sensor_names)
        return {"asset": frozenset(self._site.assets), "sensor": sensors, "tag": tags | sensors}

    @cached_property
    def _bases(self) -> frozenset[str]:
        """The normalized tags and sensors, with which the names of companion columns begin or end."""
        from eugenie_cli.sources.records.companions import bases_of

        return bases_of(self._known["tag"])


class WholeFileImporter(FileImporter, ABC):
    """Reads each file as a whole, by its `read_file`."""

    def read(self, item: SourceItem, tally: Tally, advance: Advance) -> Iterator[Batch]:
        """The file's readings. Raises EugenieError if it cannot be read as configured, or changes meanwhile."""
        path = self._base / item.key
        try:
            yield from self.read_file(path, tally, advance)
        except UnclearDaysError as error:
            raise error.of_file(printable(str(path))) from error
        current = state_of(path)
        if not current or not current.items() <= item.state.items():
            raise EugenieError(
                f"{printable(str(path))} changed while it was read", hint="import again when it is complete"
            )

    @abstractmethod
    def read_file(self, path: Path, tally: Tally, advance: Advance) -> Iterator[Batch]:
        """The readings of a file, or of a file in an archive. Raises EugenieError if it cannot be read."""
