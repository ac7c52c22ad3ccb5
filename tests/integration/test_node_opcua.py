"""Imports from a second, different OPC UA server, node-opcua: values, status codes, certificates and logins."""

from __future__ import annotations

import shutil
import time
from datetime import timedelta

import numpy as np
import pytest

pytest.importorskip("asyncua", reason="needs the extra opcua")

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from support.debian_packages import Unavailable
from support.node_opcua import node_modules, node_opcua_server
from support.opcua import opcua_site

from eugenie_cli.errors import EugenieError
from eugenie_cli.history.site_history import open_history
from eugenie_cli.sources.importing import browse_source, import_sources
from eugenie_cli.sources.opcua import certificates
from eugenie_cli.sources.opcua.certificates import own_identity
from eugenie_cli.sources.windows.importer import WindowImporter

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

START, DAY = 1_767_225_600_000, 86_400_000
GOOD, UNCERTAIN, BAD = 0, 0x4000_0000, 0x8000_0000
STATUSES = (GOOD, UNCERTAIN, BAD)
FLOW = [[START + number * 1_000, number / 4, STATUSES[number % 3]] for number in range(2_500)]
DENSE = [[START + number // 700, float(number), GOOD] for number in range(2_100)]
NODES = {"flow": FLOW, "dense": DENSE, '"DB_Pump"."PT;1"': [[START, 1.0, GOOD]]}
POLICIES = ["Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server that trusts nobody yet, and its folder."""
    try:
        modules = node_modules()
    except Unavailable as why:
        pytest.skip(str(why))
    folder = tmp_path_factory.mktemp("node")
    with node_opcua_server(modules, folder, NODES, users={"op": "right"}) as running:
        yield running, folder


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    make = WindowImporter.__init__
    monkeypatch.setattr(
        WindowImporter,
        "__init__",
        lambda self, reader, source, site: make(self, reader, source, site, lambda: START + DAY),
    )


def site_of(folder, server, tags=None, **settings):
    return opcua_site(folder, server[0].endpoint, tags or {"flow": "ns=2;s=flow"}, pace={"retries": 0}, **settings)


def held(site, sensor="flow"):
    read = open_history(site).read("p1")
    own = read.sensor == read.names.index(sensor)
    return list(zip(read.ts[own].tolist(), read.value[own].tolist(), strict=True))


def test_what_was_put_in_comes_out(server, tmp_path):
    tags = {"flow": "ns=2;s=flow", "quoted": 'nsu=urn:test:plant;s="DB_Pump"."PT;1"'}
    (report,) = import_sources(site := site_of(tmp_path, server, tags, values_per_read=700))
    assert (report.failed, report.rejected, report.gaps, report.repeated) == ([], {}, [], 0)
    expected = [(ts, np.nan if status == BAD else value) for ts, value, status in FLOW]
    np.testing.assert_array_equal(held(site), expected)
    assert held(site, "quoted") == [(START, 1.0)]


def test_more_values_in_a_millisecond_than_in_a_page_are_continued(server, tmp_path):
    (report,) = import_sources(site_of(tmp_path, server, {"dense": "ns=2;s=dense"}, values_per_read=200))
    assert (report.failed, report.readings, report.repeated) == ([], len(DENSE), len(DENSE) - 3)


def test_variables_are_listed(server, tmp_path):
    found = {browsed.tag: browsed for browsed in browse_source(site_of(tmp_path, server), "plc")}
    flow = found["ns=2;s=flow"]
    assert (flow.sensor, flow.start_ms, flow.end_ms) == ("p1, flow", START, FLOW[-1][0])
    assert 'ns=2;s="DB_Pump"."PT;1"' in found


def test_a_certificate_has_to_be_trusted_for_every_policy_and_mode(server, tmp_path):
    user = {"name": "op", "password": "right-or-wrong"}
    secured = {"security": {"policy": "Basic256Sha256"}}
    with pytest.raises(EugenieError) as refused:
        import_sources(site_of(tmp_path, server, **secured))
    words = f"{refused.value.reason} {refused.value.hint}"
    for word in ("does not trust the certificate of eugenie, CN=eugenie plant (SHA-1", "from `rejected` to `trusted`"):
        assert word in words, words
    trust(server, tmp_path / ".eugenie" / "plant" / "opcua" / "eugenie.der", "pki")
    settled(lambda: import_sources(site_of(tmp_path, server, **secured)))
    for policy in POLICIES:
        for mode in ("Sign", "SignAndEncrypt"):
            shutil.rmtree(tmp_path / ".eugenie" / "plant" / "history")
            login = {"name": "op", "password": "right"}
            site = site_of(tmp_path, server, security={"policy": policy, "mode": mode}, user=login)
            (report,) = import_sources(site)
            assert report.readings == len(FLOW), (policy, mode)
    shutil.rmtree(tmp_path / ".eugenie" / "plant" / "history")
    with pytest.raises(EugenieError) as refused:
        import_sources(site_of(tmp_path, server, **secured, user=user))
    assert "refuses the user op" in refused.value.reason
    assert "right-or-wrong" not in refused.value.reason


def test_a_login_by_certificate(server, tmp_path):
    own_identity(tmp_path / "person", "person")
    login = {
        "certificate": str(tmp_path / "person" / "eugenie.der"),
        "key": str(tmp_path / "person" / "eugenie.key.pem"),
    }
    secured = {"security": {"policy": "Basic256Sha256"}, "user": login}
    with pytest.raises(EugenieError):
        import_sources(site_of(tmp_path, server, **secured))
    trust(server, tmp_path / ".eugenie" / "plant" / "opcua" / "eugenie.der", "pki")
    with pytest.raises(EugenieError) as refused:
        settled(lambda: import_sources(site_of(tmp_path, server, **secured)), until="refuses the user")
    assert "person/eugenie.der" in refused.value.reason
    trust(server, tmp_path / "person" / "eugenie.der", "users")
    (report,) = settled(lambda: import_sources(site_of(tmp_path, server, **secured)))
    assert report.readings == len(FLOW)


def test_a_login_by_a_certificate_that_has_expired(server, tmp_path, monkeypatch):
    trusted = tmp_path / ".eugenie" / "plant" / "opcua"
    own_identity(trusted, "plant")
    trust(server, trusted / "eugenie.der", "pki")
    with monkeypatch.context() as patch:
        patch.setattr(certificates, "VALID", timedelta(hours=-1))
        with pytest.raises(EugenieError):
            own_identity(tmp_path / "old", "old")
    trust(server, tmp_path / "old" / "eugenie.der", "users")
    login = {"certificate": str(tmp_path / "old" / "eugenie.der"), "key": str(tmp_path / "old" / "eugenie.key.pem")}
    with pytest.raises(EugenieError, match=r"old/eugenie\.der is valid from .* to .*renew it"):
        import_sources(site_of(tmp_path, server, security={"policy": "Basic256Sha256"}, user=login))


def trust(server, certificate, store):
    """Put a certificate among those that the server trusts, as its owner does: from those that it rejected."""
    parsed = x509.load_der_x509_certificate(certificate.read_bytes())
    pem, folder = parsed.public_bytes(serialization.Encoding.PEM), server[1] / store
    trusted = folder / "trusted" / "certs" / f"{time.monotonic_ns()}.pem"
    for rejected in (folder / "rejected").glob("*"):
        if x509.load_pem_x509_certificate(rejected.read_bytes()) == parsed:
            rejected.rename(trusted)
            return
    trusted.write_bytes(pem)


def settled(work, until=None):
    """The result of `work` once the server has noticed a new certificate; `until`: words of the error to wait for."""
    end = time.monotonic() + 20
    while True:
        try:
            return work()
        except EugenieError as error:
            if time.monotonic() > end or (until is not None and until in error.reason):
                raise
            time.sleep(0.5)
