"""Promotion: the model server and the registry change champions together, without a gap for callers.

The order is that of a blue-green deployment: the server loads and warms the new version next to the old one, the label
moves, the registry's alias moves, and only then is the old version unloaded. The server follows `models.config`, or
its copy of it; each step is confirmed by querying the server. If a step fails, the earlier steps are undone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import grpc

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.locks import exclusive
from eugenie_cli.polling import wait_until
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.serving import model_store, release_config, runtime, tls
from eugenie_cli.serving.health import NO_ANSWER
from eugenie_cli.serving.publish import publish_class
from eugenie_cli.serving.server_config import ReleasedModel
from eugenie_cli.site.interfaces import HasServing
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.tfserving.client import PredictClient
from eugenie_cli.tfserving.errors import ModelServerError
from eugenie_cli.tfserving.messages import VersionStatus
from eugenie_cli.training.open_class import OpenClass, open_class
from eugenie_cli.training.registered_version import CHAMPION, RegisteredVersion

LOCK = ".release.lock"
"""Lock file in the models folder: it serializes changes of releases."""

CONFIRMED_WITHIN_S = 180.0
"""Loading takes seconds, or a minute on a busy machine. A server that takes longer hangs."""

FAILED_POLLS = 3
"""Polls by the server after which a version that it failed to load is not about to be retried."""

_ASK_TIMEOUT_S = 5.0
_NOT_LABELLED = frozenset(
    {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION}
)
_POLL_S = 0.05


@dataclass(frozen=True)
class Promotion:
    """A change of a class's champion. `before`: the previous champion; `confirmed`: the model server confirmed that it
    serves the new one; False: eugenie's server is not running."""

    registered: RegisteredVersion
    before: int | None
    confirmed: bool


def promote(site: Site, class_name: str, version: int, progress: Progress = SILENT) -> Promotion:
    """Make a registered version champion: publish it if necessary, serve it, then move the registry's alias.

    Raises EugenieError: REFUSED when the version cannot be published or the server cannot load it; the previous
    champion then stays champion and keeps serving.
    """
    opened = open_class(site, class_name)
    opened.registry.resolve(class_name, version)
    return _change(site, opened, version, progress, lambda: opened.registry.promote(class_name, version))


def rollback(site: Site, class_name: str, progress: Progress = SILENT) -> Promotion:
    """Make the previous champion champion again, in the same way as `promote`."""
    opened = open_class(site, class_name)
    version = opened.registry.former_champion(class_name)
    return _change(site, opened, version, progress, lambda: opened.registry.rollback(class_name))


def release(site: HasServing, class_name: str, version: int, progress: Progress = SILENT) -> bool:
    """Have the model server serve a published version as the class's only version and champion. True if confirmed."""
    return _release(site, class_name, version, progress, lambda: None)


def _change(
    site: HasServing, opened: OpenClass, version: int, progress: Progress, crown: Callable[[], RegisteredVersion]
) -> Promotion:
    class_name = opened.name
    crowned: list[RegisteredVersion] = []
    before = served_champion(site, class_name)
    published = publish_class(opened, version, progress)
    model_store.copy_to_store(site, class_name, version, published.path, progress)
    confirmed = _release(site, class_name, version, progress, lambda: crowned.append(crown()))
    return Promotion(crowned[0], before, confirmed)


def _release(site: HasServing, class_name: str, version: int, progress: Progress, crown: Callable[[], None]) -> bool:
    with exclusive(workspace_of(site).models / LOCK), _server(site) as server:
        before = release_config.read(site)
        after = {**before, class_name: _champion_only(class_name, version)}
        old = _champion(before.get(class_name))
        if server is None:
            crown()
            release_config.write(site, after)
            return False
        with _undone(site, before):
            if old is None or old == version:
                _announce(site, after)
                server.confirm(class_name, version)
                crown()
                return True
            progress.say(f"{class_name}: loading version {version} alongside version {old}")
            _announce(site, {**before, class_name: _both(class_name, old, version, champion=old)})
            server.wait_until_loaded(class_name, version)
            progress.say(f"{class_name}: version {version} takes over")
            _announce(site, {**before, class_name: _both(class_name, old, version, champion=version)})
            server.confirm(class_name, version)
            crown()
        _announce(site, after)
        server.wait_until_dropped(class_name, old)
        return True


