"""Sources over HTTPS: certificates that are not trusted, and what helps, in words that show no secret."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import pytest
from support.certificates import Authority
from support.http_server import http_server

from eugenie_cli.errors import EugenieError
from eugenie_cli.masking import mask
from eugenie_cli.sources.failures import SourceDownError, TooMuchError, TransientError
from eugenie_cli.sources.windows.http import HttpSource

pytestmark = pytest.mark.slow


class Answering(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


@contextmanager
def serving(pair):
    """The port of a server with this certificate; None: without TLS."""
    context = None
    if pair is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
    with http_server(Answering, context) as port:
        yield port


@pytest.mark.parametrize(
    ("valid", "host", "trusted", "words"),
    [
        ({}, "127.0.0.1", "ours", None),
        ({}, "127.0.0.1", "theirs", "set `ca` of the source"),
        ({}, "127.0.0.1", None, "set `ca` of the source"),
        ({"days": -1}, "127.0.0.1", "ours", "renew the server's certificate"),
        ({"begins": 5}, "127.0.0.1", "ours", "correct the clocks"),
        ({}, "localhost", "ours", "write the host name of the server's certificate into `url`"),
        (None, "127.0.0.1", "ours", "check `url` of the source"),
    ],
)
def test_a_certificate_that_is_not_trusted_is_said_with_what_helps(tmp_path, valid, host, trusted, words):
    authorities = {name: Authority(tmp_path / name, name) for name in ("ours", "theirs")}
    pair = None if valid is None else authorities["ours"].sign("influx", **valid)
    ca = None if trusted is None else str(authorities[trusted].ca)
    with serving(pair) as port:
        source = HttpSource(f"https://reader:pass-word-1@{host}:{port}", "source s", None, ca)
        if words is None:
            with source.get("/", {}, 5) as response:
                assert response.content == b"ok"
            return
        with pytest.raises(SourceDownError) as refused, source.get("/", {}, 5):
            pass
        said = f"{refused.value.reason} {refused.value.hint}"
        assert words in said and f"{host}:{port}" in said, said
        assert "pass-word-1" not in mask(said)


def test_a_ca_that_does_not_exist_is_named(tmp_path):
    source = HttpSource("https://127.0.0.1:1", "source s", None, str(tmp_path / "nowhere.pem"))
    with pytest.raises(EugenieError, match=r"nowhere\.pem"), source.get("/", {}, 5):
        pass


@contextmanager
def replying(reply, *, hangs=False):
    """The port of a server that sends these bytes, and then hangs or closes the connection."""
    done = threading.Event()

    def answer():
        connection, _ = listening.accept()
        with connection:
            connection.recv(1 << 16)
            connection.sendall(reply)
            done.wait(5 if hangs else 0)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        done.set()
        thread.join()


PART = b"Content-Length: 100\r\n\r\nabc"
NOT_GZIP = b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"


@pytest.mark.parametrize("rest", [PART, NOT_GZIP], ids=["cut off", "damaged"])
@pytest.mark.parametrize(
    ("status", "expected", "words"),
    [
        (401, SourceDownError, "refuses the user name, password or token"),
        (403, SourceDownError, "does not let this user read"),
        (500, EugenieError, "answered HTTP 500"),
        (200, TransientError, "cannot be reached"),
    ],
)
def test_an_answer_that_is_cut_off_or_damaged_is_said_by_its_status(status, expected, words, rest):
    with replying(b"HTTP/1.1 %d x\r\n" % status + rest) as port:
        source = HttpSource(f"http://127.0.0.1:{port}", "source s")
        with pytest.raises(EugenieError, match=words) as raised, source.get("/", {}, 5) as response:
            if not response.ok:
                raise source.refused(response)
            _ = response.content
        assert type(raised.value) is expected


@pytest.mark.parametrize("reply", [b"", b"HTTP/1.1 200 x\r\n" + PART], ids=["before", "in the middle"])
def test_an_answer_that_stops_coming_is_too_much(reply):
    with replying(reply, hangs=True) as port:
        source = HttpSource(f"http://127.0.0.1:{port}", "source s")
        with pytest.raises(TooMuchError, match=r"did not answer within 0\.2 s"), source.get("/", {}, 0.2) as response:
            _ = response.content
