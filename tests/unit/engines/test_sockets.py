"""The location of the model server's unix socket, and which files may be removed there."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE

import pytest

from eugenie_cli.engines import sockets
from eugenie_cli.workspace import Workspace

HOLDS = """
import signal, socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen()
print("listening", flush=True)
signal.pause()
"""

LONGEST = 107
"""Bytes of a socket's path on Linux."""


def workspace(base: Path, socket_bytes: int = 0) -> Workspace:
    """A workspace whose own socket has a path of `socket_bytes`; 0: of any length."""
    missing = socket_bytes - len(os.fsencode(base / "run" / sockets.NAME)) - 1
    created = Workspace(base / ("x" * missing) if socket_bytes else base)
    created.run.mkdir(parents=True)
    return created


@pytest.fixture
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a short path, so that the tests can choose the length of a socket's path."""
    return tmp_path_factory.mktemp("s", numbered=True)


@pytest.fixture
def listening(base: Path) -> Iterator[Path]:
    """A socket with a server behind it."""
    path = base / "live.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        yield path


def stale(path: Path) -> Path:
    """A socket as a killed server leaves it behind."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
    return path


def test_it_is_in_the_run_folder(base: Path) -> None:
    site = workspace(base)
    assert sockets.place(site, base / "short") == site.run / "serving.sock"
    assert not (base / "short").exists()
    assert list(site.run.iterdir()) == [], "the trial must leave no file behind"


def test_a_path_of_107_bytes_is_possible_and_one_of_108_is_not(base: Path) -> None:
    fits, too_long = workspace(base, LONGEST), workspace(base, LONGEST + 1)
    assert sockets.place(fits, base / "short").parent == fits.run
    assert sockets.place(too_long, base / "short").parent == base / "short"


def test_the_other_folder_is_private_and_its_names_stay_the_same(base: Path) -> None:
    first, second = workspace(base, 150), workspace(base, 151)
    at = sockets.place(first, base / "short")
    assert stat.S_IMODE((base / "short").stat().st_mode) == 0o700
    assert sockets.place(first, base / "short") == at
    assert sockets.place(second, base / "short") != at


def test_a_folder_that_others_can_enter_is_not_used(base: Path) -> None:
    shared = base / "short"
    shared.mkdir()
    shared.chmod(0o755)
    with pytest.raises(OSError, match="not a private folder of this user"):
        sockets.place(workspace(base, 150), shared)


def test_a_link_to_a_private_folder_is_not_used(base: Path) -> None:
    (base / "mine").mkdir(mode=0o700)
    (base / "short").symlink_to(base / "mine")
    with pytest.raises(OSError, match="not a private folder of this user"):
        sockets.place(workspace(base, 150), base / "short")


def test_a_stale_socket_is_removed(base: Path) -> None:
    site = workspace(base)
    left = stale(site.run / sockets.NAME)
    assert sockets.place(site, base / "short") == left
    assert not left.exists()


def test_a_live_socket_is_left_alone(listening: Path) -> None:
    with pytest.raises(OSError, match="another server is listening there"):
        sockets.release(listening)
    assert listening.is_socket()


def test_a_live_socket_of_the_site_does_not_lead_to_the_other_folder(base: Path, listening: Path) -> None:
    site = workspace(base)
    listening.rename(site.run / sockets.NAME)
    with pytest.raises(OSError, match="another server is listening there"):
        sockets.place(site, base / "short", patience_s=0)


@pytest.mark.slow
def test_a_server_that_is_ending_is_waited_for(listening: Path) -> None:
    """The last thread of a killed process outlives it, and still holds its sockets."""
    ending = subprocess.Popen([sys.executable, "-c", HOLDS, str(listening.with_name("ending.sock"))], stdout=PIPE)
    assert ending.stdout is not None
    with ending, ending.stdout:
        assert ending.stdout.readline() == b"listening\n"
        threading.Timer(0.3, ending.terminate).start()
        sockets.release(listening.with_name("ending.sock"), patience_s=60)
    assert not listening.with_name("ending.sock").exists()


def test_a_file_that_is_not_a_socket_is_left_alone(base: Path) -> None:
    (base / "notes").write_text("mine")
    with pytest.raises(OSError, match="not a socket"):
        sockets.release(base / "notes")
    assert (base / "notes").read_text() == "mine"


def test_a_missing_socket_is_no_error(base: Path) -> None:
    sockets.release(base / "nothing")


def test_sockets_are_private_to_their_owner(base: Path) -> None:
    before = os.umask(0o022)
    try:
        with sockets.owner_only():
            created = stale(base / "made.sock")
        assert stat.S_IMODE(created.stat().st_mode) == 0o600
        assert os.umask(0o022) == 0o022, "the umask must be restored after the block"
    finally:
        os.umask(before)


@pytest.mark.parametrize(
    "name", ["plain.sock", "two words.sock", "100%41.sock", "a?b#c.sock", "Ölpumpe.sock", "\udcff"]
)
def test_addresses_lead_back_to_their_path(name: str) -> None:
    path = Path("/somewhere") / name
    address = sockets.address(path)
    assert address.startswith("unix:/somewhere/")
    assert address.isascii()
    assert sockets.path_of(address) == path
