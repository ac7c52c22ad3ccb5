"""Workspaces that run the same site do not share the names of transactions and groups; older ones keep theirs."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace

import pytest

from eugenie_cli.engines import job_record
from eugenie_cli.engines.job_record import JobRecord
from eugenie_cli.flink_job.sinks import sink_table
from eugenie_cli.flink_job.source import source_table
from eugenie_cli.flink_job.spec import JobSpec, consumer_group
from eugenie_cli.streaming import instance
from eugenie_cli.streaming.package import job_spec
from eugenie_cli.streaming.spec_diff import changes, shape_of
from eugenie_cli.workspace import Workspace

ID = re.compile(r"([A-Za-z0-9-]{1,24}-)?[0-9a-f]{8}")


def test_a_new_workspace_gets_an_id_once(tmp_path):
    first, second = Workspace(tmp_path / "a"), Workspace(tmp_path / "b")
    assert instance.of(first) == instance.FIRST  # reading makes none
    made = instance.ensure(first)
    assert ID.fullmatch(made) and instance.of(first) == instance.ensure(first) == made
    assert instance.ensure(second) != made


def test_a_workspace_of_before_keeps_its_names(tmp_path):
    """Its savepoint may hold transactions, and its group the offsets; also after the record is gone."""
    workspace = Workspace(tmp_path)
    job_record.save(workspace, JobRecord("job", "http://x", savepoint="file:/s"))
    assert instance.ensure(workspace) == instance.FIRST
    job_record.restore(workspace, None)
    assert instance.ensure(workspace) == instance.of(workspace) == instance.FIRST


def test_the_id_outlives_the_records_of_its_jobs(tmp_path):
    workspace = Workspace(tmp_path)
    made = instance.ensure(workspace)
    job_record.save(workspace, JobRecord("job", "http://x"))
    assert instance.ensure(workspace) == made


@pytest.mark.parametrize("first", [True, False])
def test_a_copy_gets_an_id_of_its_own_and_a_moved_workspace_keeps_its(tmp_path, first):
    original, copy, moved = (Workspace(tmp_path / name) for name in ("plant", "trial", "moved"))
    if first:
        job_record.save(original, JobRecord("job", "http://x"))
    made = instance.ensure(original)
    shutil.copytree(original.root, copy.root)
    assert ID.fullmatch(instance.ensure(copy)) and instance.of(copy) != made
    assert instance.ensure(original) == made
    original.root.rename(moved.root)
    assert instance.ensure(moved) == made


@pytest.mark.parametrize("host", ["plant-7", "Werk Süd 3.intern.example", "", "x" * 200, "...", "-"])
def test_an_id_fits_into_names_whatever_the_machine_is_called(tmp_path, monkeypatch, host):
    monkeypatch.setattr(instance.socket, "gethostname", lambda: host)
    assert ID.fullmatch(instance.ensure(Workspace(tmp_path)))


def test_group_and_transactions_begin_with_the_same_name(site_of):
    spec = job_spec(site_of(), "auto")
    for given, name in (("", "eugenie.plant"), ("vm-1a2b3c4d", "eugenie.plant@vm-1a2b3c4d")):
        of_instance = replace(spec, instance=given)
        assert of_instance.group == consumer_group("plant", given) == name
        assert f"'properties.group.id' = '{name}'" in source_table(of_instance)
        assert f"'sink.transactional-id-prefix' = '{name}.scores'" in sink_table(of_instance, "scores", "t")


def test_the_instance_is_no_change_of_a_job_and_survives_its_file(site_of, tmp_path):
    spec = job_spec(site_of(), "auto")
    of_instance = replace(spec, instance="vm-1a2b3c4d")
    assert changes(shape_of(spec), shape_of(of_instance)) == ()
    of_instance.save(tmp_path / "job.json")
    assert JobSpec.load(tmp_path / "job.json").instance == "vm-1a2b3c4d"
