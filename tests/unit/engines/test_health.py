"""An open port is no engine: what hangs, hangs up, or speaks something else, is not reachable."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from eugenie_cli.engines import flink_rest, health
from eugenie_cli.errors import ExitCode
from eugenie_cli.main import app

PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>"


def hangs(_: socket.socket) -> bool:
    """As a process that was stopped: the connection is there, and nothing comes."""
    return False


def hangs_up(connection: socket.socket) -> bool:
    connection.close()
    return True


def greets(connection: socket.socket) -> bool:
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
    return hangs_up(connection)


def serves_a_page(connection: socket.socket) -> bool:
    connection.recv(65_536)
    connection.sendall(PAGE)
    return hangs_up(connection)


def serves_json(connection: socket.socket) -> bool:
    connection.recv(65_536)
    connection.sendall(PAGE.replace(b"<html>", b"[3, 4]"))
    return hangs_up(connection)


def drips(connection: socket.socket) -> bool:
    """Each byte comes in time, the whole never does."""
    with contextlib.suppress(OSError):
        connection.recv(65_536)
        for byte in PAGE[:40]:
            connection.sendall(bytes([byte]))
            time.sleep(0.2)
    return hangs_up(connection)


def site_file(folder: Path, **sections: dict[str, str]) -> Path:
    """A small site; `sections`: where its engines are."""
    file = folder / "plant.yaml"
    plant = {"classes": {"pump": {"sensors": [{"name": "pressure"}]}}, "assets": {"p-1": {"class": "pump"}}}
    file.write_text(yaml.safe_dump({"site": "plant", **plant, **sections}))
    return file


@pytest.fixture
def listen() -> Iterator[Callable[[Callable[[socket.socket], bool]], str]]:
    """Starts a server on loopback that treats each connection so; returns its `host:port`."""
    servers, kept = [], []

    def start(behave: Callable[[socket.socket], bool]) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                    kept.append(None if behave(connection) else connection)
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        return f"127.0.0.1:{server.getsockname()[1]}"

    yield start
    for server in servers:
        server.close()


@pytest.mark.slow
@pytest.mark.parametrize("behave", [hangs, hangs_up, greets, serves_a_page, serves_json, drips])
def test_what_is_no_flink_and_no_tracking_server_is_none(listen, behave):
    address = f"http://{listen(behave)}"
    assert flink_rest.why_no_flink(address, 0.5) and health.why_no_mlflow(address, 0.5)


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "http://127.0.0.1:notaport", "http://[::1", "http://"])
def test_an_address_at_which_nothing_is_or_can_be_is_no_crash(address):
    assert flink_rest.why_no_flink(address, 0.5) and health.why_no_mlflow(address, 0.5)


def test_this_machine_is_asked_without_the_plants_proxy(listen, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    page = PAGE.replace(b"Length: 6", b"Length: 2").replace(b"<html>", b"OK")

    def answers(connection: socket.socket) -> bool:
        connection.recv(65_536)
        connection.sendall(page)
        return hangs_up(connection)

    assert health.why_no_mlflow(f"http://{listen(answers)}") == ""


@pytest.mark.slow
@pytest.mark.parametrize("behave", [hangs, serves_a_page])
def test_status_calls_nothing_reachable_that_does_not_speak_its_protocol_and_exits_with_4(listen, behave, tmp_path):
    address = listen(behave)
    file = site_file(
        tmp_path,
        kafka={"bootstrap": address},
        stream={"flink": f"http://{address}"},
        tracking={"uri": f"http://{address}"},
        serving={"address": address},
    )
    result = CliRunner().invoke(app, ["status", "--site", str(file), "-o", "json"])
    assert result.exit_code == ExitCode.UNREACHABLE
    found = {one["name"]: one for one in json.loads(result.stdout)}
    assert set(found) == {"kafka", "flink", "mlflow", "serving"}
    for one in found.values():
        assert (one["state"], one["ok"]) == ("unreachable", False) and one["why"] and one["hint"]


def test_engines_that_were_not_started_are_missed_and_the_command_is_said(tmp_path):
    """Not the tracking server, which training does without, nor a model server before there is a model."""
    result = CliRunner().invoke(app, ["status", "--site", str(site_file(tmp_path)), "-o", "json"])
    assert result.exit_code == ExitCode.UNREACHABLE
    found = {one["name"]: (one["ok"], one["hint"]) for one in json.loads(result.stdout)}
    missed = (False, "eugenie up")
    assert found == {
        "kafka": missed, "flink-jobmanager": missed, "flink-taskmanager": missed, "flink-metrics": missed,
        "mlflow": (True, ""), "serving": (True, ""),
    }  # fmt: skip
    (tmp_path / ".eugenie" / "plant" / "models" / "pump" / "1").mkdir(parents=True)
    result = CliRunner().invoke(app, ["status", "--site", str(site_file(tmp_path))])
    assert result.exit_code == ExitCode.UNREACHABLE
    assert "serving is stopped; next: eugenie serve start" in result.output
    assert "kafka is stopped; next: eugenie up" in result.output


@pytest.mark.parametrize("behave", [serves_a_page, serves_json, hangs_up])
def test_stream_status_of_a_site_whose_engines_do_not_answer_is_whole_json_and_exits_with_4(listen, behave, tmp_path):
    address = listen(behave)
    file = site_file(tmp_path, kafka={"bootstrap": "127.0.0.1:9"}, stream={"flink": f"http://{address}"})
    result = CliRunner().invoke(app, ["stream", "status", "--site", str(file), "-o", "json"])
    assert result.exit_code == ExitCode.UNREACHABLE
    found = json.loads(result.stdout)
    assert (found["state"], found["job_id"], found["lag"]) == ("UNREACHABLE", None, None)
    words = [f"{one['what']}; {one['next']}" for one in found["problems"]]
    for part in (f"Flink at http://{address} does not", "Kafka does not answer", "the model server"):
        assert any(part in line for line in words), words
    assert all(one["next"] for one in found["problems"]) and len(words) == 3
