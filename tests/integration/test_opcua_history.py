"""Imports from real OPC UA servers: what was put in comes out, to the last reading and status."""

from __future__ import annotations

import shutil
import threading
from datetime import timedelta

import numpy as np
import pytest

pytest.importorskip("asyncua", reason="needs the extra opcua")

from cryptography import x509
from support.live_sink import KeepingSink
from support.model_server import wait_until
from support.opcua import opcua_server, opcua_site

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.site_history import open_history
from eugenie_cli.sources.importing import browse_source, import_sources
from eugenie_cli.sources.opcua.certificates import own_identity
from eugenie_cli.sources.opcua.history_reader import HistoryReader
from eugenie_cli.sources.opcua.subscriber import Subscriber
from eugenie_cli.sources.windows.browsing import Browsed
from eugenie_cli.sources.windows.importer import WindowImporter

pytestmark = pytest.mark.integration

START, DAY = 1_767_225_600_000, 86_400_000
GOOD, UNCERTAIN, BAD, NO_BOUND = 0, 0x4000_0000, 0x8000_0000, 0x80D7_0000
QUOTED, SEMICOLON = '"DB_Pump"."PT101"', "FT;2=a"


@pytest.fixture
def clock(monkeypatch):
    """The imports take place at a fixed time."""
    now = [START + DAY]
    make = WindowImporter.__init__
    monkeypatch.setattr(
        WindowImporter, "__init__", lambda self, reader, source, site: make(self, reader, source, site, lambda: now[0])
    )
    return now


def held(site):
    """Sensor -> [(ts, value or None)]."""
    read = open_history(site).read("p1")
    rows = zip(read.sensor.tolist(), read.ts.tolist(), read.value.tolist(), strict=True)
    by_sensor = {name: [] for name in read.names}
    for sensor, ts, value in rows:
        by_sensor[read.names[sensor]].append((ts, None if np.isnan(value) else value))
    return by_sensor


def put(step_ms, count, statuses=(GOOD, UNCERTAIN, BAD)):
    return [[START + number * step_ms, number / 4, statuses[number % len(statuses)]] for number in range(count)]


def expected(values):
    return [(ts, None if status == BAD else value) for ts, value, status in values if status != NO_BOUND]


NODES = {
    QUOTED: {"values": put(1_000, 2_500)},
    SEMICOLON: {"values": [[START - 5, 1.0, NO_BOUND], *put(250, 2_500), [START + DAY, 9.0, GOOD]]},
    "slow": {"values": [[START + number * 3_600_000, bool(number % 2), GOOD] for number in range(24)]},
    "text": {"values": [[START, "12.5", GOOD], [START + 1, "Bad Input", GOOD], [START + 2, None, GOOD]]},
    "a": {"values": put(1_000, 10), "unit": "bar"},
    "odd": {"values": [[START, "broken wire", GOOD], [START + 1, [1.0, 2.0], GOOD], [START + 2, 3.0, 0x30]]},
    "live": {"history": False},
}


@pytest.fixture(scope="module", params=["fewer values than there are", "continuation points", "one node"])
def server(request, tmp_path_factory):
    """Three servers with different habits, and the same values."""
    habits = {
        "fewer values than there are": {"page": 300, "points": False},
        "continuation points": {"page": 700},
        "one node": {"most_nodes": 1},
    }[request.param]
    with opcua_server(tmp_path_factory.mktemp("server"), NODES, namespaces=["urn:another"], **habits) as server:
        yield server


def test_what_was_put_in_comes_out(server, tmp_path, clock):
    tags = {
        "quoted": f"nsu=urn:test:plant;s={QUOTED}",
        "semicolon": f"ns=3;s={SEMICOLON}",
        "slow": "/3:Plant/3:slow",
        "text": "ns=3;s=text",
    }
    (report,) = import_sources(site := opcua_site(tmp_path, server.endpoint, tags, values_per_read=700))
    assert (report.failed, report.rejected, report.gaps, report.repeated) == ([], {}, [], 0)
    history = held(site)
    assert history["quoted"] == expected(NODES[QUOTED]["values"])
    assert history["semicolon"] == expected(NODES[SEMICOLON]["values"][1:-1])
    assert history["slow"] == [(START + number * 3_600_000, float(number % 2)) for number in range(24)]
    assert history["text"] == [(START, 12.5), (START + 1, None), (START + 2, None)]


