"""The page that Prometheus scrapes: the latest push of every process, with each metric's head once."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from eugenie_cli.engines.pushgateway import FORGOTTEN_AFTER_S, Gateway, is_healthy, server

JOBMANAGER = """# HELP flink_uptime uptime (scope: job)
# TYPE flink_uptime gauge
flink_uptime{job="a",} 5.0
"""
TASKMANAGER = """# HELP flink_records records
# TYPE flink_records counter
flink_records{tm="%s",} 7.0
# HELP flink_latency latency
# TYPE flink_latency summary
flink_latency_count{tm="%s",} 3.0
flink_latency{tm="%s",quantile="0.5",} 0.2
"""


def of(tm: str) -> str:
    return TASKMANAGER % (tm, tm, tm)


def test_the_samples_of_all_processes_follow_one_head():
    gateway = Gateway()
    for group, text in (("/jm", JOBMANAGER), ("/1", of("1")), ("/2", of("2"))):
        gateway.push(group, text)
    assert gateway.page() == (
        JOBMANAGER
        + '# HELP flink_records records\n# TYPE flink_records counter\nflink_records{tm="1",} 7.0\n'
        + 'flink_records{tm="2",} 7.0\n'
        + "# HELP flink_latency latency\n# TYPE flink_latency summary\n"
        + 'flink_latency_count{tm="1",} 3.0\nflink_latency{tm="1",quantile="0.5",} 0.2\n'
        + 'flink_latency_count{tm="2",} 3.0\nflink_latency{tm="2",quantile="0.5",} 0.2\n'
    )


def test_a_process_replaces_its_push_and_is_forgotten_when_it_ends_or_falls_silent():
    now = [0.0]
    gateway = Gateway(lambda: now[0])
    gateway.push("/1", of("1"))
    gateway.push("/1", of("9"))
    assert 'tm="9"' in gateway.page() and 'tm="1"' not in gateway.page()
    now[0] = FORGOTTEN_AFTER_S / 2
    gateway.push("/2", of("2"))
    now[0] = FORGOTTEN_AFTER_S
    assert 'tm="9"' not in gateway.page() and 'tm="2"' in gateway.page()
    gateway.forget("/2")
    assert gateway.page() == ""


@pytest.fixture
def address() -> Iterator[str]:
    with server(0, Gateway()) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


def ask(address: str, method: str, body: bytes | None = None) -> tuple[int, str]:
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.netloc, timeout=5)
    connection.request(method, parts.path, body)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_metrics_are_pushed_and_scraped_over_http(address):
    assert is_healthy(f"{address}/metrics")
    ask(f"{address}/metrics/job/flink-1", "PUT", JOBMANAGER.encode())
    ask(f"{address}/metrics/job/flink-2", "POST", of("2").encode())
    assert ask(f"{address}/metrics", "GET") == (200, JOBMANAGER + of("2"))
    ask(f"{address}/metrics/job/flink-2", "DELETE")
    assert ask(f"{address}/metrics", "GET") == (200, JOBMANAGER)


def test_a_body_in_chunks_is_read_whole(address):
    body = JOBMANAGER.encode()
    request = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (body[:20], body[20:])) + b"0\r\n\r\n"
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=5)
    connection.putrequest("PUT", "/metrics/job/flink")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    connection.send(request)
    assert connection.getresponse().status == 202
    assert ask(f"{address}/metrics", "GET") == (200, JOBMANAGER)


def test_other_paths_do_not_exist(address):
    assert ask(f"{address}/", "GET")[0] == ask(f"{address}/elsewhere", "PUT", b"")[0] == 404
    assert not is_healthy("http://127.0.0.1:9/metrics")
