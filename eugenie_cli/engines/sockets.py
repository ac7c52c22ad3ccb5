"""The unix socket of the local model server: its location, its address for clients, and the removal of stale sockets.

Clients on the same machine reach the server there without the TCP stack. Only the owner can use the socket: connecting
to a unix socket needs write permission, unlike connecting to a port of the loopback interface.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, unquote

from eugenie_cli.engines.ports import RELEASE_S
from eugenie_cli.polling import wait_until
from eugenie_cli.workspace import Workspace

NAME = "serving.sock"

SCHEME = "unix:"

SHORT = Path("/tmp") / f"eugenie-{os.geteuid()}"  # noqa: S108 - private to the user, which `_private` makes sure of
"""Folder for sockets that cannot be in the workspace. Not TMPDIR, because a restart must find the same folder."""

_OPEN_TO_OTHERS = 0o077
_POLL_S = 0.1
_ANSWERS_WITHIN_S = 1.0
# the kernel answers at once, unless the server hangs and its queue is full


def place(workspace: Workspace, short: Path = SHORT, patience_s: float = RELEASE_S) -> Path:
    """Where the site's server can listen: `run/serving.sock`, or a fixed name in `short`.

    The second is for workspaces whose path would exceed a socket's limit (107 bytes), and for file systems without
    sockets. Stale sockets there are removed. Raises OSError when neither is possible, or when a server still listens
    there after `patience_s` seconds.
    """
    own = (workspace.run / NAME).absolute()
    if _can_listen(own, patience_s):
        return own
    name = hashlib.sha256(os.fsencode(own)).hexdigest()[:16]
    fallback = _private(short) / f"{name}.sock"
    if not _can_listen(fallback, patience_s):
        raise OSError(f"cannot create a socket at {own} or at {fallback}")
    return fallback


def address(path: Path) -> str:
    """The gRPC address of a socket, `unix:/path`, with characters escaped as in a URI."""
    return f"{SCHEME}{quote(os.fsencode(path))}"


def path_of(grpc_address: str) -> Path:
    """The path in a gRPC address; the inverse of `address`."""
    return Path(unquote(grpc_address.removeprefix(SCHEME), errors="surrogateescape"))


def release(path: Path, patience_s: float = 0.0) -> None:
    """Removes a socket on which no server listens any more; does nothing without a socket.

    Raises OSError when a server still listens there after `patience_s` seconds, or when the file is not a socket.
    """
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise OSError(errno.EEXIST, "not a socket", str(path))
        if not wait_until(lambda: not _is_live(path), patience_s, _POLL_S):
            raise OSError(errno.EADDRINUSE, "another server is listening there", str(path))
        path.unlink()


@contextmanager
def owner_only() -> Iterator[None]:
    """Gives sockets bound in the block mode 0600 from the start. Affects files of other threads too, so bind early."""
    before = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(before)


def _is_live(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_ANSWERS_WITHIN_S)
        return probe.connect_ex(str(path)) not in (errno.ECONNREFUSED, errno.ENOENT)


def _can_listen(path: Path, patience_s: float) -> bool:
    """Tries it, because the limits of a path depend on the kernel and the file system."""
    try:
        release(path, patience_s)
        with socket.socket(socket.AF_UNIX) as probe, owner_only():
            probe.bind(str(path))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise
        return False
    path.unlink()
    return True


def _private(folder: Path) -> Path:
    """A folder that only this user can enter. Raises OSError when it is another user's: anyone can write to `/tmp`."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    state = folder.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.geteuid() or state.st_mode & _OPEN_TO_OTHERS:
        raise OSError(errno.EPERM, "not a private folder of this user", str(folder))
    return folder
