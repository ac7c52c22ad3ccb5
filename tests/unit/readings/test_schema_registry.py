"""The client of a schema registry, against a server that answers like Confluent's REST API."""

from __future__ import annotations

import datetime as dt
import json
import ssl
import struct
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from threading import Event, Thread

import pytest

from eugenie_cli.readings.avro import UnknownSchema
from eugenie_cli.readings.payload import compile_payload
from eugenie_cli.readings.schema_registry import PROTOBUF, RetryableError, SchemaRegistry, patient

READING = {
    "type": "record",
    "name": "Reading",
    "fields": [{"name": "at", "type": "Instant"}, {"name": "v", "type": "double"}],
}
INSTANT = {"type": "record", "name": "Instant", "fields": [{"name": "iso", "type": "string"}]}
NOT_FOUND = (404, {"error_code": 40403, "message": "Schema not found"})


def answer(schema, **more) -> tuple[int, dict]:
    return 200, {"schema": json.dumps(schema), **more}


ANSWERS = {
    "/schemas/types": (200, ["JSON", "PROTOBUF", "AVRO"]),
    "/schemas/ids/1": answer("double"),
    "/schemas/ids/2": answer(READING, references=[{"name": "Instant", "subject": "plant/instant", "version": 3}]),
    "/subjects/plant%2Finstant/versions/3": answer(INSTANT, subject="plant/instant", version=3, id=9),
    "/schemas/ids/3": answer({}, schemaType="PROTOBUF"),
    "/schemas/ids/4": (200, {"schema": "{"}),
    "/schemas/ids/5": answer(READING, references=[{"name": "x", "subject": "circle", "version": 1}]),
    "/subjects/circle/versions/1": answer(READING, references=[{"name": "x", "subject": "circle", "version": 1}]),
    "/schemas/ids/6": answer(READING, references=[{"name": "x", "subject": "gone", "version": 1}]),
    "/subjects/gone/versions/1": (404, {"error_code": 40402, "message": "Version not found"}),
    "/schemas/ids/20": (404, "<html>a proxy's page</html>"),
    "/schemas/ids/21": (404, {"error_code": 404, "message": "HTTP 404 Not Found"}),
    "/schemas/ids/22": (401, {"error_code": 401, "message": "Unauthorized"}),
    "/schemas/ids/23": (500, {"error_code": 50001, "message": "Error in the backend data store"}),
    "/schemas/ids/24": (429, ""),
    "/schemas/ids/25": (200, "<html>a page</html>"),
    "/schemas/ids/26": (200, {"message": "no schema"}),
    "/schemas/ids/27": answer(READING, references=[{"name": "x"}]),
    "/schemas/ids/28": (302, ""),
}  # fmt: skip


