"""Promotion on a real registry and a real model server: callers always have a version, failures change nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from support.registered_plant import register, registered

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.serving import checksums, local, promotion, release_config
from eugenie_cli.serving.export import export_class
from eugenie_cli.serving.publish import publish_class
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site
from eugenie_cli.tfserving.client import PredictClient
from eugenie_cli.tfserving.messages import Version
from eugenie_cli.training.open_class import open_class
from eugenie_cli.training.registry import Registry

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

ROWS = np.zeros((1, 40, 5), np.float32)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return registered(tmp_path)


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Version 1 is champion and serves; versions 2 and 3 are registered. Each test restores this state."""
    site = registered(tmp_path_factory.mktemp("promoted"))
    quick = site.model_copy(update={"serving": site.serving.model_copy(update={"poll": 100})})
    local.start(quick)
    try:
        assert export_class(quick, "pump").released
        register(quick, seed=1)
        register(quick, seed=2)
        yield quick
    finally:
        local.stop(quick)


def client_of(site: Site) -> PredictClient:
    return PredictClient(local.status(site).address)


def served(site: Site) -> dict[int, str]:
    return {model.version: model.state for model in local.status(site).models if model.state != "END"}


def champion(site: Site) -> int:
    return Registry(site).resolve("pump", "champion").version


def test_champions_change_under_load_and_no_request_fails(serving: Site, tell: Callable[[str], None]) -> None:
    stop = Event()

    def caller(client: PredictClient, version: Version) -> Counter[int]:
        answered = Counter[int]()
        while not stop.is_set():
            answered[client.predict("pump", ["pump-1"], ROWS, version).version] += 1
        return answered

    with client_of(serving) as client, ThreadPoolExecutor(4) as pool:
        assert client.status("pump", "champion")[0].version == 1
        callers = [pool.submit(caller, client, version) for version in ("champion", None) for _ in range(2)]
        try:
            for change, (now, before) in enumerate(((2, 1), (1, 2), (2, 1), (1, 2))):
                act = promotion.rollback if change % 2 else promotion.promote
                expected = () if change % 2 else (now,)
                done = act(serving, "pump", *expected)
                assert (done.registered.version, done.before, done.confirmed) == (now, before, True)
                assert client.status("pump", "champion")[0].version == champion(serving) == now
                assert served(serving) == {now: "AVAILABLE"}
        finally:
            stop.set()
        answered = [caller.result(60) for caller in callers]
    tell(f"{sum(map(Counter.total, answered)):,} requests while champions changed 4 times: none failed")
    assert set().union(*answered) == {1, 2}


def test_a_version_that_the_server_cannot_load_does_not_become_champion(serving: Site) -> None:
    broken = publish_class(open_class(serving, "pump"), 3).path / "saved_model.pb"
    broken.write_bytes(broken.read_bytes()[:100])
    with pytest.raises(EugenieError, match=r"differs from its export: saved_model\.pb"):
        promotion.promote(serving, "pump", 3)
    checksums.write(broken.parent)  # as if it had been exported like this: only the server notices
    with pytest.raises(EugenieError, match="cannot load pump version 3") as refused:
        promotion.promote(serving, "pump", 3)
    assert refused.value.exit_code is ExitCode.REFUSED
    assert champion(serving) == 1
    assert release_config.read(serving)["pump"].labels == {"champion": 1}
    assert served(serving) == {1: "AVAILABLE"}
    with client_of(serving) as client:
        assert client.predict("pump", ["pump-1"], ROWS, "champion").version == 1


def test_what_the_registry_refuses_is_taken_back_on_the_server(serving: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry fails at the last moment, when the server already answers with the new version."""

    def failing(self: Registry, class_name: str, version: int) -> None:
        assert client.status("pump", "champion")[0].version == version == 2
        raise EugenieError("the tracking server went away", "start it again")

    with client_of(serving) as client:
        monkeypatch.setattr(Registry, "promote", failing)
        with pytest.raises(EugenieError, match="went away"):
            promotion.promote(serving, "pump", 2)
        monkeypatch.undo()
        assert promotion.promote(serving, "pump", 1).registered.version == champion(serving) == 1  # again, on purpose
        assert served(serving) == {1: "AVAILABLE"}


def test_without_a_server_the_next_one_serves_the_champion(site: Site) -> None:
    export_class(site, "pump")
    register(site, seed=1)
    challenger = export_class(site, "pump", 2)
    assert not challenger.released and challenger.path.is_dir()
    kept = release_config.read(site)["pump"]
    assert (kept.versions, Path(kept.base_path)) == ((1,), workspace_of(site).models / "pump")
    assert not promotion.promote(site, "pump", 2).confirmed
    assert promotion.rollback(site, "pump").registered.version == 1
    local.start(site)
    try:
        assert served(site) == {1: "AVAILABLE"}  # although version 2 exists too
    finally:
        local.stop(site)


def test_a_file_that_is_none_is_named_with_line_and_column(site: Site) -> None:
    file = release_config.file_of(site)
    file.parent.mkdir(parents=True)
    file.write_text("model_config_list {\n  config { nam }\n}\n")
    with pytest.raises(EugenieError, match=r"models.config is not a ModelServerConfig: 2:\d+"):
        promotion.promote(site, "pump", 1)
