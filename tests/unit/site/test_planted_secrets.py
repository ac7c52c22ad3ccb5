"""Secrets planted in every key of a site file that can contain one, and searched in all output and files of eugenie."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
import yaml
from support.planted import CANARY, left_behind, run

from eugenie_cli.console import Console
from eugenie_cli.masking import mask
from eugenie_cli.site.effective import in_force, in_force_text
from eugenie_cli.site.load import load_site

SITE = """\
# a comment with a password: C4N4RYcomment
site: sec
timezone: UTC
sources:
  - name: h
    type: csv
    path: exports/*.csv
    readings: {{shape: wide, ts: {{path: ts}}, asset: {{file: "{{stem}}"}}}}
classes:
  pump:
    sensors: [{{name: a}}, {{name: b}}]
    step: 10s
    max_gap: 30s
    model: {{type: mewma, window: 20}}
assets: {{p1: {{class: pump}}}}
kafka:
  bootstrap: 127.0.0.1:1
  security: {{protocol: SASL_PLAINTEXT, mechanism: PLAIN, username: u, password: {kafka}}}
  readings:
    format: avro
    asset: {{path: asset}}
    sensor: {{path: sensor}}
    registry: {{url: "http://127.0.0.1:1/api", username: u, password: {registry}}}
tracking: {tracking}
serving: {{address: "127.0.0.1:1", models: "{models}"}}
stream: {{flink: "{flink}", checkpoints: "s3://k:C4N4RYs3@bucket/c?X-Amz-Signature=C4N4RYamz"}}
"""
SERVER = (
    '{uri: "http://ml:C4N4RYmlflow@127.0.0.1:1/?sig=C4N4RYsig", username: u, password: "${file:secrets/track}"}',
    '{uri: "${env:PLANTED_URI}"}',
)
KINDS = {
    "inline": {
        "kafka": "C4N4RYkafka", "registry": "C4N4RYregistry", "flink": "http://f:C4N4RYflink@127.0.0.1:1",
        "models": "models?sv=1&sig=C4N4RYsas", "tracking": SERVER[0],
    },
    "by reference": {
        "kafka": '"${env:PLANTED}"', "registry": '"${file:secrets/registry}"', "tracking": SERVER[1],
        "flink": "http://f:${env:PLANTED}@127.0.0.1:1", "models": "models?password=${env:PLANTED}",
    },
}  # fmt: skip
COMMANDS = (
    "config check", "config check -o json", "config show", "config show -o json", "config show --origin",
    "config show --origin -o json", "import", "history show", "history quality", "status", "status -o json", "doctor",
    "serve status", "serve status -o json", "stream status", "stream status -o json", "stream logs", "stream stop",
    "stream submit", "models list", "export",
)  # fmt: skip


@pytest.fixture(autouse=True)
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PLANTED", "C4N4RYvariable")
    monkeypatch.setenv("PLANTED_URI", "http://ml:C4N4RYvariable@127.0.0.1:1")
    for folder in ("secrets", "exports"):
        (tmp_path / folder).mkdir()
    (tmp_path / "secrets" / "track").write_text("C4N4RYfile")
    (tmp_path / "secrets" / "registry").write_text("C4N4RYfile")
    rows = [f"2026-01-01T{i // 360:02}:{i // 6 % 60:02}:{i % 6}0Z,{i % 7},{i % 11}" for i in range(1_500)]
    (tmp_path / "exports" / "p1.csv").write_text("\n".join(["ts,a,b", *rows]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def site_file(folder: Path, kind: str, **changes: str) -> Path:
    file = folder / "sec.yaml"
    file.write_text(SITE.format(**KINDS[kind] | changes))
    return file


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_no_command_shows_or_keeps_a_secret(planted, capfd, monkeypatch, kind):
    file = site_file(planted, kind)
    for words in COMMANDS:
        output = run(capfd, monkeypatch, file, words)
        assert output.strip(), f"{words} prints nothing"
        assert not CANARY.search(output.encode()), f"eugenie {words}: {output}"
    assert left_behind(planted) == {}


def test_a_failure_in_a_thread_of_a_command_shows_no_secret(planted, capfd, monkeypatch):
    """For example, in the heartbeat of a tail or in a submission by the supervisor."""
    run(capfd, monkeypatch, site_file(planted, "inline"), "config check")

    def fail() -> None:
        raise RuntimeError("cannot reach http://me:C4N4RYthread@host")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    stderr = capfd.readouterr().err
    assert "RuntimeError: cannot reach http://me:********@host" in stderr and not CANARY.search(stderr.encode())


@pytest.mark.slow
def test_a_training_run_keeps_the_effective_site_without_secrets(planted, capfd, monkeypatch):
    file = site_file(planted, "inline", tracking="{uri: local}")
    for words in ("import", "train", "models list", "models list -o json"):
        assert not CANARY.search(run(capfd, monkeypatch, file, words).encode())
    assert left_behind(planted) == {}
    (kept,) = planted.rglob("artifacts/sec.yaml")
    document = yaml.safe_load(kept.read_text())
    assert document["classes"] == in_force(load_site(file))["classes"]
    assert document["kafka"]["security"]["password"] == "********"
    assert document["stream"]["flink"] == "http://f:********@127.0.0.1:1"


def test_the_effective_site_shows_the_source_of_a_secret(planted):
    document = yaml.safe_load(in_force_text(load_site(site_file(planted, "by reference"))))
    assert document["kafka"]["security"]["password"] == "${env:PLANTED}"
    assert document["kafka"]["readings"]["registry"]["password"] == f"${{file:{planted}/secrets/registry}}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://u:p@h", "http://u:********@h"),
        ("http://u:p@ss/w@h/x", "http://u:********@h/x"),
        ("amqp://u:p@h:5672/%2f", "amqp://u:********@h:5672/%2f"),
        ("postgresql+psycopg://u:p@[::1]:5432/x", "postgresql+psycopg://u:********@[::1]:5432/x"),
        ("http://host:5000/a@b", "http://host:5000/a@b"),
        ("http://[::1]:5000/#/a@b", "http://[::1]:5000/#/a@b"),
        ("http://host:5000 and mail to a@b", "http://host:5000 and mail to a@b"),
        ("https://ghp_abcdefghijklmnopqrstuv@host/x", "https://********@host/x"),
        ("jdbc:postgresql://h/db?user=x&password=y&ssl=1", "jdbc:postgresql://h/db?user=x&password=********&ssl=1"),
        ("https://a.b/c?sv=1&sig=abc%2B&se=2", "https://a.b/c?sv=1&sig=********&se=2"),
        ("s3://b/x?X-Amz-Signature=abc", "s3://b/x?X-Amz-Signature=********"),
        ("AccountName=a;AccountKey=abc==;Suffix=x", "AccountName=a;AccountKey=********;Suffix=x"),
        ("host=h password='a b' user=u", "host=h password=******** user=u"),
        ('username="u" password="p";', 'username="u" password=********;'),
        ("http://h?token=${env:T}&a=b", "http://h?token=${env:T}&a=b"),
        ("http://h?token=${env:T:-plain}", "http://h?token=********"),
        ("Authorization: Bearer abcdef123456", "Authorization: Bearer ********"),
        (
            "--from-file=password=FILE --from-file=a.password.txt=./b",
            "--from-file=password=FILE --from-file=a.password.txt=./b",
        ),
        ("--from-literal=password=x", "--from-literal=password=********"),
        ("window=120, key=4, basic authentication", "window=120, key=4, basic authentication"),
    ],
)
def test_secrets_in_texts_are_masked_and_other_text_is_not(text, shown):
    assert mask(text) == shown
    assert mask(shown) == shown


def test_a_secret_that_was_read_is_masked_in_any_text(planted, capsys):
    from eugenie_cli.site.secrets import reveal

    site = load_site(site_file(planted, "by reference"))
    assert reveal(site.kafka.security.password) == os.environ["PLANTED"]
    Console().error("the library says: wrong C4N4RYvariable, try another", "not C4N4RYvariable")
    assert "C4N4RY" not in capsys.readouterr().err


@pytest.mark.parametrize("tag", ["ns=2;s=TokenRing.Level=3", "ns=2;s=L1;code=7", "Secretary=1", "plain", "eugenie-101"])
def test_the_plants_own_names_are_not_masked(planted, capsys, tag):
    from eugenie_cli.site.secrets import reveal

    file = site_file(planted, "by reference")
    file.write_text(file.read_text().replace("{class: pump}", f'{{class: pump, tags: {{a: "{tag}"}}}}'))
    (planted / "secrets" / "registry").write_text("eugenie")  # a password that is also part of names, and a program
    site = load_site(file)
    assert reveal(site.kafka.readings.registry.password) == "eugenie"
    assert in_force(site)["assets"]["p1"]["tags"]["a"] == tag
    Console().json({"tag": tag})
    Console().error("no such tag", "eugenie config check")
    streams = capsys.readouterr()
    assert yaml.safe_load(streams.out)["tag"] == tag
    assert "next: eugenie config check" in streams.err


def test_a_secret_that_contains_another_is_masked_completely_also_percent_encoded(planted):
    from eugenie_cli.masking import remember

    for secret in ("C4N4RY+a", "C4N4RY+a/b c"):
        remember(secret)
    assert mask("C4N4RY+a/b c, C4N4RY+a, C4N4RY%2Ba%2Fb%20c, C4N4RY%2Ba") == ", ".join(["********"] * 4)
