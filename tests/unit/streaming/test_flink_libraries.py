"""A Flink that eugenie did not start is told which libraries it lacks, before a gateway's batch stops the job."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from eugenie_cli.engines import jars
from eugenie_cli.streaming import flink_libraries

FLINK = ["flink-dist-2.3.0.jar", "log4j-core-2.25.3.jar"]
OURS = [jar.filename for jar in jars.locked() if jar.role == "flink"]


@pytest.mark.parametrize(
    ("class_path", "lacking", "consequences"),
    [
        ([*FLINK, *OURS], [], []),
        ([*FLINK, "flink-connector-kafka-4.0.1-2.0.jar", "zstd-jni-1.5.7-3.jar"], [], []),
        ([*FLINK, OURS[1]], [OURS[0]], ["the first batch that a gateway compresses with zstd stops the job"]),
        ([*FLINK, OURS[0]], [OURS[1]], ["it cannot read Kafka"]),
        (FLINK, OURS, ["it cannot read Kafka", "stops the job"]),
    ],
)
def test_the_class_path_of_the_cluster(class_path, lacking, consequences):
    found = flink_libraries.missing(SimpleNamespace(address="http://jm:8081", class_path=lambda: class_path))
    what, remedy = found or ("", "")
    assert all(consequence in what for consequence in consequences)
    assert [name for name in OURS if name in remedy] == lacking and bool(found) == bool(lacking)


def test_a_cluster_that_does_not_report_its_class_path_is_not_called_fine():
    assert flink_libraries.missing(SimpleNamespace(address="x", class_path=list)) == flink_libraries.UNKNOWN


def test_the_image_and_the_embedded_cluster_get_the_version_that_the_connector_is_built_for():
    """kafka-clients, which the connector bundles, and the broker agree on it."""
    versions = {jar.role: jar.version for jar in jars.locked() if jar.artifact == "zstd-jni"}
    assert versions["flink"] == versions["kafka"]
