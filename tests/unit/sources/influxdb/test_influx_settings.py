"""Settings of an `influxdb` source as a site file writes them."""

from __future__ import annotations

import pytest

from eugenie_cli.errors import EugenieError
from eugenie_cli.site.load import load_site

SITE = """\
site: plant
sources:
  - name: s
    type: influxdb
    url: http://127.0.0.1:8086
    version: {version}
    database: plant
    measurements: [pumps]
    start: 1d
    readings: {{asset: {{path: unit}}, sensor: {{path: field}}}}
classes: {{pump: {{sensors: [{{name: flow}}], step: 1s, max_gap: 5s}}}}
assets: {{p1: {{class: pump}}}}
"""


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_site_file_names_the_release(tmp_path, version):
    (tmp_path / "plant.yaml").write_text(SITE.format(version=version))
    assert load_site(tmp_path / "plant.yaml").sources[0].version == version


def test_another_release_is_refused(tmp_path):
    (tmp_path / "plant.yaml").write_text(SITE.format(version=4))
    with pytest.raises(EugenieError, match=r"(?s)version: must be 1, 2 or 3"):
        load_site(tmp_path / "plant.yaml")
