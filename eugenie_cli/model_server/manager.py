"""Follows the aspired versions and the disk, and swaps the versions that answer without a gap.

New versions are loaded and warmed while the old ones serve. Then labels move, and only then are unneeded versions
unloaded; requests in flight end on the version that they began with. A version that cannot be loaded is reported (state
END with the error), and the versions that serve keep serving.
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
from eugenie_cli.model_server.version_source import VersionDirectory, scan
from eugenie_cli.tfserving.protos import serving_pb2

KEPT_ENDED = 8
"""Versions in state END that a model's status still lists."""

State = serving_pb2.ModelVersionStatus
_LOG = logging.getLogger(__name__)

Loader = Callable[[str, int, Path], Servable]


class _Model:
    """One model: the versions that serve, those that failed to load, the reported states, and the labels."""

    def __init__(self) -> None:
        self.serving: dict[int, tuple[VersionDirectory, Servable]] = {}
        self.failed: set[VersionDirectory] = set()
        self.states: dict[int, serving_pb2.ModelVersionStatus] = {}
        self.labels: dict[str, int] = {}

    @property
    def latest(self) -> Servable | None:
        return self.serving[max(self.serving)][1] if self.serving else None


_NO_MODEL = _Model()
"""Stands for every unknown model. Never changed."""


def _requested_version(spec: serving_pb2.ModelSpec, model: _Model) -> int | None:
    """The requested version's number, given directly or by a label; None for the latest. Raises Refusal."""
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
    """A model to serve, as of the last scan: the versions on disk, and those chosen by the policy that serve."""

    aspired: AspiredModel
    there: set[int]
    chosen: set[int] = field(default_factory=set)


