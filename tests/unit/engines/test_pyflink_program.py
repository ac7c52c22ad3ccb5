"""PyFlink's patched jar, with Python workers on loopback: one call in one class differs."""

from __future__ import annotations

import zipfile

import pytest

from eugenie_cli.engines import pyflink_program
from eugenie_cli.errors import EugenieError


@pytest.mark.slow
def test_the_shipped_jar_is_changed_in_that_class_alone(tmp_path):
    shipped = pyflink_program.shipped()
    patched = pyflink_program.provide(shipped, tmp_path)
    with zipfile.ZipFile(shipped) as before, zipfile.ZipFile(patched) as after:
        assert sorted(before.namelist()) == sorted(after.namelist())
        old, new = ({entry.filename: entry.CRC for entry in archive.infolist()} for archive in (before, after))
        assert {name for name in old if old[name] != new[name]} == {pyflink_program.CLASS}
        code, changed = before.read(pyflink_program.CLASS), after.read(pyflink_program.CLASS)
    signature = f"(Ljava/net/SocketAddress;)L{pyflink_program.BUILDER};"
    assert len(changed) == len(code) + len("forAddress") + 3 + len(signature) + 3
    assert b"forAddress" not in code and signature.encode() in changed
    stamp = patched.stat().st_mtime_ns
    assert pyflink_program.provide(shipped, tmp_path) == patched and patched.stat().st_mtime_ns == stamp
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == [patched.name]


def test_a_changed_or_unknown_class_is_refused(tmp_path):
    with zipfile.ZipFile(pyflink_program.shipped()) as archive:
        code = archive.read(pyflink_program.CLASS)
        other = archive.read("org/apache/beam/sdk/fn/server/ServerFactory.class")
    changed = pyflink_program.listening_on_its_address(code)
    for unknown in (changed, other, code.replace(b"forPort", b"forPart"), code[:10] + b"\xff" + code[11:]):
        with pytest.raises(EugenieError, match="listen on every interface"):
            pyflink_program.listening_on_its_address(unknown)


def test_a_jar_without_the_class_is_refused_and_leaves_nothing(tmp_path):
    jar = tmp_path / "flink-python-9.jar"
    with zipfile.ZipFile(jar, "w") as archive:
        archive.writestr("Other.class", b"")
    with pytest.raises(EugenieError, match="listen on every interface"):
        pyflink_program.provide(jar, tmp_path / "made")
    assert not [path for path in (tmp_path / "made").iterdir() if not path.name.startswith(".")]
