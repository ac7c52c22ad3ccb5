"""Private parts of Beam and PyFlink: what they mean in the tested releases, with and without the patches.

Each program of `fn_api` runs in a process of its own, because patches cannot be undone. If one of these tests fails
after a change of release, the patch may change what the job computes: compare `beam_patches` with the new code.
"""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from pyflink.fn_execution.metrics.process.metric_impl import GenericMetricGroup

from eugenie_cli.flink_job import beam_patches, tested_versions
from eugenie_cli.flink_job.changed_gauges import ChangedGauges
from eugenie_cli.flink_job.decode_operator import by_key
from eugenie_cli.flink_job.key_context import KeyContext

ROOT = Path(__file__).parents[3]
FN_API = Path(__file__).with_name("fn_api.py")
MESSAGE = re.compile(r"apache-beam [\d.]+, apache-flink [\d.]+: .+ is not what it is in the tested releases .*install")


def result_of(program: str) -> dict:
    process = subprocess.run(
        [sys.executable, str(FN_API), program], capture_output=True, text=True, check=False, timeout=120, cwd=ROOT
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def plain() -> dict:
    return result_of("plain")


@pytest.fixture(scope="module")
def patched() -> dict:
    return result_of("patched")


@pytest.mark.slow
def test_the_patch_of_state_sends_the_same_requests_and_awaits_all(plain, patched):
    before, after = plain["states"], patched["states"]
    assert len(before["requests"]) > 300 and len(before["read"]) > 100
    for what in ("requests", "read", "final"):
        assert after[what] == before[what]
    assert after["unawaited"] == 0


@pytest.mark.slow
def test_the_patch_of_state_reports_a_failed_write():
    assert result_of("failing") == {"error": "Flink did not write the state: the JVM is full"}


@pytest.mark.slow
def test_the_patch_of_sampling_changes_nothing_but_the_thread(plain, patched):
    assert plain["sampling"]["threads"] == [1, 1, 1] and patched["sampling"]["threads"] == [0, 0, 0]
    assert patched["sampling"]["seen"] == plain["sampling"]["seen"]


@pytest.mark.slow
def test_state_has_the_key_of_the_shard_as_if_its_element_were_processed():
    sent = result_of("keys")
    assert sent["turn_to"] == sent["element"] and len(set(sent["element"])) == 8


def test_the_tested_releases_are_those_that_are_pinned_and_allowed():
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    allowed = (ROOT / "pyproject.toml").read_text()
    for package, version in tested_versions.TESTED.items():
        major, minor, _patch = version.split(".")
        assert f"{package}=={version}" in pins
        assert f'"{package}>={major}.{minor},<{major}.{int(minor) + 1}"' in allowed


@pytest.mark.parametrize("installed", [{"apache-beam": "2.62.0"}, {"apache-flink": "2.3.1"}, {"apache-beam": None}])
def test_other_releases_are_not_patched_and_the_log_says_so(installed, monkeypatch, caplog):
    def version(package: str) -> str:
        found = {**tested_versions.TESTED, **installed}[package]
        if found is None:
            raise metadata.PackageNotFoundError(package)
        return found

    monkeypatch.setattr(metadata, "version", version)
    for patch in ("_without_sampling", "_await_answers_together"):
        monkeypatch.setattr(beam_patches, patch, lambda: pytest.fail("patched"))
    with caplog.at_level(logging.WARNING):
        beam_patches.apply()
    ((package, found),) = installed.items()
    assert f"{package} {found or 'of an unknown release'} instead of {tested_versions.TESTED[package]}" in caplog.text


def test_the_tested_releases_are_patched(monkeypatch):
    done = []
    for patch in ("_without_sampling", "_await_answers_together"):
        monkeypatch.setattr(beam_patches, patch, lambda patch=patch: done.append(patch))
    monkeypatch.setattr(metadata, "version", tested_versions.TESTED.__getitem__)
    beam_patches.apply()
    assert done == ["_without_sampling", "_await_answers_together"]


@pytest.mark.slow
def test_a_gauge_is_reported_with_the_bundle_that_sets_it_and_no_other():
    first, second, third, fourth = result_of("gauges")
    clock, late = sorted(first)
    assert clock.endswith(" clockMs") and '"asset", "p 1"' in clock and late.endswith(" lateReadings")
    assert first == {clock: 7, late: 1}
    assert second == {clock: -(2**40)}
    assert third == {}
    assert list(fourth.values()) == [0]


def test_other_releases_report_the_gauges_of_pyflink(monkeypatch):
    monkeypatch.setattr(metadata, "version", lambda _: "0.0")
    group = GenericMetricGroup(None, None)
    changed = ChangedGauges(group, "asset")
    for value in (1, 5):
        changed.set("p1", "clockMs", value)
    (of_asset,) = group.add_group("asset", "p1")._flink_gauge.items()
    assert of_asset[0] == "clockMs" and of_asset[1]() == 5


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda: KeyContext(object(), 8), id="the backend of state"),
        pytest.param(lambda: by_key(object()), id="the Java stream"),
    ],
)
def test_a_private_part_that_is_missing_is_named_with_the_releases(use):
    with pytest.raises(RuntimeError) as caught:
        use()
    assert MESSAGE.match(str(caught.value)) and "'object' object has no attribute" in str(caught.value)