class Registry(ThreadingHTTPServer):
    """`requests`: (path, Authorization) of every request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, str | None]] = []
        self.answers = dict(ANSWERS)
        self.scheme = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self) -> None:
        self.server.requests.append((self.path, self.headers["Authorization"]))
        status, body = self.server.answers.get(self.path, NOT_FOUND)
        payload = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        if status == 302:
            self.send_header("Location", f"{self.server.url}/schemas/ids/1")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_) -> None:
        pass


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def registry():
    server = Registry()
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_schema_is_fetched_once(registry):
    schemas = SchemaRegistry(registry.url + "/")
    assert schemas(1) == schemas(1) == ("double",)
    assert registry.requests == [("/schemas/ids/1", None)]


def test_referenced_schemas_come_first(registry):
    assert SchemaRegistry(registry.url)(2) == (INSTANT, READING)


def test_a_message_is_read_by_its_schema(registry):
    mapping = {"format": "avro", "tag": {"const": "FT-1"}, "ts": {"path": "at.iso"}, "value": {"path": "v"}}
    read = compile_payload(mapping, "UTC", SchemaRegistry(registry.url))
    body = b"\x282026-01-01T00:00:00Z" + struct.pack("<d", 1.5)
    (reading,) = read(struct.pack(">bI", 0, 2) + body)
    assert (reading.tag, reading.ts, reading.value) == ("FT-1", 1_767_225_600_000, 1.5)
    (rejected,) = read(struct.pack(">bI", 0, 77) + body)
    assert rejected == ("bad-avro", "77: Schema not found")


def test_descriptors_of_protobuf_are_requested_with_what_they_import(registry):
    references = [{"name": "plant/machine.proto", "subject": "machine", "version": 2}]
    own = {"schemaType": "PROTOBUF", "schema": "b3du", "references": references}
    registry.answers["/schemas/ids/8?format=serialized"] = (200, own)
    imported = {"schemaType": "PROTOBUF", "schema": "aW1wb3J0ZWQ="}
    registry.answers["/subjects/machine/versions/2?format=serialized"] = (200, imported)
    registry.answers["/schemas/ids/1?format=serialized"] = registry.answers["/schemas/ids/1"]
    schemas = SchemaRegistry(registry.url, kind=PROTOBUF)
    assert schemas(8) == (("plant/machine.proto", "aW1wb3J0ZWQ="), ("", "b3du"))
    with pytest.raises(UnknownSchema, match="schema 1 is of kind AVRO, not PROTOBUF: set `format: avro`"):
        schemas(1)


def test_name_and_password_are_sent_and_never_shown(registry):
    schemas = SchemaRegistry(registry.url, username="eugenie", password="pässword")
    schemas(1)
    assert registry.requests == [("/schemas/ids/1", "Basic ZXVnZW5pZTpww6Rzc3dvcmQ=")]
    with pytest.raises(RetryableError, match="rejected the user name or password") as refused:
        schemas(22)
    assert "pässword" not in f"{refused.value}{schemas!r}"


def test_a_redirect_is_not_followed_with_the_password(registry):
    with pytest.raises(RetryableError, match="returned status 302"):
        SchemaRegistry(registry.url, username="eugenie", password="x")(28)
    assert [path for path, _ in registry.requests] == ["/schemas/ids/28"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "why"),
    [
        (7, "7: Schema not found"),
        (3, "schema 3 is of kind PROTOBUF, not AVRO: set `format: protobuf`"),
        (4, "schema 4 is not JSON"),
        (5, "is part of a circular reference"),
        (6, "1: Version not found"),
    ],
)
def test_a_registry_without_the_schema(registry, number, why):
    with pytest.raises(UnknownSchema, match=why):
        SchemaRegistry(registry.url)(number)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(20, 28))
def test_an_answer_that_does_not_concern_the_schema_rejects_nothing(registry, number):
    schemas = SchemaRegistry(registry.url)
    for _again in range(2):  # it is requested again: nothing is known
        with pytest.raises(RetryableError, match=registry.url):
            schemas(number)
    assert len({path for path, _ in registry.requests}) < len(registry.requests)


def test_an_unknown_schema_is_requested_again_after_a_minute(registry):
    now = [0.0]
    schemas = SchemaRegistry(registry.url, clock=lambda: now[0])
    for moment in (0.0, 59.0, 61.0):
        now[0] = moment
        with pytest.raises(UnknownSchema, match="Schema not found"):
            schemas(7)
    assert len(registry.requests) == 2
    registry.answers["/schemas/ids/7"] = answer("long")
    now[0] = 200.0
    assert schemas(7) == ("long",)


def test_an_unreachable_registry():
    gone = Registry()
    gone.server_close()
    with pytest.raises(RetryableError, match="does not answer"):
        SchemaRegistry(gone.url)(1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "response", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"]
)
def test_a_server_that_is_not_a_registry(response):
    """It does not answer before the time-out, uses another protocol, or closes the connection early."""
    timed_out = Event()

    class Odd(Registry):
        def finish_request(self, request, *_) -> None:
            request.sendall(response)
            if not response:
                timed_out.wait()

    server = Odd()
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        schemas = SchemaRegistry(server.url)
        schemas.timeout_s = 0.2 if not response else 60
        with pytest.raises(RetryableError, match=server.url):
            schemas(1)
    finally:
        timed_out.set()
        server.shutdown()
        thread.join()
        server.server_close()


def test_check_requires_a_registry_that_accepts_the_credentials(registry):
    SchemaRegistry(registry.url).check()
    registry.answers["/schemas/types"] = (403, "")
    with pytest.raises(RetryableError, match="user name or password"):
        SchemaRegistry(registry.url).check()
    with pytest.raises(RetryableError, match="not found"):
        SchemaRegistry(f"{registry.url}/wrong").check()


def test_a_patient_caller_waits_with_growing_pauses_until_the_registry_answers():
    pauses, reasons, failures_left = [], [], [8]

    def schema_of(number: int):
        if number == 2:
            raise UnknownSchema("2")
        if failures_left[0]:
            failures_left[0] -= 1
            raise RetryableError("unreachable")
        return ("double",)

    waiting = patient(schema_of, reasons.append, pauses.append)
    assert waiting(1) == ("double",)
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    assert reasons == ["unreachable"] * 8
    with pytest.raises(UnknownSchema):
        waiting(2)


@pytest.fixture
def authority(tmp_path):
    """PEM files with a self-signed certificate for 127.0.0.1 and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = dt.datetime.now(dt.timezone.utc)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - dt.timedelta(days=1), now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (tmp_path / "ca.pem").write_bytes(certificate.public_bytes(pem))
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (tmp_path / "key.pem").write_bytes(key.private_bytes(pem, *plain))
    return tmp_path / "ca.pem", tmp_path / "key.pem"


def test_a_certificate_of_the_plants_own_authority(registry, authority):
    certificate, key = authority
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    registry.socket = context.wrap_socket(registry.socket, server_side=True)
    registry.scheme = "https"
    assert SchemaRegistry(registry.url, ca=str(certificate))(1) == ("double",)
    with pytest.raises(RetryableError, match="CERTIFICATE_VERIFY_FAILED"):
        SchemaRegistry(registry.url)(1)
