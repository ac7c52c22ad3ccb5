"""Which versions answer: follows what is wanted and what is on disk, and swaps versions without a gap.

What is new is loaded and warmed beside what serves, then labels move, and only then is dropped what is not wanted any
more; requests in flight end on the version they began with. A version that cannot be loaded is reported (state END with
the error), and what serves goes on serving.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from eugenie_cli.model_server.aspired_versions import AspiredModel, AspiredVersions
from eugenie_cli.model_server.servable import Servable
from eugenie_cli.model_server.status_error import Refusal, invalid, not_found, wrong
from eugenie_cli.model_server.version_source import Found, scan
from eugenie_cli.tfserving.protos import serving_pb2

KEPT_ENDED = 8
"""Versions in state END that a model's status still lists."""

State = serving_pb2.ModelVersionStatus
_LOG = logging.getLogger(__name__)

Loader = Callable[[str, int, Path], Servable]


class _Model:
    """What of one model serves, what failed, and what is said of its versions."""

    def __init__(self) -> None:
        self.serving: dict[int, tuple[Found, Servable]] = {}
        self.failed: set[Found] = set()
        self.states: dict[int, serving_pb2.ModelVersionStatus] = {}
        self.labels: dict[str, int] = {}

    @property
    def latest(self) -> Servable | None:
        return self.serving[max(self.serving)][1] if self.serving else None


_NO_MODEL = _Model()
"""Stands for every model that is not known. Never changed."""


def _asked(spec: serving_pb2.ModelSpec, model: _Model) -> int | None:
    """The number of the version that is asked for, by itself or by a label; None for the latest. Raises Refusal."""
    choice = spec.WhichOneof("version_choice")
    if choice is None:
        return None
    if choice == "version":
        return spec.version.value
    if spec.version_label not in model.labels:
        raise invalid(f"Unrecognized servable version label: {spec.version_label}")
    return model.labels[spec.version_label]


@dataclass
class _Followed:
    """A wanted model as it was last looked at: the versions on disk, and those of them that are wanted and serve."""

    wanted: AspiredModel
    there: set[int]
    chosen: set[int] = field(default_factory=set)