@contextmanager
def _undone(site: HasServing, before: dict[str, ReleasedModel]) -> Iterator[None]:
    """Restore the previous releases if the block fails."""
    try:
        yield
    except BaseException:
        _announce(site, before)
        raise


def _announce(site: HasServing, models: dict[str, ReleasedModel]) -> None:
    """Write the releases, and make sure that the server picks them up."""
    release_config.write(site, models)
    runtime.follow(site)


class _Server:
    """The site's own model server, queried for whether it has applied `models.config`."""

    def __init__(self, client: PredictClient, poll_ms: int) -> None:
        self._client = client
        self._failed_s = 1.0 + FAILED_POLLS * poll_ms / 1_000

    def wait_until_loaded(self, name: str, version: int) -> None:
        """Wait until the version is available. Raises EugenieError (REFUSED) with the server's error if it fails."""
        failing_since: float | None = None

        def loaded() -> bool:
            nonlocal failing_since
            status = self._status(name).get(version)
            if status is None or status.state != "END" or not status.error_message:
                failing_since = None
                return status is not None and status.state == "AVAILABLE"
            failing_since = failing_since or time.monotonic()
            if time.monotonic() - failing_since > self._failed_s:
                raise EugenieError(
                    f"the model server cannot load {name} version {version}: {status.error_message}",
                    "nothing was changed; `eugenie serve status` shows the served versions",
                    ExitCode.REFUSED,
                )
            return False

        self._wait(loaded, f"{name} version {version} is not loaded")

    def confirm(self, name: str, version: int) -> None:
        """Wait until the label `champion` refers to the version."""
        self.wait_until_loaded(name, version)
        self._wait(lambda: self._labelled(name) == version, f"{CHAMPION} of {name} is not version {version}")

    def wait_until_dropped(self, name: str, version: int) -> None:
        def gone() -> bool:
            status = self._status(name).get(version)
            return status is None or status.state == "END"

        self._wait(gone, f"{name} version {version} is still served")

    def _status(self, name: str) -> dict[int, VersionStatus]:
        try:
            return {status.version: status for status in self._client.status(name, timeout=_ASK_TIMEOUT_S)}
        except ModelServerError as error:
            if error.code is grpc.StatusCode.NOT_FOUND:
                return {}
            raise _unreachable(error) from error

    def _labelled(self, name: str) -> int | None:
        """The version with the label `champion`. From the metadata: TensorFlow Serving's status call ignores labels."""
        try:
            return self._client.metadata(name, CHAMPION, timeout=_ASK_TIMEOUT_S).version
        except ModelServerError as error:
            if error.code in _NOT_LABELLED:
                return None
            raise _unreachable(error) from error

    def _wait(self, reached: Callable[[], bool], otherwise: str) -> None:
        if not wait_until(reached, CONFIRMED_WITHIN_S, _POLL_S):
            raise EugenieError(
                f"the model server has not confirmed the change after {CONFIRMED_WITHIN_S:.0f} s: {otherwise}",
                "`eugenie serve status` shows its state",
                ExitCode.UNREACHABLE,
            )


def _unreachable(error: ModelServerError) -> EugenieError:
    return EugenieError(
        f"the model server became unreachable: {error}", "start it again: `eugenie serve start`", ExitCode.UNREACHABLE
    )


@contextmanager
def _server(site: HasServing) -> Iterator[_Server | None]:
    """Yield the site's own server if it answers. A server that eugenie does not manage has its own releases: None."""
    if site.serving.address is not None:
        yield None
        return
    status = runtime.status(site)
    if status.why not in ("", NO_ANSWER):
        raise EugenieError(
            f"the model server at {status.address} runs but does not answer eugenie: {status.why}",
            tls.HINT,
            ExitCode.UNREACHABLE,
        )
    if status.state != "running":
        yield None
        return
    with tls.client_of(tls.credentials_of(site), status.address) as client:
        yield _Server(client, site.serving.poll)


def served_champion(site: HasServing, class_name: str) -> int | None:
    """The version of the class that model servers serve as the champion; None without one."""
    return _champion(release_config.read(site).get(class_name))


def _champion(model: ReleasedModel | None) -> int | None:
    return None if model is None else model.labels.get(CHAMPION)


def _champion_only(name: str, version: int) -> ReleasedModel:
    return ReleasedModel(name, "", (version,), {CHAMPION: version})


def _both(name: str, old: int, new: int, champion: int) -> ReleasedModel:
    return ReleasedModel(name, "", (old, new), {CHAMPION: champion})
