"""PyFlink's program, whose Python workers are reached over the loopback interface alone.

PyFlink starts its Python workers through Beam, which opens six gRPC servers for them. Beam makes the address of each on
the loopback interface, tells it to the worker, and then listens on its port of every interface, without credentials:
whoever reaches the machine can write into the TaskManager's log and take part in the job. Nothing configures that. So
the program that is submitted is Flink's own jar, in which that class listens on the address that it has made.
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
from eugenie_cli.locks import alone
from eugenie_cli.workspace import cache_dir

CLASS = "org/apache/beam/sdk/fn/server/ServerFactory$InetSocketAddressServerFactory.class"
BUILDER = "org/apache/beam/vendor/grpc/v1p60p1/io/grpc/netty/NettyServerBuilder"

_UTF8, _CLASS, _METHOD, _NAME_AND_TYPE = 1, 7, 10, 12
_SIZES = {3: 4, 4: 4, 5: 8, 6: 8, 7: 2, 8: 2, 9: 4, 10: 4, 11: 4, 12: 4, 15: 3, 16: 2, 17: 4, 18: 4, 19: 2, 20: 2}
"""Bytes of a constant after its tag, but for text; 5 and 6 take two numbers."""

_SCRATCH = ".making-"

_NOP, _INVOKE_VIRTUAL, _INVOKE_STATIC = b"\x00", b"\xb6", b"\xb8"


def shipped() -> Path:
    """The jar as `apache-flink` brings it. Raises EugenieError when it is not there."""
    for found in (home() / "opt").glob("flink-python-*.jar"):
        return found
    raise EugenieError("apache-flink has no opt/flink-python-*.jar", "install eugenie anew")


def on_loopback() -> Path:
    """The jar to submit, made once for each version in the cache. Raises EugenieError."""
    return provide(shipped(), cache_dir() / "flink")


def provide(jar: Path, folder: Path) -> Path:
    """The jar on loopback, in `folder`. Raises EugenieError when the class is not as it is known."""
    made = folder / f"{jar.stem}-loopback-{jar.stat().st_size}.jar"
    if made.exists():
        return made
    with alone(folder / ".lock"):
        if not made.exists():
            for left in folder.glob(f"{_SCRATCH}*"):  # by one that was killed
                shutil.rmtree(left, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=folder) as scratch:
                copy = Path(shutil.copyfile(jar, Path(scratch) / made.name))
                _exchange(copy)
                copy.replace(made)
    return made


def _exchange(jar: Path) -> None:
    """Replace the class within a jar: its old bytes stay in the file, and no directory entry names them."""
    with zipfile.ZipFile(jar, "a", zipfile.ZIP_DEFLATED) as archive:
        known = archive.NameToInfo.pop(CLASS, None)
        if known is None:
            raise _unknown(jar.name)
        archive.filelist.remove(known)
        with zipfile.ZipFile(jar) as before:
            code = before.read(CLASS)
        archive.writestr(CLASS, listening_where_it_says(code))


def listening_where_it_says(code: bytes) -> bytes:
    """The class file with `NettyServerBuilder.forAddress(address)` instead of `forPort(address.getPort())`.

    Two constants more; the call names them, and the question for the port is left out. Raises EugenieError when the
    class has no such call.
    """
    constants = dict(_constants(code))
    texts = {number: content for number, (_, tag, content) in constants.items() if tag == _UTF8}

    def method(owner: str, name: str, signature: str) -> tuple[int, int]:
        """The numbers of a method in the constants, and of its name and signature."""
        for number, (_, tag, content) in constants.items():
            if tag == _METHOD:
                holder, what = struct.unpack(">HH", content)
                text = [texts[struct.unpack(">H", constants[holder][2])[0]]]
                text += [texts[one] for one in struct.unpack(">HH", constants[what][2])]
                if text == [owner.encode(), name.encode(), signature.encode()]:
                    return number, what
        raise _unknown(CLASS)

    port, _ = method("java/net/InetSocketAddress", "getPort", "()I")
    builder, named = method(BUILDER, "forPort", f"(I)L{BUILDER};")
    call = _INVOKE_STATIC + struct.pack(">H", builder)
    asked = _INVOKE_VIRTUAL + struct.pack(">H", port) + call
    if code.count(asked) != 1:
        raise _unknown(CLASS)
    count = struct.unpack_from(">H", code, 8)[0]
    end = max(start + len(content) + (3 if tag == _UTF8 else 1) for start, tag, content in constants.values())
    at = constants[named][0]
    changed = code[:at] + bytes([_NAME_AND_TYPE]) + struct.pack(">HH", count, count + 1) + code[at + 5 :]
    more = _text("forAddress") + _text(f"(Ljava/net/SocketAddress;)L{BUILDER};")
    pool = changed[:8] + struct.pack(">H", count + 2) + changed[10:end] + more
    return pool + changed[end:].replace(asked, _NOP * 3 + call)


def _constants(code: bytes) -> Iterator[tuple[int, tuple[int, int, bytes]]]:
    """(number, (where it begins, tag, content)) of each constant of a class file."""
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
        f"{name} starts Python workers in another way than is known: they would listen on every interface",
        "install the versions of constraints.txt: `pip install --constraint`",
    )
