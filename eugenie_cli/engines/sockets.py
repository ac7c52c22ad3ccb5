"""The unix socket of the local model server: where it lies, how clients write it, and what is stale.

What runs on the same machine reaches the server there without the TCP stack. The socket is its owner's alone: a unix
socket needs write permission to connect to, which a port of the loopback interface does not.
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
"""Where sockets lie whose own folder will not do. Not TMPDIR: whoever restarts the server must find the same place."""

_OPEN_TO_OTHERS = 0o077
_POLL_S = 0.1
_ANSWERS_WITHIN_S = 1.0
# the kernel answers at once, unless the queue of a server that hangs is full


def place(workspace: Workspace, short: Path = SHORT, patience_s: float = RELEASE_S) -> Path:
    """Where the site's server can listen: `run/serving.sock`, or a name in `short` that is always the same.

    The second is for workspaces whose path is longer than a socket's may be (107 bytes), and for file systems that hold
    no sockets. What is stale there is removed. Raises OSError when neither will do, or a server listens there still
    after `patience_s` seconds.
    """
    own = (workspace.run / NAME).absolute()
    if _can_listen(own, patience_s):
        return own
    name = hashlib.sha256(os.fsencode(own)).hexdigest()[:16]
    other = _private(short) / f"{name}.sock"
    if not _can_listen(other, patience_s):
        raise OSError(f"no socket can be made at {own} or at {other}")
    return other


def address(path: Path) -> str:
    """The gRPC address of a socket, `unix:/path`: its characters are escaped as in a URI."""
    return f"{SCHEME}{quote(os.fsencode(path))}"


def path_of(written: str) -> Path:
    """What `address` was made from."""
    return Path(unquote(written.removeprefix(SCHEME), errors="surrogateescape"))


def release(path: Path, patience_s: float = 0.0) -> None:
    """Remove a socket that nobody listens on any more; nothing when there is none.

    Raises OSError when a server listens there, still after `patience_s` seconds, or when it is a file of another kind.
    """
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise OSError(errno.EEXIST, "it is no socket", str(path))
        if not wait_until(lambda: not _is_live(path), patience_s, _POLL_S):
            raise OSError(errno.EADDRINUSE, "another server listens there", str(path))
        path.unlink()


@contextmanager
def owner_only() -> Iterator[None]:
    """Sockets that the block binds have mode 0600 from their first moment. Files of other threads too: bind early."""
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
    """Try it: what a path may be is the kernel's and the file system's to say."""
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
    """A folder that only this user can enter. Raises OSError when it is somebody else's: `/tmp` is everybody's."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & _OPEN_TO_OTHERS:
        raise OSError(errno.EPERM, "it is not a folder of this user alone", str(folder))
    return folder
