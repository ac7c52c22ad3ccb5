"""A Kerberos realm on this machine: MIT's KDC of Debian, with a database and keytabs in a folder."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.debian_packages import Unavailable, last_line, unpack

REALM = "PLANT.TEST"
PACKAGES = ("krb5-kdc", "krb5-admin-server", "krb5-user", "python3-gssapi")
STARTED_WITHIN_S = 20


class Realm:
    """`root`: of the unpacked packages; `environment`: of programs that log in and of servers, without a ticket."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._root, self._folder, self.port = root, folder, _free_port()
        folder.mkdir()
        databases = next(root.rglob("krb5/plugins/kdb/db2.so")).parent
        (folder / "krb5.conf").write_text(
            f"[libdefaults]\n default_realm = {REALM}\n dns_lookup_kdc = false\n dns_lookup_realm = false\n"
            " rdns = false\n dns_canonicalize_hostname = false\n udp_preference_limit = 1\n clockskew = 1\n"
            f"[realms]\n {REALM} = {{\n  kdc = 127.0.0.1:{self.port}\n }}\n"
            f"[domain_realm]\n localhost = {REALM}\n[dbmodules]\n db_module_dir = {databases}\n"
        )
        (folder / "kdc.conf").write_text(
            f"[realms]\n {REALM} = {{\n  database_name = {folder}/principal\n  key_stash_file = {folder}/stash\n"
            f'  kdc_listen = ""\n  kdc_tcp_listen = 127.0.0.1:{self.port}\n }}\n'
            f"[logging]\n kdc = FILE:{folder}/kdc.log\n"
        )
        libraries = {str(path.parent) for path in root.rglob("*.so*")}
        self.environment = {
            **os.environ,
            "LD_LIBRARY_PATH": ":".join(sorted(libraries)),
            "PYTHONPATH": ":".join(map(str, (root / "python", next(root.rglob("gssapi/__init__.py")).parents[1]))),
            "KRB5_CONFIG": str(folder / "krb5.conf"),
            "KRB5_KDC_PROFILE": str(folder / "kdc.conf"),
            "KRB5CCNAME": f"FILE:{folder}/no-tickets",
        }
        self._run("kdb5_util", "create", "-s", "-r", REALM, "-P", "master")

    def add(self, principal: str, keytab: Path) -> None:
        """Add a principal with a random key, which is written into a keytab."""
        self._run("kadmin.local", "-q", f"addprinc -randkey {principal}")
        self._run("kadmin.local", "-q", f"ktadd -k {keytab} {principal}")

    def ticket(self, principal: str, keytab: Path, lifetime: str = "1h") -> dict[str, str]:
        """The environment of a user with a ticket."""
        cache = f"FILE:{self._folder}/tickets-{len(list(self._folder.iterdir()))}"
        environment = {**self.environment, "KRB5CCNAME": cache}
        self._run("kinit", "-l", lifetime, "-k", "-t", str(keytab), principal, environment=environment)
        return environment

    @contextmanager
    def running(self) -> Iterator[None]:
        """The KDC, as long as the block runs."""
        process = subprocess.Popen([self._program("krb5kdc"), "-n", "-r", REALM], env=self.environment)
        try:
            end = time.monotonic() + STARTED_WITHIN_S
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1.0):
                    break
                assert process.poll() is None and time.monotonic() < end, "the KDC does not start"
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait()

    def _program(self, name: str) -> str:
        return str(next(path for path in self._root.rglob(name) if path.is_file() and path.parent.name.endswith("bin")))

    def _run(self, name: str, *arguments: str, environment: dict[str, str] | None = None) -> None:
        command, env = [self._program(name), *arguments], environment or self.environment
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{name}: {done.stderr or done.stdout}"


def unpack_kerberos(root: Path) -> None:
    """Unpack the KDC and its tools, and what logs requests in, into a folder. Raises Unavailable."""
    root.mkdir()
    for package in PACKAGES:
        unpack(root / package, package)
    version = f"cpython-{sys.version_info.major}{sys.version_info.minor}"
    if not list(root.rglob(f"gssapi/raw/misc.{version}*.so")):
        raise Unavailable(f"python3-gssapi not available for Python {sys.version_info.major}.{sys.version_info.minor}")
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--target", str(root / "python")]
    done = subprocess.run([*install, "requests-gssapi>=1.3,<2"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unavailable(f"requests-gssapi not available: {last_line(done.stderr)}")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
