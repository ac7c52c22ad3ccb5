"""PostgreSQL and MariaDB servers for tests, on free ports of 127.0.0.1, each in a folder of its own.

The programs are the machine's own, or are unpacked from Debian's packages. Neither server runs as root: with root's
rights its files belong to the user `nobody`.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eugenie_cli.engines.ports import is_free
from support.debian_packages import Unavailable, last_line, unpack

STARTED_WITHIN_S = 60


@dataclass
class SqlServer:
    """A server that can be killed and started again. `url`: of a database in it, for a user that may write."""

    kind: str
    folder: Path
    command: list[str]
    port: int
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"{self.kind}://127.0.0.1:{self.port}/plant"

    def start(self) -> None:
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            self.command, stdout=log, stderr=log, env={**os.environ, **self.environment}, preexec_fn=_as_nobody
        )
        end = time.monotonic() + STARTED_WITHIN_S
        while True:
            try:
                self.connect().close()
                return
            except Exception as error:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise Unavailable(f"{self.kind} does not start: {error}; {self._said()}") from error
                time.sleep(0.1)

    def kill(self) -> None:
        """As a power failure: without a word to clients."""
        assert self.process is not None
        for child in _children(self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self.process.kill()
        self.process.wait()

    def connect(self, database: str = "") -> Any:
        """A connection of the administrator, which commits each statement."""
        if self.kind == "postgresql":
            import psycopg

            return psycopg.connect(
                host="127.0.0.1",
                port=self.port,
                user="postgres",
                dbname=database or "postgres",
                autocommit=True,
                sslmode="disable",  # libpq's OpenSSL and TensorFlow's BoringSSL abort in one process
            )
        import pymysql

        return pymysql.connect(
            unix_socket=str(self.folder / "socket"), user="admin", database=database or None, autocommit=True
        )

    def run(self, *statements: str, database: str = "plant") -> None:
        """Run statements as the administrator."""
        with contextlib.closing(self.connect(database)) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def _said(self) -> str:
        return last_line((self.folder / "log").read_text(errors="replace"))


@contextlib.contextmanager
def postgresql() -> Iterator[SqlServer]:
    """A server with an empty database `plant` and a user `reader`, password `secret-1`, who reads what is granted."""
    with _folder() as folder:
        programs, environment = _postgresql_programs(folder)
        data = folder / "data"
        options = ["-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        _checked([programs / "initdb", "-D", data, *options], environment)
        (data / "pg_hba.conf").write_text(
            "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        )
        port = _free_port()
        settings = ("fsync=off", "listen_addresses=127.0.0.1", f"unix_socket_directories={folder}")
        command = [str(programs / "postgres"), "-D", str(data), "-p", str(port)]
        server = SqlServer(
            "postgresql", folder, [*command, *(part for each in settings for part in ("-c", each))], port
        )
        with _running(server):
            server.run("CREATE DATABASE plant", "CREATE ROLE reader LOGIN PASSWORD 'secret-1'", database="postgres")
            yield server


@contextlib.contextmanager
def mariadb() -> Iterator[SqlServer]:
    """As `postgresql`."""
    with _folder() as folder:
        program, share, environment = _mariadb_program(folder)
        data, port = folder / "data", _free_port()
        common = ["--no-defaults", f"--datadir={data}", f"--lc-messages-dir={share}", "--skip-name-resolve"]
        common += [f"--tmpdir={folder}"]
        data.mkdir()
        if os.geteuid() == 0:
            shutil.chown(data, "nobody")
        _bootstrap([str(program), *common, "--bootstrap", "--skip-log-bin"], share, environment)
        options = [f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder / 'socket'}"]
        options += [f"--pid-file={folder / 'pid'}", "--innodb-flush-log-at-trx-commit=0"]
        server = SqlServer("mariadb", folder, [str(program), *common, *options], port, environment)
        with _running(server):
            server.run("CREATE DATABASE plant", "CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'secret-1'", database="")
            yield server


def _bootstrap(command: list[str], share: Path, environment: dict[str, str]) -> None:
    """The system tables, as mariadb-install-db makes them, and an administrator without a password on the socket."""
    scripts = ["mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql"]
    found = [share / name for name in scripts if (share / name).is_file()]
    text = "create database if not exists mysql;\nuse mysql;\n" + "\n".join(path.read_text() for path in found)
    text += (
        "\nFLUSH PRIVILEGES;\nCREATE USER admin@localhost IDENTIFIED VIA mysql_native_password USING '';\n"
        "GRANT ALL PRIVILEGES ON *.* TO admin@localhost WITH GRANT OPTION;\n"
    )
    done = subprocess.run(
        command,
        input=text.encode(),
        capture_output=True,
        check=False,
        env={**os.environ, **environment},
        preexec_fn=_as_nobody,
        timeout=STARTED_WITHIN_S,
    )
    if done.returncode != 0:
        raise Unavailable(f"mariadb cannot be set up: {_errors(done.stderr)}")


def _errors(output: bytes) -> str:
    lines = output.decode(errors="replace").splitlines()
    return " ".join(line for line in lines if "ERROR" in line)


@contextlib.contextmanager
def _running(server: SqlServer) -> Iterator[None]:
    try:
        server.start()
        yield
    finally:
        if server.process is not None and server.process.poll() is None:
            server.process.send_signal(signal.SIGQUIT if server.kind == "postgresql" else signal.SIGKILL)
            try:
                server.process.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A folder with a short path, as sockets need, that the server's user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="sql-", dir="/tmp"))
    folder.chmod(0o755)
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _postgresql_programs(folder: Path) -> tuple[Path, dict[str, str]]:
    """The folder of the server's programs, and their environment."""
    for root in (Path("/"), folder / "programs"):
        if root != Path("/"):
            unpack(root, "postgresql")
        found = sorted((root / "usr/lib/postgresql").glob("*/bin/postgres"))
        if found:
            return found[-1].parent, _libraries(root)
    raise Unavailable("postgresql is not available: its package contains no program postgres")


def _mariadb_program(folder: Path) -> tuple[Path, Path, dict[str, str]]:
    """The server, its folder of messages and scripts, and its environment."""
    for root in (Path("/"), folder / "programs"):
        if root != Path("/"):
            unpack(root, "mariadb-server-core")
        program = root / "usr/sbin/mariadbd"
        if program.is_file():
            return program, root / "usr/share/mysql", _libraries(root)
    raise Unavailable("mariadb is not available: its package contains no program mariadbd")


def _libraries(root: Path) -> dict[str, str]:
    """What programs that were unpacked need to find their libraries."""
    folder = root / "usr/lib" / f"{os.uname().machine}-linux-gnu"
    return {} if root == Path("/") else {"LD_LIBRARY_PATH": str(folder)}


def _checked(command: list[Any], environment: dict[str, str]) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
        preexec_fn=_as_nobody,
    )
    if done.returncode != 0:
        raise Unavailable(f"{command[0]} fails: {last_line(done.stderr)}")


def _as_nobody() -> None:
    if os.geteuid() == 0:
        import pwd

        user = pwd.getpwnam("nobody")
        os.setgroups([])
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)


def _free_port() -> int:
    """A port below those of outgoing connections, so that a server that was killed gets it again."""
    return next(port for port in random.sample(range(20_000, 32_000), 100) if is_free(port))


def _children(pid: int) -> list[int]:
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    return []
