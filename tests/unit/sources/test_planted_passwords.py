"""The passwords of every type of source, planted in each place that can hold one, with servers that send them back.

No command may show one or leave one behind, with or without `--debug`: not in its output, a traceback, the history, the
store of the bridge, a log, or the process list.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import yaml
from support.http_server import http_server
from support.pi_web_api import Archive, serving
from support.planted import CANARY, left_behind, run

from eugenie_cli.masking import REDACTED

pytestmark = pytest.mark.slow

START = 1_767_225_600_000
WORD = "C4N4RYpass@word/1"
IN_URL = "C4N4RYpass%40word%2F1"
PLACES = {
    "inline": WORD,
    "variable": "${env:PLANTED}",
    "file": "${file:secrets/planted}",
}
COMMANDS = ("config check", "config show --origin -o json", "import", "import --browse s", "bridge s --seconds 0.2")


class Echo(BaseHTTPRequestHandler):
    """A proxy whose error page shows the whole request. Its beginning is as long as an error's words."""

    status = 500

    def do_GET(self):
        sent = dict(self.headers)
        login = sent.get("Authorization", "").removeprefix("Basic ")
        plain = base64.b64decode(login + "===", validate=False).decode("utf-8", "replace") if login else ""
        page = "x" * 210 + f" {self.path} {json.dumps(sent)} {plain} {login}"
        body = page.encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_):
        pass


class Refusing(Echo):
    status = 401


