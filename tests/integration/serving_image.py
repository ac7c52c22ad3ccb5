"""Images that stand in for TensorFlow Serving's, made of this machine's Python and shared libraries: no registry.

They take its flags, ports and mounts. What runs in them is `stand_in_server.py`, as /usr/bin/tensorflow_model_server.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

import docker
from docker.models.images import Image
from packaging.requirements import Requirement

import eugenie_cli

DISTRIBUTIONS = ("numpy", "grpcio", "protobuf")
PACKAGE = Path(eugenie_cli.__file__).parent
OURS = ("__init__.py", "errors.py", "serving/__init__.py", "serving/tensors.py", "serving/protos")
PROGRAMS = ("/bin/bash", "/bin/sh")
SERVER = Path(__file__).with_name("stand_in_server.py")
SITE_PACKAGES = "opt/site-packages"

_LEFT_OUT = re.compile(
    r"/(test|tests|idlelib|tkinter|ensurepip|lib2to3|turtledemo|site-packages|__pycache__|config-[^/]*)(/|$)"
)
_LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x")


def build(client: docker.DockerClient, tag: str) -> Image:
    """The image that all others are made of."""
    with tempfile.TemporaryFile() as spooled:
        with tarfile.open(fileobj=spooled, mode="w|") as tar:
            _fill(tar)
        spooled.seek(0)
        repository, _, name = tag.partition(":")
        client.api.import_image_from_data(spooled, repository=repository, tag=name)
    return client.images.get(tag)


def derived(client: docker.DockerClient, base: str, tag: str, *lines: str) -> Image:
    """An image that differs from `base` by the lines of a Dockerfile."""
    text = "\n".join((f"FROM {base}", *lines))
    image, _ = client.images.build(fileobj=io.BytesIO(text.encode()), tag=tag, rm=True, forcerm=True)
    return image


def _fill(tar: tarfile.TarFile) -> None:
    python = Path(sys.executable).resolve()
    stdlib = Path(sysconfig.get_paths()["stdlib"])
    objects = [python, *map(Path, PROGRAMS)]
    for path in (python, *map(Path, PROGRAMS)):
        _add(tar, path.resolve(), str(path)[1:])
    for path in _files(stdlib):
        _add(tar, path, str(path)[1:])
        objects += [path] if ".so" in path.name else []
    for path, name in _packages():
        _add(tar, path, f"{SITE_PACKAGES}/{name}")
        objects += [path] if ".so" in path.name else []
    for path in _ours():
        _add(tar, path, f"{SITE_PACKAGES}/eugenie_cli/{path.relative_to(PACKAGE)}")
    for library in _libraries(objects):
        _add(tar, library.resolve(), str(library)[1:])
    program = f"#!{python} -E\nimport sys; sys.path.insert(0, '/{SITE_PACKAGES}')\n{SERVER.read_text()}"
    for name in ("tensorflow_model_server", "stand-in"):
        _text(tar, f"usr/bin/{name}", program, 0o755)
    for folder in ("tmp", "models", "config", "proc", "sys", "dev", "etc"):
        _folder(tar, folder)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not _LEFT_OUT.search(f"/{path.relative_to(folder)}"):
            yield path


def _packages() -> Iterator[tuple[Path, str]]:
    """The files of DISTRIBUTIONS and of all that they require."""
    done: set[str] = set()
    todo = list(DISTRIBUTIONS)
    while todo:
        found = metadata.distribution(todo.pop())
        if found.name in done:
            continue
        done.add(found.name)
        requires = map(Requirement, found.requires or [])
        todo += [each.name for each in requires if each.marker is None or each.marker.evaluate({"extra": ""})]
        for file in found.files or []:
            path = Path(str(found.locate_file(file)))
            if ".." not in file.parts and path.is_file() and not _LEFT_OUT.search(f"/{file}"):
                yield path, str(file)


def _ours() -> Iterator[Path]:
    for name in OURS:
        path = PACKAGE / name
        yield from [path] if path.is_file() else sorted(path.glob("*.py"))


def _libraries(objects: Iterable[Path]) -> list[Path]:
    """What the loader would load for them: bundled libraries are found beside who needs them."""
    said = subprocess.run(["ldd", *map(str, objects)], capture_output=True, text=True, check=False).stdout
    return sorted({Path(name) for name in _LIBRARY.findall(said) if "site-packages" not in name})


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    member = tar.gettarinfo(str(path), name)
    member.uid = member.gid = 0
    member.mode = 0o755 if member.mode & 0o100 else 0o644
    if not member.isreg():  # a second name of a file that is in already
        member.type, member.size, member.linkname = tarfile.REGTYPE, path.stat().st_size, ""
    with path.open("rb") as stream:
        tar.addfile(member, stream)


def _text(tar: tarfile.TarFile, name: str, text: str, mode: int) -> None:
    member = tarfile.TarInfo(name)
    content = text.encode()
    member.size, member.mode = len(content), mode
    tar.addfile(member, io.BytesIO(content))


def _folder(tar: tarfile.TarFile, name: str) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
    tar.addfile(member)
