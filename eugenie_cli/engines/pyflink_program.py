"""PyFlink's program, with two faults of Beam patched. It is Flink's own jar; one call in each of two classes differs.

PyFlink starts its Python workers through Beam.

- **Beam's servers for workers listen on every interface.** Beam opens six gRPC servers for the workers. It creates an
  address on the loopback interface for each, passes it to the worker, and then listens on that port of every interface,
  without credentials: anyone who reaches the machine can write into the TaskManager's log and take part in the job. No
  setting changes that. The patched class listens on the address that it created.
- **A Python error can stop the TaskManager.** When a job fails, two threads may give back the same worker. Then its
  count of users falls below zero, Beam raises an error while the task is closed, and Flink regards an error at that
  moment as fatal. The patched class does not raise it; the worker was closed when the count was zero.
"""

from __future__ import annotations

import shutil
import struct
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from eugenie_cli.engines.class_file import NAME_AND_TYPE, ClassFile, UnknownClassError, text_constant
from eugenie_cli.engines.flink import home
from eugenie_cli.errors import EugenieError
from eugenie_cli.locks import exclusive
from eugenie_cli.workspace import cache_dir

SERVERS = "org/apache/beam/sdk/fn/server/ServerFactory$InetSocketAddressServerFactory.class"
WORKERS = "org/apache/beam/runners/fnexecution/control/DefaultJobBundleFactory$WrappedSdkHarnessClient.class"
BUILDER = "org/apache/beam/vendor/grpc/v1p60p1/io/grpc/netty/NettyServerBuilder"
CHECKS = "org/apache/beam/vendor/guava/v32_1_2_jre/com/google/common/base/Preconditions"

_SCRATCH = ".making-"

_NOP, _POP_TWO, _INVOKE_VIRTUAL, _INVOKE_STATIC = b"\x00", b"\x58", b"\xb6", b"\xb8"


def shipped() -> Path:
    """The jar from `apache-flink`. Raises EugenieError when it is missing."""
    for jar in (home() / "opt").glob("flink-python-*.jar"):
        return jar
    raise EugenieError("apache-flink has no opt/flink-python-*.jar", "reinstall eugenie")


def patched() -> Path:
    """The jar to submit, built once per version in the cache. Raises EugenieError."""
    return provide(shipped(), cache_dir() / "flink")


def provide(jar: Path, folder: Path) -> Path:
    """The patched jar in `folder`. Raises EugenieError when a class is not the known one."""
    result = folder / f"{jar.stem}-patched-{jar.stat().st_size}.jar"
    if result.exists():
        return result
    with exclusive(folder / ".lock"):
        if not result.exists():
            for leftover in folder.glob(f"{_SCRATCH}*"):  # of a killed process
                shutil.rmtree(leftover, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=folder) as scratch:
                copy = Path(shutil.copyfile(jar, Path(scratch) / result.name))
                _exchange(copy)
                copy.replace(result)
    return result


def _exchange(jar: Path) -> None:
    """Replaces the classes in a jar; their old bytes stay in the file, without a directory entry."""
    with zipfile.ZipFile(jar) as before, zipfile.ZipFile(jar, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, (patch, consequence) in _PATCHES.items():
            known = archive.NameToInfo.pop(name, None)
            if known is None:
                raise _unknown(jar.name, "is not there", consequence)
            archive.filelist.remove(known)
            try:
                archive.writestr(name, patch(before.read(name)))
            except UnknownClassError as error:
                raise _unknown(jar.name, str(error), consequence) from error


def listening_on_its_address(code: bytes) -> bytes:
    """The class file with `NettyServerBuilder.forAddress(address)` instead of `forPort(address.getPort())`.

    The patch adds two constants, to which the call refers, and removes the call of `getPort`. Raises UnknownClassError
    when the class has no such call.
    """
    known = ClassFile(code)
    port, _ = known.method("java/net/InetSocketAddress", "getPort", "()I")
    builder, named = known.method(BUILDER, "forPort", f"(I)L{BUILDER};")
    call = _INVOKE_STATIC + struct.pack(">H", builder)
    code = known.replaced(_INVOKE_VIRTUAL + struct.pack(">H", port) + call, _NOP * 3 + call)

    reference = bytes([NAME_AND_TYPE]) + struct.pack(">HH", known.count, known.count + 1)
    at, end = known.constants[named].start - 1, max(constant.end for constant in known.constants.values())
    more = text_constant("forAddress") + text_constant(f"(Ljava/net/SocketAddress;)L{BUILDER};")
    head = code[:8] + struct.pack(">H", known.count + 2)
    return head + code[10:at] + reference + code[at + 5 : end] + more + code[end:]


def without_a_check_of_its_count(code: bytes) -> bytes:
    """The class file without its call of `Preconditions.checkState(count >= 0, text)`, whose arguments are dropped.

    Raises UnknownClassError when the class has no such call.
    """
    known = ClassFile(code)
    check, _ = known.method(CHECKS, "checkState", "(ZLjava/lang/Object;)V")
    return known.replaced(_INVOKE_STATIC + struct.pack(">H", check), _POP_TWO + _NOP * 2)


_PATCHES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    SERVERS: (listening_on_its_address, "Python workers would listen on every interface"),
    WORKERS: (without_a_check_of_its_count, "a Python error could stop the TaskManager"),
}
"""Each class with its patch, and with what happens without it."""


def _unknown(jar: str, what: str, consequence: str) -> EugenieError:
    return EugenieError(
        f"{jar} is of an unknown version ({what}): {consequence}",
        "install the versions in constraints.txt: `pip install --constraint`",
    )
