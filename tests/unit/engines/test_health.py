"""An open port is not an engine: a server that hangs, hangs up or speaks another protocol counts as unreachable."""

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
    """Behaves like a process stopped by a signal: it accepts the connection and sends nothing."""
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
    """Sends each byte in time, but never completes the answer."""
    with contextlib.suppress(OSError):
        connection.recv(65_536)
        for byte in PAGE[:40]:
            connection.sendall(bytes([byte]))
            time.sleep(0.2)
    return hangs_up(connection)


def site_file(folder: Path, **sections: dict[str, str]) -> Path:
    """A small site; `sections`: the addresses of its engines."""
    file = folder / "plant.yaml"
    plant = {"classes": {"pump": {"sensors": [{"name": "pressure"}]}}, "assets": {"p-1": {"class": "pump"}}}
    file.write_text(yaml.safe_dump({"site": "plant", **plant, **sections}))
    return file


@pytest.fixture
def listen() -> Iterator[Callable[[Callable[[socket.socket], bool]], str]]:
    """Starts a server on loopback that handles each connection with the function given; returns its `host:port`."""
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
def test_other_servers_are_neither_flink_nor_a_tracking_server(listen, behave):
    address = f"http://{listen(behave)}"
    assert flink_rest.why_no_flink(address, 0.5) and health.why_no_mlflow(address, 0.5)


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "http://127.0.0.1:notaport", "http://[::1", "http://"])
def test_an_unused_or_invalid_address_causes_no_crash(address):
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
    statuses = {status["name"]: status for status in json.loads(result.stdout)}
    assert set(statuses) == {"kafka", "flink", "mlflow", "serving"}
    for status in statuses.values():
        assert (status["state"], status["ok"]) == ("unreachable", False) and status["why"] and status["hint"]


def test_engines_that_were_not_started_are_reported_with_the_command_that_starts_them(tmp_path):
    """Training works without the tracking server, and the model server is not needed before the first model."""
    result = CliRunner().invoke(app, ["status", "--site", str(site_file(tmp_path)), "-o", "json"])
    assert result.exit_code == ExitCode.UNREACHABLE
    statuses = {status["name"]: (status["ok"], status["hint"]) for status in json.loads(result.stdout)}
    missing = (False, "eugenie up")
    assert statuses == {
        "kafka": missing, "flink-jobmanager": missing, "flink-taskmanager": missing, "flink-metrics": missing,
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
    status = json.loads(result.stdout)
    assert (status["state"], status["job_id"], status["lag"]) == ("UNREACHABLE", None, None)
    problems = [f"{problem['what']}; {problem['next']}" for problem in status["problems"]]
    for part in (f"Flink at http://{address} does not", "Kafka does not answer", "the model server"):
        assert any(part in problem for problem in problems), problems
    assert all(problem["next"] for problem in status["problems"]) and len(problems) == 3
