"""The engines run on the packaged Java, or on the one that EUGENIE_JAVA_HOME names if its version is supported."""

from __future__ import annotations

import subprocess

import pytest

from eugenie_cli.engines.java import ENV_HOME, java
from eugenie_cli.errors import EugenieError


def fake_java(home, version: str):
    """A program with the output of `java -version` for that version."""
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-04-15' >&2\n")
    program.chmod(0o755)
    return program


def test_the_packaged_java_runs_on_a_machine_without_java(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setenv("JAVA_HOME", "/nonexistent")
    monkeypatch.delenv(ENV_HOME, raising=False)
    run = subprocess.run([java(), "-version"], capture_output=True, text=True, check=True)
    assert 'version "21.' in run.stderr


@pytest.mark.parametrize("version", ["17.0.15", "21.0.8"])
def test_a_plants_own_java_is_used_if_its_version_is_supported(tmp_path, monkeypatch, version):
    program = fake_java(tmp_path, version)
    monkeypatch.setenv(ENV_HOME, str(tmp_path))
    assert java() == program


@pytest.mark.parametrize("version", ["1.8.0_402", "11.0.2", "25"])
def test_a_java_of_another_version_is_refused(tmp_path, monkeypatch, version):
    fake_java(tmp_path, version)
    monkeypatch.setenv(ENV_HOME, str(tmp_path))
    with pytest.raises(EugenieError, match="the engines need 17 to 21"):
        java()


def test_a_home_without_java_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv(ENV_HOME, str(tmp_path))
    with pytest.raises(EugenieError, match="has no bin/java"):
        java()
