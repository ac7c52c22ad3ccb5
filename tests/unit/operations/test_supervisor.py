"""The supervisor's pauses, and what it leaves alone."""

from __future__ import annotations

import configparser
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from eugenie_cli.engines import job_record, process
from eugenie_cli.engines.job_record import JobRecord
from eugenie_cli.errors import EugenieError
from eugenie_cli.main import app
from eugenie_cli.operations import supervisor
from eugenie_cli.operations.status import started
from eugenie_cli.operations.supervisor import FIRST_PAUSE_S, LONGEST_PAUSE_S, STEADY_S, Backoff, Supervisor
from eugenie_cli.operations.up import revive
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.schema import Site

UNIT = Path(__file__).parents[3] / "templates" / "eugenie@.service"


@pytest.fixture
def site(tmp_path) -> Site:
    document = {
        "site": "plant",
        "classes": {"pump": {"sensors": [{"name": "pressure"}]}},
        "assets": {"p-1": {"class": "pump"}},
    }
    return Site.model_validate(document).model_copy(update={"base": tmp_path})


class Messages:
    """A Progress that keeps its messages."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, message: str) -> None:
        self.lines.append(message)

    task = None


def test_the_first_attempt_follows_at_once_and_the_pauses_double_up_to_a_minute():
    backoff, now, waited = Backoff(), 1_000.0, []
    for _ in range(10):
        began = now
        while not backoff.is_due(now):
            now += 0.5
        waited.append(now - began)
        backoff.tried(now)
    assert waited[:4] == [0.0, FIRST_PAUSE_S, 2 * FIRST_PAUSE_S, 4 * FIRST_PAUSE_S]
    assert waited[-3:] == [LONGEST_PAUSE_S] * 3
    assert backoff.attempts == 10


def test_an_engine_that_ran_for_long_is_restarted_at_once():
    backoff = Backoff()
    for at in (0.0, 1.0, 3.0):
        assert backoff.is_due(at)
        backoff.tried(at)
    assert not backoff.is_due(3.0 + backoff.pause_s - 0.1)
    assert backoff.is_due(3.0 + backoff.pause_s + STEADY_S)
    assert backoff.attempts == 0


def died(site: Site, name: str) -> Path:
    """The run file of an engine whose process has ended."""
    file = workspace_of(site).run / f"{name}.json"
    process.write_run_file(file, process.Process(name, 2**22 - 1, 1.0, "127.0.0.1:1", "its.log"))
    return file


def test_dead_engines_are_distinguished_from_stopped_ones(site):
    died(site, "kafka")
    died(site, "serving")
    assert started(site) == {"kafka": False, "serving": False}
    assert started(site, only=["kafka"]) == {"kafka": False}
    (workspace_of(site).run / "serving.json").unlink()
    assert started(site) == {"kafka": False}


def test_an_engine_that_was_stopped_is_not_revived(site):
    assert revive(site, "kafka") is False


def test_an_engine_that_cannot_be_launched_still_counts_as_started(site, monkeypatch, tmp_path):
    file = died(site, "kafka")
    monkeypatch.setenv("EUGENIE_JARS", str(tmp_path / "no-such-folder"))
    with pytest.raises(EugenieError):
        revive(site, "kafka")
    assert file.exists() and started(site) == {"kafka": False}


def test_it_reports_each_attempt_and_pauses_between_them(site, monkeypatch, tmp_path):
    died(site, "kafka")
    monkeypatch.setenv("EUGENIE_JARS", str(tmp_path / "no-such-folder"))
    messages = Messages()
    keeper = Supervisor(site, messages, only=["kafka"])
    assert keeper.look() and keeper.look() and keeper.look()
    assert [line for line in messages.lines if "restarting it" in line] == ["kafka died: restarting it"]
    assert sum("cannot start kafka" in line for line in messages.lines) == 1
    assert keeper.revived["kafka"] == 0


def test_it_ends_when_all_engines_were_stopped(site):
    messages = Messages()
    assert Supervisor(site, messages).look() is False
    assert messages.lines == ["all engines were stopped: nothing left to supervise"]


@pytest.mark.parametrize("overview", [None, {}, {"slots-total": 0}])
def test_no_job_is_missing_without_a_cluster_that_could_run_it(site, monkeypatch, overview):
    """Another program may answer at the address of an external cluster."""
    elsewhere = site.model_copy(update={"stream": site.stream.model_copy(update={"flink": "http://127.0.0.1:9"})})
    job_record.save(workspace_of(site), JobRecord("a1", "http://127.0.0.1:9"))
    monkeypatch.setattr(supervisor.flink_rest, "overview", lambda _: overview)
    assert Supervisor(elsewhere)._job_is_missing() is False


def test_a_site_has_one_supervisor(site):
    with supervisor._only_one(workspace_of(site)), pytest.raises(EugenieError, match="is already supervised"):
        supervisor.keep(site)
    supervisor.keep(site)  # ends at once, because no engine runs


def test_the_systemd_unit_runs_a_command_that_exists():
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(UNIT.read_text(encoding="utf-8"))
    program, *arguments = shlex.split(unit["Service"]["ExecStart"])
    assert Path(program).name == "eugenie"
    command = get_command(app).commands[arguments[0]]  # type: ignore[attr-defined]
    options = command.make_context("up", arguments[1:]).params
    assert (options["supervise"], options["down_on_exit"], options["site"]) == (True, True, "%i")
