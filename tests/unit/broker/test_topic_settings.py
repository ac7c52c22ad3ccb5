"""Settings of topics that would lose readings or results are found, with the command that corrects them."""

from __future__ import annotations

import pytest

from eugenie_cli.broker import topic_settings
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.site.schema import Site

DAY = 86_400_000
FIT = {
    "readings": {"cleanup.policy": "delete", "message.timestamp.type": "LogAppendTime", "retention.ms": str(7 * DAY)},
    "anomalies": {"cleanup.policy": "compact", "retention.ms": "-1"},
    "scores": {"cleanup.policy": "delete", "retention.ms": "-1", "max.message.bytes": "1048588"},
    "dead_letters": {"cleanup.policy": "delete", "retention.ms": str(DAY), "max.message.bytes": "1048588"},
}
RECORD_TIME = {"tag": {"path": "tag"}, "ts": {"record": "timestamp"}}


class Said:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def access(bootstrap: str = "broker:9092", **kafka):
    document = {
        "site": "plant",
        "classes": {"pump": {"sensors": [{"name": "pressure"}]}},
        "assets": {"p-1": {"class": "pump"}},
        "kafka": {"bootstrap": bootstrap, **kafka},
    }
    return Site.model_validate(document).kafka_access


@pytest.fixture
def described(monkeypatch):
    """Lets the brokers report these settings."""

    def report(role: str = "readings", **changed: str) -> None:
        changed = {name.replace("_", "."): value for name, value in changed.items()}
        settings = {**FIT, role: {**FIT[role], **changed}}
        monkeypatch.setattr(topic_settings, "describe", lambda *_: settings)

    return report


def test_topics_as_eugenie_creates_them_are_fit(described):
    described()
    assert topic_settings.unfit(access()) == {}


@pytest.mark.parametrize(
    ("role", "changed", "words", "mending"),
    [
        ("readings", {"cleanup_policy": "compact"}, "removes readings of the same key", {"cleanup.policy": "delete"}),
        ("readings", {"cleanup_policy": "compact,delete"}, "before the job has read", {"cleanup.policy": "delete"}),
        ("readings", {"retention_ms": "3600000"}, "for 1h only: a job that is down", {"retention.ms": "604800000"}),
        ("readings", {"retention_ms": "0"}, "only: a job that is down", {"retention.ms": "604800000"}),
        (
            "readings",
            {"message_timestamp_type": "CreateTime"},
            "--start-at",
            {"message.timestamp.type": "LogAppendTime"},
        ),
        ("readings", {"max_message_bytes": "8000000"}, "(too-large)", {"max.message.bytes": "1048588"}),
        ("anomalies", {"max_message_bytes": "1000"}, "at most 1000 bytes", {"max.message.bytes": "1048588"}),
        ("scores", {"cleanup_policy": "compact"}, "only the last score of each asset", {"cleanup.policy": "delete"}),
        ("scores", {"retention_ms": "60000"}, "for 1m only", {"retention.ms": "604800000"}),
        ("dead_letters", {"retention_ms": "60000"}, "for 1m only", {"retention.ms": "604800000"}),
        ("dead_letters", {"max_message_bytes": "100000"}, "the job fails when", {"max.message.bytes": "1048588"}),
    ],
)
def test_an_unfit_setting_is_a_warning_with_its_command(described, role, changed, words, mending):
    described(role, **changed)
    (found,) = topic_settings.unfit(access()).values()
    assert words in str(found) and dict(found.settings) == mending and not found.stops
    progress = Said()
    topic_settings.review(access(), progress)
    ((key, value),) = mending.items()
    topic = f"plant.{role.replace('_', '-')}"
    assert progress.lines == [
        f"{found}\nnext: kafka-configs.sh --bootstrap-server broker:9092 --alter --entity-type topics"
        f" --entity-name {topic} --add-config {key}={value}"
    ]


def test_several_settings_of_a_topic_are_corrected_by_one_command(described):
    described("scores", cleanup_policy="compact,delete", retention_ms="1000")
    (found,) = topic_settings.unfit(access()).values()
    assert topic_settings.command(access(), found.topic, found.settings).endswith(
        "--entity-name plant.scores --add-config cleanup.policy=delete,retention.ms=604800000"
    )


def test_compacted_dead_letters_are_refused_since_the_job_would_fail(described):
    described("dead_letters", cleanup_policy="compact")
    with pytest.raises(EugenieError, match="refuses records without a key") as raised:
        topic_settings.review(access())
    assert raised.value.exit_code is ExitCode.REFUSED and "cleanup.policy=delete" in str(raised.value.hint)


def test_timestamps_that_are_the_readings_instants_must_be_the_producers(described):
    described()
    (found,) = topic_settings.unfit(access(readings=RECORD_TIME)).values()
    assert "replace with the time of arrival" in str(found)
    assert dict(found.settings) == {"message.timestamp.type": "CreateTime"}
    described(message_timestamp_type="CreateTime")
    assert topic_settings.unfit(access(readings=RECORD_TIME)) == {}


def test_settings_that_a_broker_does_not_tell_are_no_finding(monkeypatch):
    monkeypatch.setattr(topic_settings, "describe", lambda *_: {role: {} for role in topic_settings.ROLES})
    assert topic_settings.unfit(access()) == {}
    monkeypatch.setattr(topic_settings, "describe", lambda *_: {})
    assert topic_settings.unfit(access()) == {}


def test_the_embedded_broker_is_corrected(described, monkeypatch):
    described("scores", cleanup_policy="compact")
    changed = []
    monkeypatch.setattr(topic_settings, "change", lambda _, topic, settings: changed.append((topic, dict(settings))))
    progress = Said()
    topic_settings.review(access("embedded"), progress)
    assert changed == [("plant.scores", {"cleanup.policy": "delete"})]
    assert progress.lines[0].endswith("\nset: cleanup.policy=delete")
