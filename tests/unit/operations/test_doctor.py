"""`eugenie doctor` reports what it found, and what to do about each fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from eugenie_cli.engines.java import ENV_HOME
from eugenie_cli.engines.launcher import run_file
from eugenie_cli.engines.process import Process, write_run_file
from eugenie_cli.operations import doctor
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site


def named(checks, name):
    return next(check for check in checks if check.name == name)


def site(base: Path, **sections) -> Site:
    document = {
        "site": "plant",
        "classes": {"pump": {"sensors": [{"name": "pressure"}]}},
        "assets": {"p-1": {"class": "pump"}},
        **sections,
    }
    return Site.model_validate(document).model_copy(update={"base": base})


def test_this_machine_has_what_the_engines_need():
    checks = doctor.check()
    assert all(named(checks, name).ok for name in ("python", "java", *doctor.PACKAGES))


def test_a_wrong_java_is_a_fault_with_a_hint(monkeypatch, tmp_path):
    monkeypatch.setenv(ENV_HOME, str(tmp_path))
    fault = named(doctor.check(), "java")
    assert not fault.ok and ENV_HOME in fault.found and "unset it" in fault.hint


def test_a_folder_without_jars_is_a_fault_that_lists_them(tmp_path):
    fault = named(doctor.check(site(tmp_path, engines={"jars": "."})), "jars")
    assert not fault.ok and "kafka_2.13" in fault.found


def test_an_external_engine_that_is_silent_is_a_fault(tmp_path):
    checks = doctor.check(site(tmp_path, kafka={"bootstrap": "127.0.0.1:9"}))
    assert not named(checks, "kafka").ok
    assert named(checks, "mlflow").ok, "eugenie's own engines may be stopped"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "command"), [("kafka", "eugenie up"), ("serving", "eugenie serve start")])
def test_an_engine_that_died_is_a_fault_with_the_command_that_starts_it(tmp_path, name, command):
    plant = site(tmp_path)
    write_run_file(run_file(workspace_of(plant), name), Process(name, 1, 1.0, "127.0.0.1:9", "its.log"))
    fault = named(doctor.check(plant), name)
    assert not fault.ok and fault.found == "crashed 127.0.0.1:9"
    assert fault.hint.startswith(f"{command};") and "its.log" in fault.hint
