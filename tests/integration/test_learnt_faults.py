"""A fault that runs while a class is trained again is not learnt without a word, in a real registry."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from eugenie_cli.console import Console
from eugenie_cli.errors import EugenieError
from eugenie_cli.evaluation.promotion import promote
from eugenie_cli.history.batch import Batch
from eugenie_cli.history.site_history import open_history
from eugenie_cli.site.load import load_site
from eugenie_cli.site.schema import Site
from eugenie_cli.training import run_record
from eugenie_cli.training.options import TrainingOptions
from eugenie_cli.training.registry import Registry
from eugenie_cli.training.train import train_class

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

START = 1_767_225_600_000  # 2026-01-01T00:00:00Z
STEP = 10_000
OLD, NEW = 6_000, 2_500
FAULT = OLD + 800
"""The row from which the bearing of m-1 heats, by a hundredth of a degree a row."""

SITE = """
site: plant
workspace: work
classes:
  m:
    sensors: [{{name: flow}}, {{name: current}}, {{name: temp}}, {{name: vib}}]
    step: 10s
    max_gap: 30s
    model: {{type: mewma}}
    promotion: {{{gate}}}
assets:
  m-1: {{class: m{normal}}}
  m-2: {{class: m{normal}}}
"""


def site(folder: Path, gate: str = "last: 6h", normal: str = "") -> Site:
    (folder / "plant.yaml").write_text(SITE.format(gate=gate, normal=normal))
    return load_site(folder / "plant.yaml")


def readings(asset: str, rows: range) -> Batch:
    random = np.random.default_rng(int(asset[-1]))
    count = OLD + NEW
    wander = np.convolve(random.normal(0, 0.3, count + 99), 0.95 ** np.arange(100), mode="valid")
    load = 50 + 10 * np.sin(2 * np.pi * np.arange(count) / 900) + wander
    heat = np.maximum(np.arange(count) - FAULT, 0) * 0.01 * (asset == "m-1")
    noise = random.normal(size=(count, 3)) * [0.2, 0.3, 0.05]
    values = np.column_stack([load, 0.2 * load, 60 + 0.3 * load + heat, 2 + 0.02 * load])
    values[:, 1:] += noise
    own = np.arange(rows.start, rows.stop)
    series = [(asset, name) for name in ("flow", "current", "temp", "vib")]
    index = np.tile(np.arange(4, dtype=np.int32), len(own))
    return Batch(series, index, np.repeat(START + STEP * own, 4), values[own].ravel())


def trained(plant: Site, **options: bool) -> tuple[int, str]:
    said = io.StringIO()
    version = train_class(plant, "m", Console(err=said), TrainingOptions(**options)).version
    assert version is not None
    return version, " ".join(said.getvalue().split())


def last_learnt(plant: Site, version: int, asset: str) -> int:
    """The number of the last row that a version learnt."""
    registry = Registry(plant)
    learnt = run_record.learnt_by(registry.client, registry.resolve("m", version).run_id)
    assert learnt is not None
    return (learnt[asset][-1][1] - START) // STEP


@pytest.fixture
def plant(tmp_path: Path) -> Site:
    """The first version is champion; then the bearing of m-1 heats."""
    healthy = site(tmp_path)
    for asset in ("m-1", "m-2"):
        open_history(healthy).commit("logger", [readings(asset, range(OLD))], key=asset)
    version, said = trained(healthy)
    assert version == 1 and "left out" not in said
    for asset in ("m-1", "m-2"):
        open_history(healthy).commit("logger", [readings(asset, range(OLD, OLD + NEW))], key=f"{asset} later")
    return healthy


def test_rows_in_which_the_champion_stands_in_alarm_are_left_out_until_they_are_accepted(plant: Site) -> None:
    version, said = trained(plant)
    assert "left out of training, because the champion was in alarm and nobody has said why: m-1 2026-01-01T" in said
    assert "exclude: [{asset: m-1, start: 2026-01-01T" in said and "eugenie train m --accept-alarms" in said
    assert "m-2 2026" not in said
    assert FAULT - 60 < last_learnt(plant, version, "m-1") < FAULT + 300
    assert last_learnt(plant, version, "m-2") > OLD + NEW - 10
    with pytest.raises(EugenieError, match="quiet rows above 1"):  # it alarms on the fault, as the champion does
        promote(plant, "m", version)

    accepting, said = trained(plant, accept_alarms=True)
    assert "learnt as normal, because its alarms are accepted: m-1 2026-01-01T" in said
    assert last_learnt(plant, accepting, "m-1") > OLD + NEW - 10
    with pytest.raises(EugenieError, match=r"was trained on .* judged rows"):
        promote(plant, "m", accepting)


def test_time_that_a_person_lists_as_normal_is_learnt_with_a_word(plant: Site, tmp_path: Path) -> None:
    listed = site(tmp_path, normal=", normal: [{start: 2026-01-01T00:00:00Z, end: 2026-01-03T00:00:00Z}]")
    version, said = trained(listed)
    assert "learnt as normal, because the site file lists the time as normal: m-1 2026-01-01T" in said
    assert last_learnt(listed, version, "m-1") > OLD + NEW - 10


def test_a_labelled_fault_is_not_learnt_and_remains_to_judge_by(plant: Site, tmp_path: Path) -> None:
    (tmp_path / "faults.csv").write_text(
        "asset,start,end,sensors\nm-1,2026-01-01T18:53:20Z,2026-01-02T00:00:00Z,temp\n"
    )
    labelled = site(tmp_path, gate="labels: faults.csv, last: 6h, least: 5m")
    version, said = trained(labelled)
    assert "labelled faults are left out of training (promotion.labels): m-1 2026-01-01T18:53:20" in said
    assert last_learnt(labelled, version, "m-1") == FAULT - 1
    said_by_gate = io.StringIO()
    with pytest.raises(EugenieError):  # no quiet row is left: all of them are learnt
        promote(labelled, "m", version, progress=Console(err=said_by_gate))
    assert "faults found: 1 of 1, the champion 1 of 1" in " ".join(said_by_gate.getvalue().split())
