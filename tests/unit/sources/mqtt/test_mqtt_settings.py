"""What the site file says about an MQTT source, and what it refuses."""

from __future__ import annotations

import pytest

from eugenie_cli.errors import EugenieError
from eugenie_cli.site.load import load_site
from eugenie_cli.sources.importing import import_sources

SITE = """\
site: plant
sources:
  - name: gateway
    type: mqtt
{source}
classes: {{pump: {{sensors: [{{name: flow}}]}}}}
assets: {{p1: {{class: pump}}}}
"""


def loaded(tmp_path, *lines):
    file = tmp_path / "site-configs" / "plant.yaml"
    file.parent.mkdir(exist_ok=True)
    if not any(line.startswith("url:") for line in lines):
        lines = ("url: mqtt://127.0.0.1:1883", *lines)
    file.write_text(SITE.format(source="\n".join(f"    {line}" for line in lines)))
    return load_site(file)


@pytest.mark.parametrize(
    "lines",
    [
        ["topics: ['plant/{asset}/{sensor}']"],
        ["topics: ['plant/{asset}/{sensor}']", "readings: {value: {record: value}, ts: {record: timestamp}}"],
        ["topics: ['plant/{asset}']", "readings: {shape: wide}"],
        ["topics: ['uns/#']", "readings: {tag: {record: key}, value: {path: v}}"],
        ["topics: [plant/data]", "readings: {tag: {path: tag}}", "version: 3.1.1"],
        ["topics: [plant/data]", "readings: {tag: {path: tag}}", "version: 5"],
        ["topics: ['plant/{tag}']", "readings: {quality: {header: quality}}"],
        ["sparkplug: {}"],
        ["sparkplug: {groups: [north], asset: '{device}', sensor: '{metric}', host: eugenie}"],
    ],
)
def test_sources_that_are_understood(tmp_path, lines):
    (source,) = loaded(tmp_path, *lines).sources
    assert source.type == "mqtt"


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([], "either `topics` or `sparkplug`"),
        (["sparkplug: {}", "topics: [a]"], "either `topics` or `sparkplug`"),
        (["topics: ['{asset}']"], "needs a sensor .with an asset. or a tag"),
        (["topics: ['{asset}/{sensor}', '{tag}']"], "must name the same"),
        (["topics: ['{asset}/{sensor}']", "readings: {asset: {path: a}}"], "choose one"),
        (["topics: ['a/{x}']"], "{x} is unknown"),
        (["topics: ['{tag}']", "ca: ca.pem"], "mqtts://"),
        (["topics: ['{tag}']", "password: secret"], "requires `username`"),
        (["topics: ['{tag}']", "url: mqtt://user:word@host"], "give them as `username`"),
        (["topics: ['{tag}']", "version: 4"], "version"),
        (["topics: ['{tag}']", "readings: {ts: {record: timestamp, unit: s}}"], "is an instant"),
        (["sparkplug: {tag: '{device}'}"], "must contain {metric}"),
        (["sparkplug: {asset: '{device}'}"], "belong together"),
        (["sparkplug: {tag: '{metric}', asset: a, sensor: '{metric}'}"], "give either"),
        (["sparkplug: {tag: '{metrics}'}"], "{metrics} is unknown"),
        (["sparkplug: {}", "readings: {shape: wide}"], "`readings` is for `topics`"),
    ],
)
def test_sources_that_are_refused(tmp_path, lines, why):
    with pytest.raises(EugenieError, match=why):
        loaded(tmp_path, *lines)


def test_an_import_says_that_there_is_no_history(tmp_path):
    site = loaded(tmp_path, "sparkplug: {}")
    with pytest.raises(EugenieError, match="only live sources, which have no history: gateway"):
        import_sources(site)
    with pytest.raises(EugenieError, match="MQTT has no history that could be imported"):
        import_sources(site, ["gateway"])
