"""PyFlink's program, patched so that its Python workers are reachable on the loopback interface only.

PyFlink starts its Python workers through Beam, which opens six gRPC servers for them. Beam creates an address on the
loopback interface for each, passes it to the worker, and then listens on that port of every interface, without
credentials: anyone who reaches the machine can write into the TaskManager's log and take part in the job. No setting
changes that. So the program submitted is Flink's own jar with one changed class, which listens on the address that it
created.
"""

from __future__ import annotations

import shutil
import struct
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from eugenie_cli.engines.flink import home
from eugenie_cli.errors import EugenieError
from eugenie_cli.locks import exclusive
from eugenie_cli.workspace import cache_dir

CLASS = "org/apache/beam/sdk/fn/server/ServerFactory$InetSocketAddressServerFactory.class"
BUILDER = "org/apache/beam/vendor/grpc/v1p60p1/io/grpc/netty/NettyServerBuilder"

_UTF8, _CLASS, _METHOD, _NAME_AND_TYPE = 1, 7, 10, 12
_SIZES = {3: 4, 4: 4, 5: 8, 6: 8, 7: 2, 8: 2, 9: 4, 10: 4, 11: 4, 12: 4, 15: 3, 16: 2, 17: 4, 18: 4, 19: 2, 20: 2}
"""Bytes of a constant after its tag, except for text; tags 5 and 6 take two numbers."""

_SCRATCH = ".making-"

_NOP, _INVOKE_VIRTUAL, _INVOKE_STATIC = b"\x00", b"\xb6", b"\xb8"


def shipped() -> Path:
    """The jar from `apache-flink`. Raises EugenieError when it is missing."""
    for jar in (home() / "opt").glob("flink-python-*.jar"):
        return jar
    raise EugenieError("apache-flink has no opt/flink-python-*.jar", "reinstall eugenie")


def on_loopback() -> Path:
    """The jar to submit, built once per version in the cache. Raises EugenieError."""
    return provide(shipped(), cache_dir() / "flink")


def provide(jar: Path, folder: Path) -> Path:
    """The patched jar in `folder`. Raises EugenieError when the class is not the known one."""
    patched = folder / f"{jar.stem}-loopback-{jar.stat().st_size}.jar"
    if patched.exists():
        return patched
    with exclusive(folder / ".lock"):
        if not patched.exists():
            for leftover in folder.glob(f"{_SCRATCH}*"):  # of a killed process
                shutil.rmtree(leftover, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=folder) as scratch:
                copy = Path(shutil.copyfile(jar, Path(scratch) / patched.name))
                _exchange(copy)
                copy.replace(patched)
    return patched


def _exchange(jar: Path) -> None:
    """Replaces the class in a jar; its old bytes stay in the file, without a directory entry."""
    with zipfile.ZipFile(jar, "a", zipfile.ZIP_DEFLATED) as archive:
        known = archive.NameToInfo.pop(CLASS, None)
        if known is None:
            raise _unknown(jar.name)
        archive.filelist.remove(known)
        with zipfile.ZipFile(jar) as before:
            code = before.read(CLASS)
        archive.writestr(CLASS, listening_on_its_address(code))


def listening_on_its_address(code: bytes) -> bytes:
    """The class file with `NettyServerBuilder.forAddress(address)` instead of `forPort(address.getPort())`.

    The patch adds two constants, to which the call refers, and removes the call of `getPort`. Raises EugenieError when
    the class has no such call.
    """
    constants = dict(_constants(code))
    texts = {number: content for number, (_, tag, content) in constants.items() if tag == _UTF8}

    def method(owner: str, name: str, signature: str) -> tuple[int, int]:
        """The constants' numbers of a method, and of its name and signature."""
        for number, (_, tag, content) in constants.items():
            if tag == _METHOD:
                holder, what = struct.unpack(">HH", content)
                text = [texts[struct.unpack(">H", constants[holder][2])[0]]]
                text += [texts[index] for index in struct.unpack(">HH", constants[what][2])]
                if text == [owner.encode(), name.encode(), signature.encode()]:
                    return number, what
        raise _unknown(CLASS)

    port, _ = method("java/net/InetSocketAddress", "getPort", "()I")
    builder, named = method(BUILDER, "forPort", f"(I)L{BUILDER};")
    call = _INVOKE_STATIC + struct.pack(">H", builder)
    replaced = _INVOKE_VIRTUAL + struct.pack(">H", port) + call
    if code.count(replaced) != 1:
        raise _unknown(CLASS)
    count = struct.unpack_from(">H", code, 8)[0]
    end = max(start + len(content) + (3 if tag == _UTF8 else 1) for start, tag, content in constants.values())
    at = constants[named][0]
    changed = code[:at] + bytes([_NAME_AND_TYPE]) + struct.pack(">HH", count, count + 1) + code[at + 5 :]
    more = _text("forAddress") + _text(f"(Ljava/net/SocketAddress;)L{BUILDER};")
    pool = changed[:8] + struct.pack(">H", count + 2) + changed[10:end] + more
    return pool + changed[end:].replace(replaced, _NOP * 3 + call)


def _constants(code: bytes) -> Iterator[tuple[int, tuple[int, int, bytes]]]:
    """(number, (start, tag, content)) of each constant of a class file."""
    count = struct.unpack_from(">H", code, 8)[0]
    at, number = 10, 1
    while number < count:
        tag = code[at]
        if tag == _UTF8:
            size, start = struct.unpack_from(">H", code, at + 1)[0], at + 3
        elif tag in _SIZES:
            size, start = _SIZES[tag], at + 1
        else:
            raise _unknown(CLASS)
        yield number, (at, tag, code[start : start + size])
        at, number = start + size, number + (2 if tag in (5, 6) else 1)


def _text(text: str) -> bytes:
    return bytes([_UTF8]) + struct.pack(">H", len(text)) + text.encode()


def _unknown(name: str) -> EugenieError:
    return EugenieError(
        f"{name} starts Python workers in an unknown way: they would listen on every interface",
        "install the versions in constraints.txt: `pip install --constraint`",
    )
