"""The engines' settings: loopback only, one replica, all data in the workspace."""

from __future__ import annotations

import sys

import pytest

from eugenie_cli.engines import endpoints, flink, kafka
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.site.schema import Site
from eugenie_cli.workspace import Workspace

PORTS = {"kafka": 9092, "kafka_controller": 9093, "flink": 8081, "flink_rpc": 6123, "flink_metrics": 9091}


def site(tmp_path, **sections) -> Site:
    document = {
        "site": "plant",
        "classes": {"pump": {"sensors": [{"name": "pressure"}]}},
        "assets": {"p-1": {"class": "pump"}},
        **sections,
    }
    return Site.model_validate(document).model_copy(update={"base": tmp_path})


def test_the_broker_listens_on_loopback_and_allows_transactions_on_one_node(tmp_path):
    lines = kafka.server_properties(tmp_path / "data", PORTS).splitlines()
    settings = dict(line.split("=", 1) for line in lines)
    assert settings["listeners"] == "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"
    assert settings["advertised.listeners"] == "PLAINTEXT://127.0.0.1:9092"
    assert settings["auto.create.topics.enable"] == "false"
    assert settings["transaction.state.log.replication.factor"] == "1"
    assert settings["log.dirs"] == str(tmp_path / "data")


def test_flink_binds_to_loopback_and_keeps_its_state_in_the_workspace(tmp_path):
    engines = {"slots": 3, "taskmanager_memory": "2g"}
    settings = flink.settings(site(tmp_path, engines=engines).engines, Workspace(tmp_path / "ws"), PORTS)
    for key in ("rest.bind-address", "jobmanager.bind-host", "taskmanager.bind-host"):
        assert settings[key] == "127.0.0.1"
    assert settings["execution.checkpointing.dir"] == f"file://{tmp_path}/ws/flink/checkpoints"
    assert settings["execution.checkpointing.savepoint-dir"] == f"file://{tmp_path}/ws/flink/savepoints"
    assert settings["taskmanager.numberOfTaskSlots"] == 3
    assert settings["taskmanager.memory.process.size"] == "2g"
    assert settings["python.executable"] == sys.executable


def test_external_addresses_are_returned_as_configured(tmp_path):
    external = site(
        tmp_path,
        kafka={"bootstrap": "a:9092,b:9092"},
        stream={"flink": "http://flink:8081/"},
        tracking={"uri": "http://mlflow:5000"},
        serving={"address": "serving:8500"},
    )
    assert endpoints.kafka(external) == "a:9092,b:9092"
    assert endpoints.flink(external) == "http://flink:8081"
    assert endpoints.mlflow(external) == "http://mlflow:5000"
    assert endpoints.model_server(external) == "serving:8500"


@pytest.mark.parametrize(
    ("endpoint", "command"),
    [
        (endpoints.kafka, "eugenie up"),
        (endpoints.flink, "eugenie up"),
        (endpoints.model_server, "eugenie serve start"),
    ],
)
def test_the_error_of_a_stopped_embedded_engine_names_the_command_that_starts_it(tmp_path, endpoint, command):
    with pytest.raises(EugenieError, match="is not running") as raised:
        endpoint(site(tmp_path))
    assert (raised.value.hint, raised.value.exit_code) == (command, ExitCode.UNREACHABLE)


def test_a_local_store_without_a_server_is_no_error(tmp_path):
    assert endpoints.mlflow(site(tmp_path)) is None


def test_no_cluster_id_looks_like_an_option():
    # one in 64 used to begin with a dash, and the broker's first start failed
    ids = {kafka.cluster_id() for _ in range(2_000)}
    assert len(ids) == 2_000
    assert not any(identity.startswith("-") for identity in ids)
    assert all(len(identity) == 22 for identity in ids)