def test_a_server_that_is_killed_in_the_middle_loses_nothing(tmp_path, clock):
    clock[0] = START + 6 * 3_600_000
    nodes = {"a": {"values": put(1_000, 6 * 3_600)}, "b": {"values": put(2_000, 3 * 3_600)}}
    settings = {"window": "1h", "pace": {"retries": 0, "timeout": "5s"}}
    tags = {"a": "ns=2;s=a", "b": "ns=2;s=b"}
    with opcua_server(tmp_path, nodes) as server:
        site = opcua_site(tmp_path, server.endpoint, tags, **settings)
        read, reads = HistoryReader.read, []

        def killed_in_the_third_window(reader, span, tally, pace):
            reads.append(span)
            if len(reads) == 3:
                server.kill()
            yield from read(reader, span, tally, pace)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(HistoryReader, "read", killed_in_the_third_window)
            (report,) = import_sources(site)
        assert report.new == 2
        assert report.failed, "the server was gone"
        port = int(server.endpoint.split(":")[2].split("/")[0])
    with opcua_server(tmp_path, nodes, port=port):
        (report,) = import_sources(site)
        assert (report.new, report.unchanged, report.failed) == (4, 2, [])
    assert held(site) == {name: expected(node["values"]) for name, node in nodes.items()}


def test_namespaces_that_move_are_followed_by_their_uri(server, tmp_path, clock):
    site = opcua_site(tmp_path, server.endpoint, {"a": "ns=2;s=a"}, namespaces={2: "urn:test:plant"})
    (report,) = import_sources(site)
    assert (report.readings, report.failed) == (10, [])


@pytest.mark.parametrize(
    ("tags", "settings", "words"),
    [
        ({"a": "ns=3;s=a", "b": "ns=3;s=none"}, {}, ["ns=3;s=none: the server has no such node"]),
        (
            {"a": "ns=3;s=a", "b": "ns=3;s=live"},
            {},
            ["ns=3;s=live: the server keeps no history of it", "missing: skip"],
        ),
        ({"a": "ns=2;s=a"}, {"namespaces": {2: "urn:x"}}, ["no namespace urn:x", "3 urn:test:plant"]),
        ({"a": "PT-101"}, {}, ["'PT-101' is not a node id", "set `node` of the source"]),
        (
            {"a": "ns=3;s=a"},
            {"security": {"policy": "Basic256Sha256"}},
            ["does not offer Basic256Sha256", "it offers None"],
        ),
    ],
)
def test_what_is_wrong_is_said_with_what_to_write(server, tmp_path, clock, tags, settings, words):
    with pytest.raises(EugenieError) as raised:
        import_sources(opcua_site(tmp_path, server.endpoint, tags, pace={"retries": 0}, **settings))
    for word in words:
        assert word in raised.value.reason


def test_nodes_that_may_be_missing_are_named(server, tmp_path, clock):
    tags = {"a": "ns=3;s=a", "b": "ns=3;s=live", "c": "/3:Plant/3:none"}
    (report,) = import_sources(opcua_site(tmp_path, server.endpoint, tags, missing="skip"))
    assert report.readings == 10
    assert any("ns=3;s=live is left out: the server keeps no history of it" in gap for gap in report.gaps)
    assert any("/3:Plant/3:none is left out: the server has no such node" in gap for gap in report.gaps)