class Manager:
    """The models that answer. Its methods belong to one event loop; loading happens on a thread."""

    def __init__(self, aspired: AspiredVersions, load: Loader) -> None:
        self._aspired = aspired
        self._load = load
        self._models: dict[str, _Model] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="loader")
        self._followed: dict[str, _Followed] = {}
        self._changing = asyncio.Lock()

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models that serve a version."""
        return tuple(sorted(filter(self.serves, self._models)))

    def serves(self, name: str) -> bool:
        """Whether the model serves a version."""
        model = self._models.get(name)
        return model is not None and bool(model.serving)

    def find(self, spec: serving_pb2.ModelSpec) -> Servable:
        """The version that serves `spec`. Raises Refusal."""
        if not spec.name:
            raise invalid("ModelSpec has no name specified.")
        model = self._models.get(spec.name, _NO_MODEL)
        version = _requested_version(spec, model)
        if version is None:
            if model.latest is None:
                raise not_found(f"Servable not found for request: Latest({spec.name})")
            return model.latest
        if version not in model.serving:
            raise not_found(f"Servable not found for request: Specific({spec.name}, {version})")
        return model.serving[version][1]

    def statuses(self, spec: serving_pb2.ModelSpec) -> list[serving_pb2.ModelVersionStatus]:
        """The states of all versions of a model, or of the requested one. Raises Refusal."""
        model = self._models.get(spec.name, _NO_MODEL)
        version = _requested_version(spec, model)
        if version is not None:
            if version not in model.states:
                raise not_found(f"Could not find version {version} of model {spec.name}")
            return [model.states[version]]
        if not model.states:
            raise not_found(f"Could not find any versions of model {spec.name}")
        return [model.states[number] for number in sorted(model.states, reverse=True)]

    async def watch(self, poll_s: float) -> None:
        """Follow the aspired versions and the disk until cancelled."""
        while True:
            await asyncio.sleep(poll_s)
            try:
                await self.refresh()
            except Exception:  # noqa: BLE001 - serving must survive anything in the directory
                _LOG.exception("cannot follow the models; trying again")

    async def configure(self, models: Mapping[str, AspiredModel]) -> None:
        """Switch to these models completely or not at all: load new versions, move labels, unload the others.

        Raises Refusal if no version of a new or changed model can be loaded (UNKNOWN), or if a label points to a
        version that does not serve (FAILED_PRECONDITION). The previous versions and labels then stay in effect.
        """
        async with self._changing:
            before, self._aspired = self._aspired, self._aspired.replaced(models)
            known = {name: followed.aspired for name, followed in self._followed.items()}
            try:
                scanned = [await self._look(aspired) for aspired in (await self._listed()).values()]
                self._check(followed for followed in scanned if known.get(followed.aspired.name) != followed.aspired)
            except BaseException:
                self._aspired = before
                raise
            finally:  # also unloads versions that a refused configuration loaded
                await self._refresh()

    async def refresh(self) -> None:
        """Bring the serving versions in line with the aspired versions and the disk."""
        async with self._changing:
            await self._refresh()

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _refresh(self) -> None:
        """For each model: load the aspired versions, move the labels, unload the rest."""
        models = await self._listed()
        for name, aspired in models.items():
            self._followed[name] = await self._look(aspired)
            self._settle(name)
        for name in self._models.keys() - models.keys():
            self._followed.pop(name, None)
            self._settle(name)

    async def _listed(self) -> Mapping[str, AspiredModel]:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._aspired.models)

    async def _look(self, aspired: AspiredModel) -> _Followed:
        """Load the versions that the policy chooses among the loadable ones."""
        on_disk = await asyncio.get_running_loop().run_in_executor(self._thread, scan, aspired.folder)
        followed = _Followed(aspired, {version.version for version in on_disk})
        lacking = aspired.policy.lacking(followed.there)
        if not on_disk and not lacking and aspired.name not in self._models:
            return followed
        model = self._models.setdefault(aspired.name, _Model())
        self._say_lacking(aspired, model, lacking)
        model.failed &= set(on_disk)
        for candidate in on_disk:
            is_aspired = aspired.policy.wants(candidate.version, len(followed.chosen))
            if is_aspired and await self._serve(aspired.name, model, candidate):
                followed.chosen.add(candidate.version)
        return followed

    def _say_lacking(self, aspired: AspiredModel, model: _Model, lacking: Iterable[int]) -> None:
        """Report versions that the policy names but the disk lacks: in their status, and once in the log."""
        for version in lacking:
            words = f"version {version} is not in {aspired.folder}"
            before = model.states.get(version)
            if version in model.serving or (before is not None and before.status.error_message == words):
                continue
            _LOG.error("%s: %s, but the configuration requires it", aspired.name, words)
            self._mark(aspired.name, version, State.END, grpc.StatusCode.NOT_FOUND, words)

    def _settle(self, name: str) -> None:
        """Move the labels if all their versions serve, and unload versions that are neither aspired nor labelled."""
        model, followed = self._models.get(name), self._followed.get(name)
        if model is None:
            return
        labels = {} if followed is None else followed.aspired.labels
        if all(version in model.serving for version in labels.values()):
            model.labels = dict(labels)
        kept: set[int] = set()
        if followed is not None:  # versions that cannot be loaded, or are not on disk, replace nothing that serves
            lacking = followed.aspired.policy.lacking(followed.there)
            otherwise = followed.there if not lacking else model.serving.keys()
            kept = (followed.chosen or set(otherwise)) | (followed.there & set(model.labels.values()))
        for version in sorted(model.serving.keys() - kept):
            self._drop(name, version)

    def _check(self, changed: Iterable[_Followed]) -> None:
        for followed in changed:
            name, model = followed.aspired.name, self._models.get(followed.aspired.name, _NO_MODEL)
            if not followed.chosen:
                failed = [state for version, state in sorted(model.states.items()) if version in followed.there]
                reasons = "; ".join(f"version {state.version}: {state.status.error_message}" for state in failed)
                words = reasons or f"no requested version is in {followed.aspired.folder}"
                raise Refusal(grpc.StatusCode.UNKNOWN, f"Servable {name} did not become available: {words}")
            for version in followed.aspired.labels.values():
                if version not in model.serving:
                    raise wrong(
                        f"Request to assign label to version {version} of model {name}, "
                        "which is not currently available for inference"
                    )

    async def _serve(self, name: str, model: _Model, candidate: VersionDirectory) -> bool:
        """Load a version unless its current files already serve. True if the version serves, even with old files."""
        version = candidate.version
        if candidate in model.failed or (version in model.serving and model.serving[version][0] == candidate):
            return version in model.serving
        loop = asyncio.get_running_loop()
        if version not in model.serving:
            self._mark(name, version, State.LOADING)
        _LOG.info("loading %s version %d", name, version)
        begin = loop.time()
        try:
            if candidate.problem:
                raise wrong(candidate.problem)
            servable = await loop.run_in_executor(self._thread, self._load, name, version, candidate.directory)
        except Exception as error:  # noqa: BLE001 - a SavedModel can raise anything; status and log report it
            words = error.words if isinstance(error, Refusal) else f"{type(error).__name__}: {error}"
            _LOG.error("%s version %d cannot be loaded: %s", name, version, words)
            model.failed.add(candidate)
            if version not in model.serving:
                code = error.code if isinstance(error, Refusal) else grpc.StatusCode.INTERNAL
                self._mark(name, version, State.END, code, words)
            return version in model.serving
        before = model.serving.get(version)
        model.serving[version] = (candidate, servable)
        self._mark(name, version, State.AVAILABLE)
        _LOG.info("serving %s version %d (%.2f s)", name, version, loop.time() - begin)
        if before is not None:
            self._let_go(name, before[1])
        return True

    def _drop(self, name: str, version: int) -> None:
        """Stop serving a version."""
        _, servable = self._models[name].serving.pop(version)
        self._mark(name, version, State.UNLOADING)
        self._let_go(name, servable)

    def _let_go(self, name: str, servable: Servable) -> None:
        """Release a version once its last request has ended."""

        def ended() -> None:
            servable.on_idle = None
            if self._models[name].states[servable.version].state == State.UNLOADING:
                self._mark(name, servable.version, State.END)
            _LOG.info("dropped %s version %d", name, servable.version)
            # a loaded model consists of reference cycles: only a collection frees its memory
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
        ended = sorted(number for number, known in states.items() if known.state == State.END)
        for number in ended[:-KEPT_ENDED]:
            del states[number]
