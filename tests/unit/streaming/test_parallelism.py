"""A parallelism above the number of partitions of the readings topic is refused, with the value to use instead."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml
from support.operated_sites import DOCUMENT
from typer.testing import CliRunner

from eugenie_cli.deploy.flink_specification import specification
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.main import app
from eugenie_cli.streaming.parallelism import check_partitions


@pytest.mark.parametrize(("parallelism", "partitions"), [(2, 1), (4, 3), (8, 1), (5, 4)])
def test_more_tasks_than_partitions_are_refused(site_of, parallelism, partitions):
    spec = replace(specification(site_of()), parallelism=parallelism, partitions=partitions)
    with pytest.raises(EugenieError, match=f"{parallelism} is more than the {partitions} partition") as raised:
        check_partitions(spec)
    assert raised.value.exit_code is ExitCode.REFUSED
    hint = raised.value.hint or ""
    assert f"at most {partitions}" in hint and f"{parallelism} partitions" in hint and "--parallelism" in hint


@pytest.mark.parametrize(("parallelism", "partitions"), [(1, 1), (2, 2), (2, 3), (1, 100)])
def test_as_many_or_fewer_tasks_are_accepted(site_of, parallelism, partitions):
    check_partitions(replace(specification(site_of()), parallelism=parallelism, partitions=partitions))


@pytest.mark.parametrize("partitions", [None, 2])
def test_rendering_refuses_it_before_writing_anything(tmp_path, partitions):
    kafka = DOCUMENT["kafka"] if partitions is None else {**DOCUMENT["kafka"], "partitions": partitions}
    stream = {**DOCUMENT["stream"], "parallelism": 4}
    file = tmp_path / "site-configs" / "plant.yaml"
    file.parent.mkdir()
    file.write_text(yaml.safe_dump({**DOCUMENT, "kafka": kafka, "stream": stream}))
    arguments = [
        "stream",
        "render",
        "--target",
        "kubernetes",
        "--output-dir",
        str(tmp_path / "out"),
        "--site",
        str(file),
    ]
    refused = CliRunner().invoke(app, arguments).exception
    assert isinstance(refused, EugenieError) and refused.exit_code is ExitCode.REFUSED
    assert f"parallelism of 4 is more than the {partitions or 1} partition" in refused.reason
    hint = refused.hint or ""
    assert f"stream: {{parallelism: {partitions or 1}}}" in hint and "kafka: {partitions: 4}" in hint
    assert not (tmp_path / "out").exists()