@contextmanager
def tcp(answer):
    """A server that passes each connection to `answer`."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5.0)
                try:
                    answer(connection)
                except OSError:
                    continue

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


def postgresql(connection):
    """A server that asks for the password in plain text, and complains about it (PostgreSQL's protocol, 3.0)."""
    (length,) = struct.unpack("!i", connection.recv(4))
    if connection.recv(length - 4)[:4] == struct.pack("!i", 80877103):  # TLS is asked for
        connection.sendall(b"N")
        (length,) = struct.unpack("!i", connection.recv(4))
        connection.recv(length - 4)
    connection.sendall(b"R" + struct.pack("!ii", 8, 3))
    password = connection.recv(4_096)[5:].rstrip(b"\0")
    fields = b"SFATAL\0VFATAL\0C28P01\0M" + b"password authentication failed: " + password + b"\0\0"
    connection.sendall(b"E" + struct.pack("!i", 4 + len(fields)) + fields)


def mqtt(connection):
    """A broker that says whom it refuses (MQTT 5, 3.2.2.3.9: reason string)."""
    connect = connection.recv(4_096)
    said = connect[connect.index(b"C4N4RY") :][: len(WORD)]
    reason = b"\x1f" + struct.pack("!H", len(said)) + said
    properties = bytes([len(reason)]) + reason
    connection.sendall(b"\x20" + bytes([2 + len(properties)]) + b"\x00\x87" + properties)


def kafka(connection):
    """A broker that refuses a login by SASL/PLAIN, and says with what (protocol: ApiVersions, SaslHandshake v1,
    SaslAuthenticate v0).
    """
    versions = ((3, 0, 4), (17, 1, 1), (18, 0, 3), (36, 0, 0))
    while len(prefix := connection.recv(4, socket.MSG_WAITALL)) == 4:
        request = connection.recv(struct.unpack("!i", prefix)[0], socket.MSG_WAITALL)
        key, version, correlation, client = struct.unpack("!hhih", request[:10])
        body = request[10 + max(client, 0) :]
        if key == 18:
            entries = b"".join(struct.pack("!hhh", *of) + b"\0" * (version >= 3) for of in versions)
            count = bytes([len(versions) + 1]) if version >= 3 else struct.pack("!i", len(versions))
            answer = struct.pack("!h", 0) + count + entries + struct.pack("!i", 0) + b"\0" * (version >= 3)
        elif key == 17:
            answer = struct.pack("!hi", 0, 1) + struct.pack("!h", 5) + b"PLAIN"
        else:
            said = b"the password " + body[4:].split(b"\0")[-1] + b" is wrong"
            answer = struct.pack("!hh", 58, len(said)) + said + struct.pack("!i", 0)
        connection.sendall(struct.pack("!ii", 4 + len(answer), correlation) + answer)


def sql(url, **more):
    readings = {"ts": {"path": "ts", "unit": "ms"}, "asset": {"path": "a"}, "sensor": {"path": "s"}}
    return {"type": "sql", "url": url, "table": "log", "start": "1d", "readings": readings, **more}


LOGIN = {"username": "reader", "password": "{word}"}
INFLUX = {"type": "influxdb", "database": "plant", "measurements": ["log"], "start": "1d"}
INFLUX["readings"] = {"asset": {"path": "unit"}, "sensor": {"path": "field"}}
OPCUA = {"type": "opcua", "start": "1d"}
PI = {"type": "pi", "server": "PISRV", "start": "1d"}
SOURCES = {
    "postgresql": (postgresql, sql("postgresql://127.0.0.1:{port}/plant", **LOGIN)),
    "postgresql in the url": (postgresql, sql("postgresql://reader:{url}@127.0.0.1:{port}/plant")),
    "postgresql, an option of the url": (postgresql, sql("postgresql://reader@127.0.0.1:{port}/plant?password={url}")),
    "mariadb": (None, sql("mariadb://127.0.0.1:1/plant", **LOGIN)),
    "mariadb in the url": (None, sql("mariadb://reader:{url}@127.0.0.1:1/plant")),
    "mariadb, a wrong kind": (None, sql("mariadbb://reader:{url}@127.0.0.1:1/plant")),
    "ignition": (postgresql, {"type": "ignition", "url": "postgresql://127.0.0.1:{port}/p", "start": "1d", **LOGIN}),
    "influxdb": (Echo, {**INFLUX, **LOGIN, "url": "http://127.0.0.1:{port}"}),
    "influxdb in the url": (Echo, {**INFLUX, "url": "http://reader:{url}@127.0.0.1:{port}"}),
    "influxdb, refused": (Refusing, {**INFLUX, **LOGIN, "url": "http://127.0.0.1:{port}"}),
    "influxdb 2": (Echo, {**INFLUX, "version": 2, "token": "{word}", "url": "http://127.0.0.1:{port}"}),
    "influxdb 3": (None, {**INFLUX, "version": 3, "token": "{word}", "url": "http://127.0.0.1:1"}),
    "pi": (Echo, {**PI, **LOGIN, "url": "http://127.0.0.1:{port}/piwebapi"}),
    "pi, refused": (Refusing, {**PI, **LOGIN, "url": "http://127.0.0.1:{port}/piwebapi"}),
    "kafka": (kafka, {"type": "kafka", "topic": "plant.readings"}),
    "kafka, dead letters": (kafka, {"type": "kafka", "dead_letters": True}),
    "opcua": (None, {**OPCUA, "endpoint": "opc.tcp://127.0.0.1:1", "user": {"name": "u", "password": "{word}"}}),
    "opcua in the endpoint": (None, {**OPCUA, "endpoint": "opc.tcp://u:{url}@127.0.0.1:1"}),
    "mqtt": (mqtt, {"type": "mqtt", "url": "mqtt://127.0.0.1:{port}", "topics": ["plant/{{tag}}"], **LOGIN}),
    "mqtt in the url": (None, {"type": "mqtt", "url": "mqtt://u:{url}@127.0.0.1:1", "topics": ["plant/{{tag}}"]}),
}  # fmt: skip


@pytest.fixture(autouse=True)
def planted(tmp_path, monkeypatch):
    monkeypatch.setenv("PLANTED", WORD)
    monkeypatch.delenv("EUGENIE_DEBUG", raising=False)
    monkeypatch.setattr("eugenie_cli.sources.windows.pace.FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr("eugenie_cli.bridge.running.DRAIN_S", 0.0)
    for module in ("client", "consume", "topics"):
        monkeypatch.setattr(f"eugenie_cli.broker.{module}.ANSWER_S", 1.0)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "planted").write_text(WORD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def site_file(folder, source, word, port):
    def filled(value):
        if isinstance(value, dict):
            return {key: filled(item) for key, item in value.items()}
        if isinstance(value, list):
            return [filled(item) for item in value]
        if not isinstance(value, str):
            return value
        if value == "{word}":
            return word
        return value.replace("{url}", IN_URL).replace("{port}", str(port)).replace("{{", "{").replace("}}", "}")

    security = {"protocol": "SASL_PLAINTEXT", "mechanism": "PLAIN", "username": "u", "password": word}
    document = {
        "site": "sec",
        "sources": [{"name": "s", **filled(source)}],
        "classes": {"pump": {"sensors": [{"name": "flow"}], "step": "1s", "max_gap": "5s"}},
        "assets": {"p1": {"class": "pump", "tags": {"flow": "ns=2;s=FT-2" if source["type"] == "opcua" else "FT-2"}}},
        "kafka": {"bootstrap": f"127.0.0.1:{port if source['type'] == 'kafka' else 1}", "security": security},
    }
    file = folder / "sec.yaml"
    file.write_text(yaml.safe_dump(document))
    return file


def shows(output):
    """What an output shows of the password: whole, in its parts, or encoded."""
    spelt = base64.b64encode(f"reader:{WORD}".encode()).decode()
    return CANARY.findall(output.encode()) + re.findall(re.escape(spelt[:20]), output)


# the thread of a bridge that looks for Kafka may outlive it, and then has nowhere to say so
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("name", SOURCES)
def test_no_command_shows_or_keeps_the_password_of_a_source(planted, capfd, monkeypatch, name):
    answer, source = SOURCES[name]
    with ExitStack() as running:
        port = 1
        if answer is not None:
            port = running.enter_context(http_server(answer) if isinstance(answer, type) else tcp(answer))
        is_in_url = "{word}" not in json.dumps(source) and source["type"] != "kafka"
        masked = False
        for place, word in list(PLACES.items())[: 1 if is_in_url else None]:
            file = site_file(planted, source, word, port)
            for words in COMMANDS if place == "inline" else ("import",):
                for debug in ("", "--debug ")[: 2 if words == "import" else 1]:
                    monkeypatch.delenv("EUGENIE_DEBUG", raising=False)
                    output = run(capfd, monkeypatch, file, debug + words)
                    assert output.strip(), f"{words} prints nothing"
                    assert shows(output) == [], f"eugenie {debug}{words}: {output}"
                    masked |= REDACTED in output
    assert masked or answer in (None, Refusing), f"nothing has been sent back: {output}"
    assert left_behind(planted) == {}


def test_an_import_that_succeeds_keeps_no_password(planted, capfd, monkeypatch):
    values = [(START + number, {"Value": number, "Good": True, "Questionable": False}) for number in range(9)]
    values.append((START + 10, {"Value": "broken", "Good": True, "Questionable": False}))
    with serving(Archive({"FT-2": values}, login=f"reader:{WORD}")) as url:
        source = {**PI, **LOGIN, "start": "2026-01-01T00:00:00Z", "window": "31d", "url": url}
        file = site_file(planted, source, WORD, 0)
        monkeypatch.setattr("eugenie_cli.sources.windows.importer.time.time_ns", lambda: (START + 10**7) * 10**6)
        output = run(capfd, monkeypatch, file, "import")
    assert "9" in output and shows(output) == []
    assert left_behind(planted) == {}


LISTED_S = 1.5
"""How long a server keeps an import waiting, while the process list is read."""
WAITING = {name: SOURCES[name] for name in ("postgresql in the url", "pi", "kafka")}


def processes_of(root: int) -> dict[int, bytes]:
    """The command line and the environment of a process and of all that it started, by process id."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        parents[int(entry.name)] = int(fields[1])
    own = {root}
    while more := {pid for pid, parent in parents.items() if parent in own} - own:
        own |= more
    found = {}
    for pid in own:
        try:
            texts = [(Path("/proc") / str(pid) / name).read_bytes() for name in ("cmdline", "environ")]
        except OSError:
            continue
        found[pid] = b"\0".join(texts)
    return found


@contextmanager
def slow(answer):
    """The server of a source, which answers late. Gives its port."""
    if isinstance(answer, type):

        class Slow(answer):
            def do_GET(self):
                time.sleep(LISTED_S)
                super().do_GET()

            do_POST = do_GET

        with http_server(Slow) as port:
            yield port
        return

    def late(connection):
        time.sleep(LISTED_S)
        answer(connection)

    with tcp(late) as port:
        yield port


@pytest.mark.parametrize("name", WAITING)
def test_the_process_list_shows_no_password_of_a_source(planted, monkeypatch, name):
    """Of an import and of every process that it starts, for as long as it runs."""
    monkeypatch.delenv("PLANTED")
    answer, source = WAITING[name]
    with slow(answer) as port:
        is_in_url = "{word}" not in json.dumps(source) and source["type"] != "kafka"
        file = site_file(planted, source, PLACES["inline" if is_in_url else "file"], port)
        command = [str(Path(sys.executable).with_name("eugenie")), "import", "--site", str(file)]
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=planted)
        listed: dict[int, bytes] = {}
        rounds = 0
        while running.poll() is None:
            for pid, text in processes_of(running.pid).items():
                listed[pid] = listed.get(pid, b"") + text
            rounds += 1
            time.sleep(0.05)
        output = running.communicate()[0].decode()
    assert b"import" in listed[running.pid] and rounds > LISTED_S / 0.1, output
    assert {pid: CANARY.findall(text) for pid, text in listed.items() if CANARY.search(text)} == {}
    assert "nothing could be imported" in output and shows(output) == []
