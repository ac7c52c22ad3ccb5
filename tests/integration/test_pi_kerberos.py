"""Logins at a PI Web API by Kerberos, with a real KDC; the API itself is a stand-in that checks the tickets."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from support.debian_packages import Unavailable
from support.kerberos import Realm, unpack_kerberos

pytestmark = pytest.mark.integration

TESTS = Path(__file__).parents[1]
PROJECT = TESTS.parent


@pytest.fixture(scope="module")
def realm(tmp_path_factory):
    root = tmp_path_factory.mktemp("kerberos")
    try:
        unpack_kerberos(root / "packages")
    except Unavailable as why:
        pytest.skip(str(why))
    realm = Realm(root / "packages", root / "realm")
    with realm.running():
        for principal in ("reader", "stranger", "HTTP/localhost", "HTTP/other"):
            realm.add(principal, root / principal.replace("/", "-"))
        realm.keytabs = root
        yield realm


@contextmanager
def web_api(realm, service="HTTP-localhost", challenge="Negotiate"):
    """The address of the API, whose key is that of a service."""
    environment = {**realm.environment, "KRB5_KTNAME": str(realm.keytabs / service)}
    environment["PYTHONPATH"] += f":{TESTS}:{PROJECT}"
    command = [sys.executable, "-m", "support.negotiating_pi", challenge]
    with subprocess.Popen(command, env=environment, stdin=-1, stdout=-1, stderr=-1, text=True) as server:
        try:
            address = server.stdout.readline().strip()
            assert address, server.stderr.read()
            yield address
        finally:
            server.stdin.close()
            server.wait()


def imported(folder, environment, url):
    """(exit code, output) of an import of one point."""
    source = {"name": "pi", "type": "pi", "url": url, "server": "PISRV", "start": "2026-01-01T00:00:00Z"}
    document = {
        "site": "plant",
        "sources": [{**source, "window": "31d", "pace": {"retries": 1}}],
        "classes": {"pump": {"sensors": [{"name": "flow"}], "step": "1m", "max_gap": "5m"}},
        "assets": {"p2": {"class": "pump", "tags": {"flow": "FT-2"}}},
    }
    file = folder / "plant.yaml"
    file.write_text(yaml.safe_dump(document))
    command = [str(Path(sys.executable).with_name("eugenie")), "import", "--site", str(file)]
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def test_a_user_with_a_ticket_reads_the_archive(realm, tmp_path):
    with web_api(realm) as url:
        code, output = imported(tmp_path, realm.ticket("reader", realm.keytabs / "reader"), url)
    assert (code, "100" in output) == (0, True), output


def test_a_keytab_alone_is_enough(realm, tmp_path):
    keytab = {**realm.environment, "KRB5_CLIENT_KTNAME": str(realm.keytabs / "reader")}
    with web_api(realm) as url:
        code, output = imported(tmp_path, {**keytab, "KRB5CCNAME": f"FILE:{tmp_path}/tickets"}, url)
    assert code == 0, output


def expired(realm):
    environment = realm.ticket("reader", realm.keytabs / "reader", "1s")
    time.sleep(3)
    return environment


CASES = {
    "no ticket": (
        lambda realm: realm.environment,
        {},
        "no Kerberos login at HTTP/localhost: No credentials.*there is no ticket: run `kinit`, or set",
    ),
    "an expired ticket": (
        expired,
        {},
        "no Kerberos login at HTTP/localhost: Ticket expired.*the ticket has expired: run `kinit`",
    ),
    "a service that the realm does not know": (
        lambda realm: realm.ticket("reader", realm.keytabs / "reader"),
        {"host": "127.0.0.1"},
        r"no Kerberos login at HTTP/127.0.0.1: Server .*not found in Kerberos database.*registered.*`url` of",
    ),
    "the key of another service": (
        lambda realm: realm.ticket("reader", realm.keytabs / "reader"),
        {"service": "HTTP-other"},
        "refuses the Kerberos login .HTTP 401.*registered for the account that runs the PI Web API",
    ),
    "a user who has no rights": (
        lambda realm: realm.ticket("stranger", realm.keytabs / "stranger"),
        {},
        "refuses the Kerberos login .HTTP 401",
    ),
    "a server without Kerberos": (
        lambda realm: realm.ticket("reader", realm.keytabs / "reader"),
        {"challenge": "Basic realm=x"},
        "offers no Kerberos login, but Basic realm=x.*set `username` and `password`",
    ),
    "a KDC that is down": (
        lambda realm: {**realm.ticket("reader", realm.keytabs / "reader"), "KRB5_CONFIG": "{down}"},
        {},
        "no Kerberos login at HTTP/localhost: Cannot contact any KDC.*check the realm and its KDC in /etc/krb5.conf",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_login_that_fails_says_what_to_do(realm, tmp_path, name):
    user, server, words = CASES[name]
    environment = user(realm)
    if environment["KRB5_CONFIG"] == "{down}":
        down = Path(realm.environment["KRB5_CONFIG"]).read_text().replace(f":{realm.port}", ":1")
        (tmp_path / "krb5.conf").write_text(down)
        environment["KRB5_CONFIG"] = str(tmp_path / "krb5.conf")
    with web_api(realm, **{key: value for key, value in server.items() if key != "host"}) as url:
        code, output = imported(tmp_path, environment, url.replace("localhost", server.get("host", "localhost")))
    assert code == 1 and re.search(words, output), output
    assert "Traceback" not in output
