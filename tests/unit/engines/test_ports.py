"""Ports: the configured ones, or free ones that an engine keeps across restarts."""

from __future__ import annotations

import socket
import threading

import pytest

from eugenie_cli.engines import ports
from eugenie_cli.errors import EugenieError


@pytest.fixture
def file(tmp_path):
    return tmp_path / "run" / "ports.json"


@pytest.fixture
def taken():
    """A port that another program listens on."""
    with socket.create_server((ports.LOOPBACK, 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def taken_for_a_second():
    """A port that another program listens on for one second."""
    server = socket.create_server((ports.LOOPBACK, 0))
    closing = threading.Timer(1.0, server.close)
    closing.start()
    yield server.getsockname()[1]
    closing.join()


def test_free_ports_differ_and_can_be_bound(file):
    chosen = ports.assign(file, {"kafka": 0, "kafka_controller": 0, "flink": 0}, in_use=())
    assert len(set(chosen.values())) == 3
    assert all(ports.is_free(port) for port in chosen.values())


def test_a_restarted_engine_gets_the_port_that_it_had(file):
    first = ports.assign(file, {"kafka": 0, "flink": 0}, in_use=())
    assert ports.assign(file, {"flink": 0, "kafka": 0}, in_use=()) == first


def test_starting_one_engine_keeps_the_ports_of_the_others(file):
    first = ports.assign(file, {"kafka": 0, "flink": 0}, in_use=())
    ports.assign(file, {"kafka": 0}, in_use=())
    assert ports.assign(file, {"kafka": 0, "flink": 0}, in_use=()) == first


def test_a_configured_port_is_used(file):
    free = ports.assign(file, {"kafka": 0}, in_use=())["kafka"]
    assert ports.assign(file.with_name("other.json"), {"kafka": free}, in_use=()) == {"kafka": free}


def test_a_configured_port_that_is_taken_is_an_error_that_names_its_key(file, taken):
    with pytest.raises(EugenieError, match=f"port {taken}") as raised:
        ports.assign(file, {"kafka": taken}, in_use=(), patience_s=0)
    assert "engines.kafka_port" in raised.value.hint


def test_a_kept_port_that_is_now_in_use_is_replaced(file, taken):
    file.parent.mkdir()
    file.write_text(f'{{"kafka": {taken}}}')
    assert ports.assign(file, {"kafka": 0}, in_use=(), patience_s=0)["kafka"] != taken


@pytest.mark.slow
def test_the_port_of_an_engine_that_is_still_dying_is_waited_for(file, taken_for_a_second):
    file.parent.mkdir()
    file.write_text(f'{{"kafka": {taken_for_a_second}}}')
    assert ports.assign(file, {"kafka": 0}, in_use=()) == {"kafka": taken_for_a_second}


def test_a_running_engine_keeps_the_port_that_it_occupies(file, taken):
    file.parent.mkdir()
    file.write_text(f'{{"kafka": {taken}}}')
    assert ports.assign(file, {"kafka": 0}, in_use=["kafka"]) == {"kafka": taken}


def test_a_broken_file_does_not_prevent_a_start(file):
    file.parent.mkdir()
    file.write_text("{")
    assert ports.is_free(ports.assign(file, {"kafka": 0}, in_use=())["kafka"])


def test_answers_distinguishes_a_listener_from_silence(taken):
    assert ports.answers(f"127.0.0.1:{taken}")
    assert not ports.answers("127.0.0.1:9")
    assert not ports.answers("no-port")
