"""Which versions there are and which one answers: watches the models' directory and swaps versions.

Every model's latest version serves. A new one is loaded and warmed beside it, then one reference is swapped;
requests in flight end on the version they began with, and only then is it dropped. A version that cannot be
loaded is reported (state END with the error), and the newest one that can keeps serving.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import grpc

from eugenie_cli.serving.protos import serving_pb2
from eugenie_cli.serving.server.refusal import Refusal, invalid, not_found
from eugenie_cli.serving.server.servable import Servable

KEPT_ENDED = 8
"""Versions in state END that a model's status still lists."""

_NOT_THERE = (FileNotFoundError, NotADirectoryError, PermissionError)

State = serving_pb2.ModelVersionStatus
_LOG = logging.getLogger(__name__)

Loader = Callable[[str, int, Path], Servable]


@dataclass(frozen=True)
class Found:
    """A version directory on disk; `identity` changes when it is exported anew under the same number."""

    version: int
    directory: Path
    identity: tuple[int, int]


def scan(root: Path) -> dict[str, list[Found]]:
    """`root/<class>/<version>/saved_model.pb` -> versions by model, newest first, without hidden ones.

    Directories may come and go meanwhile. Raises OSError when the disk cannot say what there is: that is not "nothing".
    """
    models: dict[str, list[Found]] = {}
    for model in _directories(root):
        numbered = [each for each in _directories(model) if each.name.isascii() and each.name.isdigit()]
        versions = [found for each in numbered if (found := _version(each))]
        if versions:
            models[model.name] = sorted(versions, key=lambda each: -each.version)
    return models


def _directories(parent: Path) -> list[Path]:
    """The directories in `parent` that are not hidden; none where it is gone or not ours to read."""
    try:
        with os.scandir(parent) as entries:
            return [parent / each.name for each in entries if not each.name.startswith(".") and each.is_dir()]
    except _NOT_THERE:
        return []


def _version(directory: Path) -> Found | None:
    try:
        status = (directory / "saved_model.pb").stat()
    except _NOT_THERE:
        return None
    return Found(int(directory.name), directory, (status.st_ino, status.st_mtime_ns))


class Catalog:
    """The models that answer. Its methods belong to one event loop; loading happens on a thread."""

    def __init__(self, root: Path, load: Loader) -> None:
        self._root = root
        self._load = load
        self._serving: dict[str, tuple[Found, Servable]] = {}
        self._failed: set[tuple[str, Found]] = set()
        self._states: dict[str, dict[int, serving_pb2.ModelVersionStatus]] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="loader")

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models that answer."""
        return tuple(sorted(self._serving))

    def find(self, spec: serving_pb2.ModelSpec) -> Servable:
        """The version that answers `spec`. Raises Refusal."""
        if spec.WhichOneof("version_choice") == "version_label":
            raise invalid(f"Unrecognized servable version label: {spec.version_label}")
        serving = self._serving.get(spec.name)
        if not spec.HasField("version"):
            if serving is None:
                raise not_found(f"Servable not found for request: Latest({spec.name})")
            return serving[1]
        if serving is None or serving[1].version != spec.version.value:
            raise not_found(f"Servable not found for request: Specific({spec.name}, {spec.version.value})")
        return serving[1]

    def statuses(self, spec: serving_pb2.ModelSpec) -> list[serving_pb2.ModelVersionStatus]:
        """The states of all versions of a model, or of the one asked for. Raises Refusal (NOT_FOUND)."""
        states = self._states.get(spec.name, {})
        if spec.HasField("version"):
            if spec.version.value not in states:
                raise not_found(f"Could not find version {spec.version.value} of model {spec.name}")
            return [states[spec.version.value]]
        if not states:
            raise not_found(f"Could not find any versions of model {spec.name}")
        return [states[version] for version in sorted(states, reverse=True)]

    async def watch(self, poll_s: float) -> None:
        """Follow the directory until cancelled."""
        while True:
            await asyncio.sleep(poll_s)
            try:
                await self.refresh()
            except Exception:  # noqa: BLE001 - what serves goes on serving, whatever lies in the directory
                _LOG.exception("cannot follow %s; trying again", self._root)

    async def refresh(self) -> None:
        """Make what serves equal to what is on disk."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._thread, scan, self._root)
        for name, versions in found.items():
            await self._follow(name, versions)
        for name in self._serving.keys() - found.keys():
            self._retire(name)
        self._failed = {(name, version) for name, version in self._failed if version in found.get(name, ())}

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _follow(self, name: str, versions: list[Found]) -> None:
        """Serve the newest version that can be loaded."""
        for candidate in versions:
            serving = self._serving.get(name)
            if serving is not None and serving[0] == candidate:
                return
            if (name, candidate) in self._failed:
                continue
            if await self._start(name, candidate):
                return
        if name in self._serving:  # what serves is gone from disk, and nothing that is there can replace it
            self._retire(name)

    async def _start(self, name: str, found: Found) -> bool:
        self._mark(name, found.version, State.LOADING)
        _LOG.info("loading %s version %d", name, found.version)
        loop = asyncio.get_running_loop()
        begin = loop.time()
        try:
            servable = await loop.run_in_executor(self._thread, self._load, name, found.version, found.directory)
        except Exception as error:  # noqa: BLE001 - whatever a SavedModel can raise; reported in the status and the log
            words = f"{type(error).__name__}: {error}"
            _LOG.error("%s version %d cannot be loaded: %s", name, found.version, words)
            self._failed.add((name, found))
            code = error.code if isinstance(error, Refusal) else grpc.StatusCode.INTERNAL
            self._mark(name, found.version, State.END, code, words)
            return False
        before = self._serving.get(name)
        self._serving[name] = (found, servable)
        self._mark(name, found.version, State.AVAILABLE)
        _LOG.info("serving %s version %d (%.2f s)", name, found.version, loop.time() - begin)
        if before is not None:
            self._drop(name, before[1], replaced=before[1].version == found.version)
        return True

    def _retire(self, name: str) -> None:
        _LOG.info("%s is gone from disk", name)
        self._drop(name, self._serving.pop(name)[1], replaced=False)

    def _drop(self, name: str, servable: Servable, *, replaced: bool) -> None:
        """Let go of a version once its last request has ended. `replaced`: its number lives on in another."""

        def ended() -> None:
            servable.on_idle = None
            if not replaced and self._states[name][servable.version].state == State.UNLOADING:
                self._mark(name, servable.version, State.END)
            _LOG.info("dropped %s version %d", name, servable.version)
            # a loaded model is a web of cycles: memory comes back only when they are collected
            asyncio.get_running_loop().call_soon(gc.collect)

        if not replaced:
            self._mark(name, servable.version, State.UNLOADING)
        if servable.in_flight:
            servable.on_idle = ended
        else:
            ended()

    def _mark(
        self, name: str, version: int, state: int, code: grpc.StatusCode = grpc.StatusCode.OK, words: str = ""
    ) -> None:
        states = self._states.setdefault(name, {})
        status = serving_pb2.StatusProto(error_code=code.value[0], error_message=words)
        states[version] = State(version=version, state=state, status=status)  # type: ignore[arg-type]
        over = sorted(number for number, each in states.items() if each.state == State.END)[:-KEPT_ENDED]
        for number in over:
            del states[number]
