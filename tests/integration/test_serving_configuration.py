"""Which versions serve: policies, labels and reloads on the real server, and damaged or misnamed directories."""

from __future__ import annotations

import re
import shutil
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event

import grpc
import numpy as np
import pytest
from support.model_server import publish, served, wait_until
from support.small_models import ASSETS, SENSORS, WINDOW, write_version

from eugenie_cli.serving import model_info
from eugenie_cli.tfserving import protos
from eugenie_cli.tfserving.client import PredictClient
from eugenie_cli.tfserving.errors import ModelServerError
from eugenie_cli.tfserving.messages import Version
from eugenie_cli.tfserving.protos import config_pb2

pytestmark = pytest.mark.integration

LAST = 4
ROWS = np.zeros((1, WINDOW, SENSORS), np.float32)


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`versions/pump/N`, N from 1 to LAST."""
    root = tmp_path_factory.mktemp("versions")
    for version in range(1, LAST + 1):
        write_version(root, "pump", version)
    return root / "pump"


def config(folder: Path, policy: str = "", **labels: int) -> str:
    """A configuration file with one model, `pump`."""
    lines = [f'name: "pump" base_path: "{folder}" model_platform: "tensorflow"']
    if policy:
        lines.append(f"model_version_policy {{ {policy} }}")
    lines += [f'version_labels {{ key: "{label}" value: {version} }}' for label, version in labels.items()]
    return f"model_config_list {{ config {{ {' '.join(lines)} }} }}"


def parsed(text: str) -> config_pb2.ModelServerConfig:
    from google.protobuf import text_format

    return text_format.Parse(text, config_pb2.ModelServerConfig())


def states(client: PredictClient) -> dict[int, str]:
    return {version.version: version.state for version in client.status("pump")}


def available(client: PredictClient) -> set[int]:
    try:
        return {version for version, state in states(client).items() if state == "AVAILABLE"}
    except ModelServerError as error:
        assert error.code is grpc.StatusCode.NOT_FOUND
        return set()


def answering(client: PredictClient, version: Version = None) -> int:
    """The version that answers, by its name and by its result."""
    answer = client.predict("pump", [ASSETS[0]], ROWS, version)
    assert answer.score[0, 0] == 1000 * answer.version
    return answer.version


def refusal(act) -> ModelServerError:
    with pytest.raises(ModelServerError) as refused:
        act()
    return refused.value


def test_a_configuration_file_is_followed_and_requests_change_it(tmp_path: Path, versions: Path) -> None:
    folder, file = publish(versions, tmp_path / "models" / "pump", 1, 2, 3), tmp_path / "models.config"
    file.write_text(config(folder, "specific { versions: 1 versions: 2 }", champion=1, challenger=2))
    with served(tmp_path, "--model-config", str(file), "--allow-reload") as client:
        assert available(client) == {1, 2}
        assert [answering(client, version) for version in (None, 1, "champion", "challenger")] == [2, 1, 1, 2]
        unknown = refusal(lambda: answering(client, "canary"))
        assert (unknown.code.name, unknown.details) == (
            "INVALID_ARGUMENT",
            "Unrecognized servable version label: canary",
        )
        (status,) = client.status("pump", "champion")
        assert (status.version, client.metadata("pump", "challenger").version) == (1, 2)

        # the file: the server follows a change; an invalid file changes nothing
        file.write_text(config(folder, "latest { num_versions: 2 }", champion=3))
        wait_until(lambda: available(client) == {2, 3} and answering(client, "champion") == 3)
        assert refusal(lambda: answering(client, "challenger")).code is grpc.StatusCode.INVALID_ARGUMENT
        file.write_text("model_config_list { config { nam")
        publish(versions, folder, 4)  # still followed
        wait_until(lambda: available(client) == {3, 4})
        file.unlink()
        wait_until(lambda: "cannot be read" in (tmp_path / "server.log").read_text())
        logged_errors = re.findall(
            r"models\.config: Invalid protobuf text: 1:\d+", (tmp_path / "server.log").read_text()
        )
        assert len(logged_errors) == 1
        assert answering(client, "champion") == 3

        # a request: the version to which a label moves is loaded first, the remaining ones are unloaded
        client.reload(parsed(config(folder, "specific { versions: 1 }", champion=1)))
        assert (available(client), answering(client), answering(client, "champion")) == ({1}, 1, 1)
        client.reload(parsed(config(folder, "all {}")))
        assert available(client) == {1, 2, 3, 4}

        # the file again, after a change; a labelled version stays
        file.write_text(config(folder, champion=2))
        wait_until(lambda: available(client) == {2, 4} and answering(client, "champion") == 2)
        file.write_text(config(folder, "specific { versions: 4 }", champion=1))  # a label loads nothing
        time.sleep(1)
        assert (available(client), answering(client, "champion")) == ({2, 4}, 2)


def test_a_reload_that_cannot_be_followed_changes_nothing(tmp_path: Path, versions: Path) -> None:
    folder, other = publish(versions, tmp_path / "models" / "pump", 1, 2), tmp_path / "other"
    other.mkdir()
    file = tmp_path / "models.config"
    file.write_text(config(folder, "specific { versions: 1 }", champion=1))
    with served(tmp_path, "--model-config", str(file), "--allow-reload") as client:
        for wrong, code, words in [
            (config(folder, "specific { versions: 2 }", champion=3), "FAILED_PRECONDITION", "label to version 3 of"),
            (config(other), "UNKNOWN", "Servable pump did not become available: no requested version"),
            (config(Path("relative")), "INVALID_ARGUMENT", "absolute path"),
            (config(folder).replace('"tensorflow"', '"caffe"'), "INVALID_ARGUMENT", "model_platform 'caffe'"),
            (config(folder)[:-1] + f' config {{ name: "pump" base_path: "{folder}" }} }}', "INVALID_ARGUMENT", "multi"),
            ("custom_model_config {}", "INVALID_ARGUMENT", "Only ModelConfigList is currently supported"),
            ("", "INVALID_ARGUMENT", "Only ModelConfigList is currently supported"),
        ]:
            refused = refusal(lambda wrong=wrong: client.reload(parsed(wrong)))
            assert refused.code.name == code and words in refused.details, refused
            assert (available(client), answering(client, "champion")) == ({1}, 1)


def test_labels_and_versions_move_under_load_without_an_error(
    tmp_path: Path, versions: Path, tell: Callable[[str], None]
) -> None:
    """20 versions are swapped, a label moves 5 times and the file is rewritten while 8 callers send requests.

    No request fails, and `answering` checks that each answer comes from the version that it names.
    """
    folder, file = publish(versions, tmp_path / "models" / "pump", 1, 2, 3, 4), tmp_path / "models.config"
    file.write_text(config(folder, "specific { versions: 1 }", champion=1))
    stop = Event()

    def caller(client: PredictClient, version: Version) -> Counter[int]:
        answered = Counter[int]()
        while not stop.is_set():
            answered[answering(client, version)] += 1
        return answered

    with served(tmp_path, "--model-config", str(file), "--allow-reload") as client, ThreadPoolExecutor(8) as pool:
        callers = [pool.submit(caller, client, version) for version in ("champion", None) for _ in range(4)]
        try:
            for swap in range(1, 21):
                version = 1 + swap % LAST
                client.reload(parsed(config(folder, f"specific {{ versions: {version} }}", champion=version)))
                assert (available(client), answering(client, "champion")) == ({version}, version)
            for version in (2, 1, 2, 1, 2):
                client.reload(parsed(config(folder, "specific { versions: 1 versions: 2 }", champion=version)))
                assert (available(client), answering(client, "champion")) == ({1, 2}, version)
            file.write_text(config(folder, "latest { num_versions: 2 }", champion=4))
            wait_until(lambda: available(client) == {3, 4} and answering(client, "champion") == 4)
        finally:
            stop.set()
        answered = [caller.result(60) for caller in callers]
    tell(f"{sum(map(Counter.total, answered)):,} requests during 20 swaps, 5 label moves and a reload: none failed")
    assert set().union(*answered) == {1, 2, 3, 4}


def test_only_released_versions_serve_even_if_the_list_is_damaged(tmp_path: Path, versions: Path) -> None:
    models = tmp_path / "models"
    folder, file, log = publish(versions, models / "pump", 1, 2), models / "models.config", tmp_path / "server.log"
    file.write_text('model_config_list { config { name: "pump"  base_path: ')
    with served(tmp_path, "--models", str(models)) as client:
        assert available(client) == set() and "nothing is served" in log.read_text()
        file.write_text(config(folder, "specific { versions: 1 }", champion=1))
        wait_until(lambda: available(client) == {1})

        publish(versions, folder, 3)
        for number, broken in enumerate(("", config(folder), "model_config_list { config {"), 1):
            file.write_text(broken)
            wait_until(
                lambda number=number: log.read_text().count("the last valid configuration stays in effect") >= number
            )
        file.unlink()
        wait_until(
            lambda: "cannot be read: the file, which lists the versions to serve, does not exist" in log.read_text()
        )
        assert (available(client), answering(client)) == ({1}, 1), "no newer version may be served"

        file.write_text(config(folder, "specific { versions: 9 }", champion=9))
        wait_until(lambda: 9 in states(client))
        (lacking,) = (version for version in client.status("pump") if version.version == 9)
        assert (lacking.state, lacking.error_message) == ("END", f"version 9 is not in {folder}")
        assert answering(client) == 1, "the served version must keep serving"
        file.write_text(config(tmp_path / "nowhere", "specific { versions: 2 }"))
        wait_until(lambda: f"version 2 is not in {tmp_path / 'nowhere'}" in log.read_text())
        file.write_text(config(folder, "specific { versions: 1 versions: 2 }", champion=1, challenger=2))
        wait_until(lambda: available(client) == {1, 2})
        assert (answering(client, "champion"), answering(client, "challenger")) == (1, 2)
        file.write_text("model_config_list {}")
        wait_until(lambda: available(client) == set())


def test_hostile_directories_are_named_and_stop_nothing(tmp_path: Path, versions: Path) -> None:
    folder = publish(versions, tmp_path / "models" / "pump", 1)
    with served(tmp_path, "--models", str(tmp_path / "models"), "--unreleased") as client:
        (folder / "2").mkdir()  # incomplete
        (folder / "2" / "variables").mkdir()
        shutil.copytree(versions / "3", folder / "003")
        (folder / "4").symlink_to(versions / "4")  # leads out of the folder
        (folder / "5").mkdir()
        (folder / "5" / "saved_model.pb").write_bytes(b"no graph")
        cut = shutil.copytree(versions / "2", folder / ".6") / "variables" / "variables.data-00000-of-00001"
        cut.write_bytes(cut.read_bytes()[:10])
        (folder / ".6").rename(folder / "6")
        (folder / "7").write_text("a file")
        shutil.copytree(versions / "2", folder / "8")
        of_fan = model_info.render(replace(model_info.read(folder / "8"), class_name="fan"))
        (folder / "8" / model_info.LOCATION).write_text(of_fan)
        shutil.copytree(versions / "2", folder / "9")
        other = model_info.render(replace(model_info.read(folder / "9"), sensors=("a", "b")))
        (folder / "9" / model_info.LOCATION).write_text(other)
        expected = {
            2: "is incomplete",
            3: "leading zeros",
            4: "leads out",
            5: "",
            6: "",
            8: "the class fan",
            9: "takes",
        }
        wait_until(lambda: set(states(client)) == {1, *expected} and "LOADING" not in states(client).values())
        statuses = {version.version: version for version in client.status("pump")}
        assert statuses[1].state == "AVAILABLE" and answering(client) == 1
        for version, words in expected.items():
            status = statuses[version]
            assert (
                (status.state, status.error_code != 0) == ("END", True)
                and status.error_message
                and words in status.error_message
            )
        # the incomplete version is complete now
        shutil.copytree(versions / "2", folder / "2", dirs_exist_ok=True)
        wait_until(lambda: 2 in available(client))
        assert answering(client) == 2


def test_what_the_server_does_not_have_it_says_in_words(tmp_path: Path, versions: Path) -> None:
    publish(versions, tmp_path / "models" / "pump", 1)
    with (
        served(tmp_path, "--models", str(tmp_path / "models"), "--unreleased") as client,
        grpc.insecure_channel(client.address) as bare,
    ):
        for path in (protos.CLASSIFY, protos.REGRESS, protos.MULTI_INFERENCE):
            with pytest.raises(grpc.RpcError) as refused:
                bare.unary_unary(path)(b"\x0a\x06\x0a\x04pump", timeout=30)
            assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED and "Predict" in refused.value.details()