@pytest.mark.parametrize("missing", ["refuse", "skip"])
def test_a_bridge_names_the_nodes_that_it_leaves_out_and_reads_what_the_others_have_missed(server, tmp_path, missing):
    tags = {"a": "ns=3;s=a", "b": "ns=3;s=live", **({"c": "/3:Plant/3:none"} if missing == "skip" else {})}
    site = opcua_site(tmp_path, server.endpoint, tags, missing=missing)
    sink, stop = KeepingSink({"safe_ms": START}), threading.Event()
    live = threading.Thread(target=Subscriber(site.sources[0], site).run, args=(sink, stop))
    live.start()
    try:
        wait_until(lambda: any("no history" in gap for gap in sink.tally.gaps))
    finally:
        stop.set()
        live.join()
    assert sink.said[0].endswith("subscribed to 2 nodes")
    assert {ts for _, sensor, ts, _ in sink.readings if sensor == "a"} >= {
        START + number * 1_000 for number in range(10)
    }
    left_out = ["ns=3;s=live is left out: the server keeps no history of it"]
    if missing == "skip":
        left_out.insert(0, "/3:Plant/3:none is left out: the server has no such node")
    assert sink.tally.gaps == left_out


def test_a_value_that_is_no_number_is_rejected_by_name(server, tmp_path, clock):
    (report,) = import_sources(opcua_site(tmp_path, server.endpoint, {"a": "ns=3;s=odd"}))
    assert report.rejected == {"bad-value": 3}
    words = " ".join(report.examples["bad-value"])
    for word in ("p1, a at 2026-01-01T00:00:00.000Z", "broken wire", "an array or a structure"):
        assert word in words


def test_nothing_listens_there(tmp_path, clock):
    site = opcua_site(tmp_path, "opc.tcp://127.0.0.1:9", {"a": "ns=2;s=a"}, pace={"retries": 0})
    with pytest.raises(EugenieError, match="cannot be reached"):
        import_sources(site)


POLICIES = {
    "Basic256Sha256": "Basic256Sha256_SignAndEncrypt",
    "Aes128_Sha256_RsaOaep": "Aes128Sha256RsaOaep_SignAndEncrypt",
    "Aes256_Sha256_RsaPss": "Aes256Sha256RsaPss_SignAndEncrypt",
}


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    """A server that trusts nobody yet, and its folder of trusted certificates."""
    folder = tmp_path_factory.mktemp("secured")
    own = own_identity(folder / "own", "server")
    (folder / "trusted").mkdir()
    settings = {
        "certificate": str(folder / "own" / "eugenie.der"),
        "key": str(folder / "own" / "eugenie.key.pem"),
        "uri": own.uri,
        "trusted": str(folder / "trusted"),
        "policies": list(POLICIES.values()),
        "users": {"op": "right"},
    }
    with opcua_server(folder, {"a": {"values": put(1_000, 10)}}, **settings) as server:
        yield server, folder / "trusted", folder / "own" / "eugenie.der"


def import_secured(tmp_path, server, policy="Basic256Sha256", login="right", **security):
    user = {"name": "op", "password": login}
    settings = {"security": {"policy": policy, **security}, "user": user, "pace": {"retries": 0}}
    return import_sources(opcua_site(tmp_path, server.endpoint, {"a": "ns=2;s=a"}, **settings))


def test_a_certificate_is_made_and_has_to_be_trusted(secured, tmp_path, clock):
    server, trusted, _ = secured
    with pytest.raises(EugenieError) as raised:
        import_secured(tmp_path, server)
    reason = raised.value.reason
    for word in ("does not trust the certificate of eugenie, CN=eugenie plant (SHA-1 ", "from `rejected` to `trusted`"):
        assert word in reason
    shutil.copy(tmp_path / ".eugenie" / "plant" / "opcua" / "eugenie.der", trusted / "eugenie.der")
    for policy in POLICIES:
        (report,) = import_secured(tmp_path, server, policy)
        assert report.readings == 10, policy
        shutil.rmtree(tmp_path / ".eugenie" / "plant" / "history")
    with pytest.raises(EugenieError, match="refuses the user op"):
        import_secured(tmp_path, server, login="wrong", server_certificate=str(secured[2]))


