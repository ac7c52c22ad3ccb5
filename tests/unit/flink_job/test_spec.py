"""The job specification is JSON that only its owner can read; a mapping that the stream cannot read is refused."""

from __future__ import annotations

import stat

import pytest

from eugenie_cli.errors import EugenieError
from eugenie_cli.flink_job.source import startup
from eugenie_cli.flink_job.spec import JobSpec
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming.package import job_spec as spec_of_site


@pytest.mark.parametrize("start", ["auto", "latest", "timestamp"])
def test_a_known_start_is_given_as_offsets(job_spec, start):
    """With `latest`, a partition that is silent until the first restart would skip what arrived in between."""
    assert startup(job_spec(start=start, start_ms=5, start_offsets={"0": 7, "12": 0})) == {
        "scan.startup.mode": "specific-offsets",
        "scan.startup.specific-offsets": "partition:0,offset:7;partition:12,offset:0",
    }


def test_a_specification_survives_a_round_trip(job_spec, tmp_path):
    spec = job_spec()
    spec.save(tmp_path / "job.json")
    assert JobSpec.load(tmp_path / "job.json") == spec
    assert stat.S_IMODE((tmp_path / "job.json").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("readings", "words"),
    [
        ({"format": "csv", "tag": {"path": "t"}}, "format"),
        ({"asset": {"file": "{stem}"}, "tag": {"path": "t"}}, "asset: a file pattern"),
    ],
)
def test_a_mapping_that_the_stream_cannot_read_is_refused_before_anything_starts(readings, words):
    site = Site.model_validate(
        {
            "site": "plant",
            "classes": {"pump": {"sensors": [{"name": "a"}]}},
            "assets": {"p1": {"class": "pump"}},
            "kafka": {"bootstrap": "127.0.0.1:1", "readings": readings},
            "serving": {"address": "127.0.0.1:1"},
        }
    )
    with pytest.raises(EugenieError, match=words):
        spec_of_site(site, "auto")


def test_the_password_reaches_the_java_client_quoted(monkeypatch):
    monkeypatch.setenv("PLANT_PASSWORD", 'a"b\\c')
    site = Site.model_validate(
        {
            "site": "plant",
            "classes": {"pump": {"sensors": [{"name": "a"}]}},
            "assets": {"p1": {"class": "pump"}},
            "kafka": {
                "bootstrap": "127.0.0.1:1",
                "security": {
                    "protocol": "SASL_SSL",
                    "mechanism": "SCRAM-SHA-512",
                    "username": "eugenie",
                    "password": "${env:PLANT_PASSWORD}",
                },
            },
            "serving": {"address": "127.0.0.1:1"},
        }
    )
    jaas = spec_of_site(site, "auto").kafka.properties["sasl.jaas.config"]
    assert 'password="a\\"b\\\\c"' in jaas
    assert "ScramLoginModule" in jaas
