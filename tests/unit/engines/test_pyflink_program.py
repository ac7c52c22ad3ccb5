"""PyFlink's patched jar: one call differs in each of two classes, and a jar of another kind is refused."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway
from py4j.protocol import Py4JJavaError

from eugenie_cli.engines import java, pyflink_program
from eugenie_cli.engines.class_file import ClassFile, UnknownClassError
from eugenie_cli.errors import EugenieError

PATCHES = [
    (pyflink_program.SERVERS, pyflink_program.listening_on_its_address, b"forPort"),
    (pyflink_program.WORKERS, pyflink_program.without_a_check_of_its_count, b"checkState"),
]


class Jvm:
    """A Java process, for reflection: what the patched methods do shows without a job."""

    def __init__(self, gateway: JavaGateway) -> None:
        self._gateway = gateway
        self.Class = gateway.jvm.java.lang.Class

    def array(self, size: int, of: Any = None) -> Any:
        """An array of nulls."""
        return self._gateway.new_array(of or self._gateway.jvm.java.lang.Object, size)


@contextmanager
def gateway_to(jar: Path) -> Iterator[Jvm]:
    port, token, process = launch_gateway(
        classpath=str(jar), java_path=str(java.java()), die_on_exit=True, enable_auth=True, return_proc=True
    )
    gateway = JavaGateway(gateway_parameters=GatewayParameters(port=port, auth_token=token))
    try:
        yield Jvm(gateway)
    finally:
        gateway.shutdown()
        process.kill()
        process.wait()


def accessible(member: Any) -> Any:
    member.setAccessible(True)
    return member


def as_java(name: str) -> str:
    return name.removesuffix(".class").replace("/", ".")


@pytest.mark.slow
def test_the_shipped_jar_is_changed_in_those_classes_alone(tmp_path):
    shipped = pyflink_program.shipped()
    patched = pyflink_program.provide(shipped, tmp_path)
    with zipfile.ZipFile(shipped) as before, zipfile.ZipFile(patched) as after:
        assert sorted(before.namelist()) == sorted(after.namelist())
        old, new = ({entry.filename: entry.CRC for entry in archive.infolist()} for archive in (before, after))
        assert {name for name in old if old[name] != new[name]} == {name for name, _, _ in PATCHES}
        code, changed = before.read(pyflink_program.SERVERS), after.read(pyflink_program.SERVERS)
    signature = f"(Ljava/net/SocketAddress;)L{pyflink_program.BUILDER};"
    assert len(changed) == len(code) + len("forAddress") + 3 + len(signature) + 3
    assert b"forAddress" not in code and signature.encode() in changed
    stamp = patched.stat().st_mtime_ns
    assert pyflink_program.provide(shipped, tmp_path) == patched and patched.stat().st_mtime_ns == stamp
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == [patched.name]


@pytest.mark.parametrize(("name", "patch", "called"), PATCHES)
def test_a_patched_or_unknown_class_is_refused(name, patch, called):
    with zipfile.ZipFile(pyflink_program.shipped()) as archive:
        code = archive.read(name)
        other = archive.read("org/apache/beam/sdk/fn/server/ServerFactory.class")
    changed = patch(code)
    assert changed != code
    for unknown in (changed, other, code.replace(called, called[::-1]), code[:10] + b"\xff" + code[11:]):
        with pytest.raises(UnknownClassError):
            patch(unknown)


@pytest.mark.slow
@pytest.mark.parametrize("missing", [pyflink_program.SERVERS, pyflink_program.WORKERS])
def test_a_jar_without_a_class_is_refused_and_leaves_nothing(tmp_path, missing):
    jar = tmp_path / "flink-python-9.jar"
    with zipfile.ZipFile(pyflink_program.shipped()) as shipped, zipfile.ZipFile(jar, "w") as archive:
        for name, _, _ in PATCHES:
            archive.writestr("Other.class" if name == missing else name, shipped.read(name))
    consequence = {
        pyflink_program.SERVERS: "listen on every interface",
        pyflink_program.WORKERS: "stop the TaskManager",
    }
    with pytest.raises(EugenieError, match=f"is not there.*{consequence[missing]}"):
        pyflink_program.provide(jar, tmp_path / "made")
    assert not [path for path in (tmp_path / "made").iterdir() if not path.name.startswith(".")]


@pytest.mark.slow
@pytest.mark.parametrize("patched", [False, True])
def test_java_accepts_the_classes_and_a_worker_that_is_given_back_twice(tmp_path, patched):
    """Unpatched, giving it back ends in the error that stops a TaskManager."""
    jar = pyflink_program.provide(pyflink_program.shipped(), tmp_path) if patched else pyflink_program.shipped()
    with gateway_to(jar) as jvm:
        servers, workers = (jvm.Class.forName(as_java(name)) for name, _, _ in PATCHES)
        assert servers.getDeclaredMethods()
        constructor = accessible(workers.getDeclaredConstructors()[0])
        worker = constructor.newInstance(jvm.array(constructor.getParameterCount()))
        give_back = accessible(workers.getDeclaredMethod("unref", jvm.array(0, jvm.Class)))
        with pytest.raises(Py4JJavaError, match="NullPointerException"):  # the first closes the worker, which is null
            give_back.invoke(worker, jvm.array(0))
        if patched:
            assert give_back.invoke(worker, jvm.array(0)) == -1
        else:
            with pytest.raises(Py4JJavaError, match="Reference count must not be negative"):
                give_back.invoke(worker, jvm.array(0))


def test_a_class_of_another_format_is_refused():
    with pytest.raises(UnknownClassError, match="tag 99"):
        ClassFile(b"\xca\xfe\xba\xbe\0\0\0\0\0\2" + bytes([99])).constants  # noqa: B018