def test_a_certificate_that_has_expired_is_named(secured, tmp_path, clock, monkeypatch):
    monkeypatch.setattr("eugenie_cli.sources.opcua.certificates.VALID", timedelta(hours=-1))
    with pytest.raises(EugenieError, match=r"eugenie\.der is valid from .* to .*delete"):
        import_secured(tmp_path, secured[0])


def test_values_without_source_timestamps_are_named_or_read_by_those_of_the_server(tmp_path, clock):
    with opcua_server(tmp_path, {"a": NODES["a"]}, undated=True) as undated:
        (report,) = import_sources(opcua_site(tmp_path, undated.endpoint, {"a": "ns=2;s=a"}))
        assert (report.readings, report.rejected) == (0, {"bad-timestamp": 10})
        assert "values without a source timestamp: set `timestamps: server`" in str(report.examples)
        (report,) = import_sources(
            site := opcua_site(tmp_path, undated.endpoint, {"a": "ns=2;s=a"}, timestamps="server")
        )
        assert report.rejected == {}
    assert held(site)["a"] == expected(NODES["a"]["values"])


def test_a_server_whose_certificate_has_expired_is_refused_unless_it_is_named(tmp_path, clock):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("eugenie_cli.sources.opcua.certificates.VALID", timedelta(hours=-1))
        with pytest.raises(EugenieError):
            own_identity(tmp_path / "old", "server")
    certificate, key = tmp_path / "old" / "eugenie.der", tmp_path / "old" / "eugenie.key.pem"
    uri = x509.load_der_x509_certificate(certificate.read_bytes()).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    settings = {
        "certificate": str(certificate),
        "key": str(key),
        "uri": uri.value.get_values_for_type(x509.UniformResourceIdentifier)[0],
        "policies": list(POLICIES.values()),
        "users": {"op": "right"},
    }
    with opcua_server(tmp_path, {"a": NODES["a"]}, **settings) as expired:
        with pytest.raises(EugenieError) as refused:
            import_secured(tmp_path, expired)
        for word in ("the server's certificate, CN=eugenie server (SHA-1", "is valid from", "renew it on the server"):
            assert word in f"{refused.value.reason} {refused.value.hint}"
        (kept,) = (tmp_path / ".eugenie" / "plant" / "opcua" / "refused servers").iterdir()
        (report,) = import_secured(tmp_path, expired, server_certificate=str(kept))
        assert report.readings == 10


def test_another_certificate_of_the_server_is_refused(secured, tmp_path, clock):
    own_identity(tmp_path / "other", "other")
    with pytest.raises(EugenieError) as refused:
        import_secured(tmp_path, secured[0], server_certificate=str(tmp_path / "other" / "eugenie.der"))
    reason = refused.value.reason
    for word in (
        "certificate is CN=eugenie server (SHA-1",
        "is not `server_certificate` of the source, CN=eugenie other",
    ):
        assert word in reason
    (kept,) = (tmp_path / ".eugenie" / "plant" / "opcua" / "refused servers").iterdir()
    assert str(kept) in reason and kept.read_bytes() == secured[2].read_bytes()


def test_a_server_is_browsed_without_knowing_its_nodes(server, tmp_path):
    site = opcua_site(tmp_path, server.endpoint, {"a": "ns=3;s=a", "b": "ns=3;s=slow"})
    tags = {browsed.tag: browsed for browsed in browse_source(site, "plc")}
    assert set(tags) >= {f"ns=3;s={name}" for name in NODES}
    assert tags["ns=3;s=a"] == Browsed("ns=3;s=a", "p1, a", "bar", None, START, START + 9_000, "/3:Plant/3:a")
    assert tags["ns=3;s=live"].note == "/3:Plant/3:live; no history"
    assert [browsed.tag for browsed in browse_source(site, "plc", "*/3:slow")] == ["ns=3;s=slow"]
    unknown = opcua_site(tmp_path, server.endpoint, {"a": "PT-101"})
    assert {browsed.tag for browsed in browse_source(unknown, "plc")} == set(tags)