class Manager:
    """The models that answer. Its methods belong to one event loop; loading happens on a thread."""

    def __init__(self, wanted: AspiredVersions, load: Loader) -> None:
        self._wanted = wanted
        self._load = load
        self._models: dict[str, _Model] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="loader")
        self._followed: dict[str, _Followed] = {}
        self._changing = asyncio.Lock()

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models that answer."""
        return tuple(sorted(filter(self.serves, self._models)))

    def serves(self, name: str) -> bool:
        """Whether a version of the model answers."""
        model = self._models.get(name)
        return model is not None and bool(model.serving)

    def find(self, spec: serving_pb2.ModelSpec) -> Servable:
        """The version that answers `spec`. Raises Refusal."""
        if not spec.name:
            raise invalid("ModelSpec has no name specified.")
        model = self._models.get(spec.name, _NO_MODEL)
        version = _asked(spec, model)
        if version is None:
            if model.latest is None:
                raise not_found(f"Servable not found for request: Latest({spec.name})")
            return model.latest
        if version not in model.serving:
            raise not_found(f"Servable not found for request: Specific({spec.name}, {version})")
        return model.serving[version][1]

    def statuses(self, spec: serving_pb2.ModelSpec) -> list[serving_pb2.ModelVersionStatus]:
        """The states of all versions of a model, or of the one asked for. Raises Refusal."""
        model = self._models.get(spec.name, _NO_MODEL)
        version = _asked(spec, model)
        if version is not None:
            if version not in model.states:
                raise not_found(f"Could not find version {version} of model {spec.name}")
            return [model.states[version]]
        if not model.states:
            raise not_found(f"Could not find any versions of model {spec.name}")
        return [model.states[each] for each in sorted(model.states, reverse=True)]

    async def watch(self, poll_s: float) -> None:
        """Follow what is wanted and what is on disk until cancelled."""
        while True:
            await asyncio.sleep(poll_s)
            try:
                await self.refresh()
            except Exception:  # noqa: BLE001 - what serves goes on serving, whatever lies in the directory
                _LOG.exception("cannot follow the models; trying again")

    async def configure(self, models: Mapping[str, AspiredModel]) -> None:
        """Serve these models from now on, whole or not at all: load what is new, move the labels, drop what is left.

        Raises Refusal: of a model that is new or changed no version can be loaded (UNKNOWN), or a label is for a
        version that does not serve (FAILED_PRECONDITION). What served before then goes on, and so do its labels.
        """
        async with self._changing:
            before, self._wanted = self._wanted, self._wanted.replaced(models)
            known = {name: one.wanted for name, one in self._followed.items()}
            try:
                followed = [await self._look(each) for each in (await self._listed()).values()]
                self._check(one for one in followed if known.get(one.wanted.name) != one.wanted)
            except BaseException:
                self._wanted = before
                raise
            finally:  # also what a configuration that is refused brought in
                await self._refresh()

    async def refresh(self) -> None:
        """Make what serves equal to what is wanted and on disk."""
        async with self._changing:
            await self._refresh()

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _refresh(self) -> None:
        """Model by model: load what is wanted, move the labels, drop the rest."""
        wanted = await self._listed()
        for name, each in wanted.items():
            self._followed[name] = await self._look(each)
            self._settle(name)
        for name in self._models.keys() - wanted.keys():
            self._followed.pop(name, None)
            self._settle(name)

    async def _listed(self) -> Mapping[str, AspiredModel]:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._wanted.models)

    async def _look(self, wanted: AspiredModel) -> _Followed:
        """Load the versions that the policy says, of those that can be loaded."""
        found = await asyncio.get_running_loop().run_in_executor(self._thread, scan, wanted.folder)
        followed = _Followed(wanted, {version.version for version in found})
        lacking = wanted.policy.lacking(followed.there)
        if not found and not lacking and wanted.name not in self._models:
            return followed
        model = self._models.setdefault(wanted.name, _Model())
        self._say_lacking(wanted, model, lacking)
        model.failed &= set(found)
        for candidate in found:
            is_wanted = wanted.policy.wants(candidate.version, len(followed.chosen))
            if is_wanted and await self._serve(wanted.name, model, candidate):
                followed.chosen.add(candidate.version)
        return followed

    def _say_lacking(self, wanted: AspiredModel, model: _Model, lacking: Iterable[int]) -> None:
        """Of versions that are wanted by their number and not on disk: their status, and once the log, say so."""
        for version in lacking:
            words = f"version {version} is not in {wanted.folder}"
            before = model.states.get(version)
            if version in model.serving or (before is not None and before.status.error_message == words):
                continue
            _LOG.error("%s: %s, and is to be served", wanted.name, words)
            self._mark(wanted.name, version, State.END, grpc.StatusCode.NOT_FOUND, words)

    def _settle(self, name: str) -> None:
        """Move the labels, if all their versions serve, and drop what is neither wanted nor labelled."""
        model, followed = self._models.get(name), self._followed.get(name)
        if model is None:
            return
        labels = {} if followed is None else followed.wanted.labels
        if all(version in model.serving for version in labels.values()):
            model.labels = dict(labels)
        kept: set[int] = set()
        if followed is not None:  # of versions that cannot be loaded, what serves is not dropped for them
            lacking = followed.wanted.policy.lacking(followed.there)
            otherwise = followed.there if not lacking else model.serving.keys()  # nor for what is not there
            kept = (followed.chosen or set(otherwise)) | (followed.there & set(model.labels.values()))
        for version in sorted(model.serving.keys() - kept):
            self._drop(name, version)

    def _check(self, changed: Iterable[_Followed]) -> None:
        for one in changed:
            name, model = one.wanted.name, self._models.get(one.wanted.name, _NO_MODEL)
            if not one.chosen:
                failed = [each for version, each in sorted(model.states.items()) if version in one.there]
                why = "; ".join(f"version {each.version}: {each.status.error_message}" for each in failed)
                words = why or f"no version that is wanted is in {one.wanted.folder}"
                raise Refusal(grpc.StatusCode.UNKNOWN, f"Servable {name} did not become available: {words}")
            for version in one.wanted.labels.values():
                if version not in model.serving:
                    raise wrong(
                        f"Request to assign label to version {version} of model {name}, "
                        "which is not currently available for inference"
                    )

    async def _serve(self, name: str, model: _Model, found: Found) -> bool:
        """Load a version unless it serves as it lies on disk. True when the version serves, if only as it was."""
        version = found.version
        if found in model.failed or (version in model.serving and model.serving[version][0] == found):
            return version in model.serving
        loop = asyncio.get_running_loop()
        if version not in model.serving:
            self._mark(name, version, State.LOADING)
        _LOG.info("loading %s version %d", name, version)
        begin = loop.time()
        try:
            if found.problem:
                raise wrong(found.problem)
            servable = await loop.run_in_executor(self._thread, self._load, name, version, found.directory)
        except Exception as error:  # noqa: BLE001 - whatever a SavedModel can raise; reported in the status and the log
            words = error.words if isinstance(error, Refusal) else f"{type(error).__name__}: {error}"
            _LOG.error("%s version %d cannot be loaded: %s", name, version, words)
            model.failed.add(found)
            if version not in model.serving:
                code = error.code if isinstance(error, Refusal) else grpc.StatusCode.INTERNAL
                self._mark(name, version, State.END, code, words)
            return version in model.serving
        before = model.serving.get(version)
        model.serving[version] = (found, servable)
        self._mark(name, version, State.AVAILABLE)
        _LOG.info("serving %s version %d (%.2f s)", name, version, loop.time() - begin)
        if before is not None:
            self._let_go(name, before[1])
        return True

    def _drop(self, name: str, version: int) -> None:
        """Serve a version no longer."""
        _, servable = self._models[name].serving.pop(version)
        self._mark(name, version, State.UNLOADING)
        self._let_go(name, servable)

    def _let_go(self, name: str, servable: Servable) -> None:
        """Forget a version once its last request has ended."""

        def ended() -> None:
            servable.on_idle = None
            if self._models[name].states[servable.version].state == State.UNLOADING:
                self._mark(name, servable.version, State.END)
            _LOG.info("dropped %s version %d", name, servable.version)
            # a loaded model is a web of cycles: memory comes back only when they are collected
            asyncio.get_running_loop().call_soon(gc.collect)

        if servable.in_flight:
            servable.on_idle = ended
        else:
            ended()

    def _mark(
        self, name: str, version: int, state: int, code: grpc.StatusCode = grpc.StatusCode.OK, words: str = ""
    ) -> None:
        states = self._models[name].states
        status = serving_pb2.StatusProto(error_code=code.value[0], error_message=words)
        states[version] = State(version=version, state=state, status=status)  # type: ignore[arg-type]
        over = sorted(number for number, each in states.items() if each.state == State.END)[:-KEPT_ENDED]
        for number in over:
            del states[number]
