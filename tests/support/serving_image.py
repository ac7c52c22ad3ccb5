"""Images that stand in for TensorFlow Serving's, built from Debian's packages without an image registry.

They support its flags, ports and mounts. They run `stand_in_server.py` as /usr/bin/tensorflow_model_server, on Debian's
own Python, grpcio, protobuf and numpy, with the few modules of this project that it needs.
"""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import docker
from docker.models.images import Image

import eugenie_cli
from support.debian_packages import fetch_closure

PACKAGES = ("python3", "python3-grpcio", "python3-protobuf", "python3-numpy", "bash", "dash")
PACKAGE = Path(eugenie_cli.__file__).parent
OURS = ("__init__.py", "errors.py", "tfserving/__init__.py", "tfserving/tensors.py", "tfserving/protos")
SERVER = Path(__file__).with_name("stand_in_server.py")
SITE_PACKAGES = "opt/site-packages"

MERGED = ("bin", "sbin", "lib", "lib64")
"""Folders that are links into /usr. Packages of older releases contain files in them."""

_LEFT_OUT = re.compile(r"(usr/(share|include|games)|var|boot|home|media|mnt|srv)/|.*/(test|tests|idlelib|ensurepip)/")
_ALTERNATIVE = re.compile(r"(usr/lib/[^/]+)/(blas|lapack)/([^/]+\.so\.\d+)")
# installation chooses among alternatives; here each has only one


def build(client: docker.DockerClient, tag: str, folder: Path) -> Image:
    """Build the base image of the others. Packages go to `folder`, which must not exist. Raises Unavailable."""
    archives = fetch_closure(folder, *PACKAGES)
    repository, _, name = tag.partition(":")
    with tempfile.TemporaryFile() as spooled:
        with tarfile.open(fileobj=spooled, mode="w|") as tar:
            _fill(tar, archives)
        spooled.seek(0)
        client.api.import_image_from_data(spooled, repository=repository, tag=f"{name}-raw")
    # a read-only root file system keeps no byte code, so compile everything that the server imports now
    return derived(client, f"{tag}-raw", tag, "RUN stand-in --help")


def derived(client: docker.DockerClient, base: str, tag: str, *lines: str) -> Image:
    """Build an image from `base` with the lines of a Dockerfile."""
    text = "\n".join((f"FROM {base}", *lines))
    image, _ = client.images.build(fileobj=io.BytesIO(text.encode()), tag=tag, rm=True, forcerm=True)
    return image


def _fill(tar: tarfile.TarFile, archives: Iterable[Path]) -> None:
    for name in MERGED:
        _folder(tar, f"usr/{name}")
        _link(tar, name, f"usr/{name}")
    for folder in ("tmp", "models", "config", "proc", "sys", "dev", "etc"):
        _folder(tar, folder)
    for archive in archives:
        _unpack(tar, archive)
    for path in _ours():
        name = f"{SITE_PACKAGES}/eugenie_cli/{path.relative_to(PACKAGE)}"
        _text(tar, name, path.read_text(), 0o644)
    program = f"#!/usr/bin/python3 -E\nimport sys; sys.path.insert(0, '/{SITE_PACKAGES}')\n{SERVER.read_text()}"
    for name in ("tensorflow_model_server", "stand-in"):
        _text(tar, f"usr/bin/{name}", program, 0o755)


def _unpack(tar: tarfile.TarFile, archive: Path) -> None:
    """Add a package's files at the paths where installation would put them."""
    read = subprocess.run(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE, check=True)
    with tarfile.open(fileobj=io.BytesIO(read.stdout)) as package:
        for member in package:
            name = _place(member.name)
            if member.isdir() or name in MERGED or _LEFT_OUT.match(name):
                continue  # folders are created with their contents
            member.name = name
            if member.islnk():
                member.linkname = _place(member.linkname)
            tar.addfile(member, package.extractfile(member) if member.isreg() else None)
            chosen = _ALTERNATIVE.fullmatch(name)
            if chosen:
                folder, kind, library = chosen.groups()
                _link(tar, f"{folder}/{library}", f"{kind}/{library}")


def _place(name: str) -> str:
    path = PurePosixPath(name)
    return str(PurePosixPath("usr", path) if len(path.parts) > 1 and path.parts[0] in MERGED else path)


def _ours() -> Iterator[Path]:
    for name in OURS:
        path = PACKAGE / name
        yield from [path] if path.is_file() else sorted(path.glob("*.py"))


def _text(tar: tarfile.TarFile, name: str, text: str, mode: int) -> None:
    member = tarfile.TarInfo(name)
    content = text.encode()
    member.size, member.mode = len(content), mode
    tar.addfile(member, io.BytesIO(content))


def _link(tar: tarfile.TarFile, name: str, target: str) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, target
    tar.addfile(member)


def _folder(tar: tarfile.TarFile, name: str) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
    tar.addfile(member)
