"""History read one stretch at a time equals history read at once, and memory does not grow with it."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from eugenie_cli.detection.episode_counts import after_silence
from eugenie_cli.errors import EugenieError
from eugenie_cli.history.batch import Batch
from eugenie_cli.history.grid import load_grid
from eugenie_cli.history.site_history import open_history
from eugenie_cli.progress import SILENT
from eugenie_cli.site.schema import Site
from eugenie_cli.training import datasets, load_rows, mmap_arrays


def site(folder: Path, assets: Sequence[str] = ("one", "two"), silence: str = "15s", **model: object) -> Site:
    return Site.model_validate(
        {
            "site": "s",
            "workspace": "work",
            "classes": {
                "pump": {"sensors": [{"name": "a"}, {"name": "b"}], "model": model, "alarm": {"silence": silence}}
            },
            "assets": {name: {"class": "pump"} for name in assets},
            "exclude": [{"start": "1970-01-01T00:05:00Z", "end": "1970-01-01T00:06:40Z"}],
            "base": folder,
            "file": folder / "s.yaml",
        }
    )


def readings(asset: str, rows: int, seed: int = 0) -> Batch:
    """Jittered readings with gaps."""
    random = np.random.default_rng(seed)
    ts = np.sort(random.integers(3_000, rows * 1000, 2 * rows))
    ts = ts[(ts // 1000) % 500 > 60]
    index = random.integers(0, 2, len(ts)).astype(np.int32)
    return Batch([(asset, "a"), (asset, "b")], index, ts, random.normal(size=len(ts)))


def test_stretches_make_the_rows_that_the_whole_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant = site(tmp_path)
    history = open_history(plant)
    history.commit("logger", [readings("one", 4_000)])
    grid = load_grid(plant.fleet("pump"), history, "one")
    whole = datasets.split(grid, datasets.normal_rows(plant.fleet("pump"), grid), 0.25)
    monkeypatch.setattr(load_rows, "STRETCH_READINGS", 300)
    (stretched,) = load_rows.normal_grids(
        plant.fleet("pump"), open_history(plant), mmap_arrays.MmapArrays(tmp_path / "training"), SILENT
    )
    np.testing.assert_array_equal(stretched.edges, whole.edges)
    np.testing.assert_array_equal(stretched.rows, whole.rows)
    np.testing.assert_array_equal(stretched.part, whole.part)
    assert datasets.fingerprint([stretched]) == datasets.fingerprint([whole])


def test_reading_starts_no_earlier_than_a_window_before_the_first_period(tmp_path: Path) -> None:
    free = site(tmp_path, window=40, warmup=20)
    history = open_history(free)
    history.commit("logger", [readings("one", 8_000)])
    period = {"start": "1970-01-01T00:40:00Z", "end": "1970-01-01T01:10:00Z"}
    asset = free.assets["one"]
    normal = (
        type(asset).model_validate({"class": "pump", "normal": [period]}, context={"timezone": ZoneInfo("UTC")}).normal
    )
    listed = free.model_copy(update={"assets": {"one": asset.model_copy(update={"normal": normal})}})
    (summary,) = history.summary()
    own_grid = load_rows.normal_grid(listed.fleet("pump"), history, summary, mmap_arrays.Memory())
    grid = load_grid(listed.fleet("pump"), history, "one")
    whole = datasets.split(grid, datasets.normal_rows(listed.fleet("pump"), grid), 0.25)
    first = int(np.searchsorted(whole.edges, own_grid.edges[0]))
    own = slice(first, first + len(own_grid.edges))
    np.testing.assert_array_equal(own_grid.rows, whole.rows[own])
    np.testing.assert_array_equal(own_grid.part, whole.part[own])
    assert own_grid.used == whole.used > 1_000
    assert len(own_grid.edges) <= 1_800 + 41 < len(whole.edges)
    for part in (1, 2, 3):
        ends, all_ends = (
            np.concatenate([*datasets.window_ends(rows.rows, rows.part, part, 40)]) for rows in (own_grid, whole)
        )
        np.testing.assert_array_equal(ends + first, all_ends)


def sparse(asset: str, seed: int) -> Batch:
    """Stretches of readings with pauses of seconds to hours, a few of which are near a window's length."""
    random = np.random.default_rng(seed)
    pauses = random.choice([1, 3, 35, 59, 60, 61, 62, 63, 65, 70, 300, 9_000], 60)
    lengths = random.choice([1, 2, 30, 80, 200], 60)
    second = np.concatenate([start + np.arange(length) for start, length in
                             zip(np.cumsum(pauses + lengths), lengths, strict=True)])  # fmt: skip
    ts = 1000 * np.repeat(second, 2) + random.integers(0, 700, 2 * len(second))
    present = random.random(len(ts)) > 0.05
    index = np.tile(np.arange(2, dtype=np.int32), len(second))[present]
    return Batch([(asset, "a"), (asset, "b")], index, ts[present], random.normal(size=len(ts))[present])


@pytest.mark.parametrize("seed", range(12))
def test_long_pauses_are_cut_out_of_a_history_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """With and without: the same rows, fingerprint, stretches, silences, windows and targets."""
    window, ahead = 20, 5
    plant = site(tmp_path, silence="4m", window=window, warmup=10, horizons=[1, ahead])
    fleet, history = plant.fleet("pump"), open_history(plant)
    history.commit("logger", [sparse("one", seed)])
    (summary,) = history.summary()
    grid = load_grid(fleet, history, "one")
    whole = datasets.split(grid, datasets.normal_rows(fleet, grid), 0.25)
    monkeypatch.setattr(load_rows, "STRETCH_READINGS", 700)
    short = load_rows.normal_grid(fleet, history, summary, mmap_arrays.MmapArrays(tmp_path / "training"))
    assert len(short.edges) < len(whole.edges) / 3
    assert (short.doubts, short.stretches(), short.used) == (whole.doubts, whole.stretches(), whole.used)
    assert datasets.fingerprint([short]) == datasets.fingerprint([whole])
    silences = [
        after_silence(np.flatnonzero(made.part), fleet.equipment.alarm_policy.silence_rows) for made in (short, whole)
    ]
    assert silences[0].tolist() == silences[1].tolist()
    assert 1 < silences[0].sum() < 60
    for part in (datasets.TRAINING, datasets.VALIDATION, datasets.CALIBRATION):
        cut = []
        for made in (short, whole):
            ends = np.concatenate([*datasets.window_ends(made.rows, made.part, part, window)])
            rows = np.concatenate([made.rows, np.full((ahead, 2), np.nan, np.float32)])
            cut.append((made.edges[ends], rows[ends[:, None] + np.arange(1 - window, ahead + 1)]))
        assert part != datasets.TRAINING or len(cut[0][0]) > 300
        for of_short, of_whole in zip(*cut, strict=True):
            np.testing.assert_array_equal(of_short, of_whole)


def test_stretches_follow_the_readings_and_not_the_calendar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant = site(tmp_path)
    history = open_history(plant)
    for month, rows in ((0, 3_000), (11, 2_000)):
        second = month * 30 * 86_400 + np.arange(rows)
        batch = Batch([("one", "a")], np.zeros(rows, np.int32), 1000 * second, np.sin(second / 9.0))
        history.commit("logger", [batch], key=str(month))
    (summary,) = history.summary()
    monkeypatch.setattr(load_rows, "STRETCH_READINGS", 500)
    borders = load_rows._stretches(history, plant.fleet("pump"), summary)
    counts = [len(history.read("one", *bounds).ts) for bounds in itertools.pairwise(borders)]
    assert sum(counts) == 5_000
    assert max(counts) <= 501


def test_blocks_find_the_windows_that_the_whole_has(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    rows = np.where(random.random((1_000, 1)) < 0.15, np.nan, 1.0).astype(np.float32)
    part = np.repeat(np.array([1, 0, 1, 2], np.int8), 250)
    (whole,) = datasets.window_ends(rows, part, 1, 20)
    monkeypatch.setattr(mmap_arrays.blocks, "__defaults__", (37,))
    np.testing.assert_array_equal(np.concatenate([*datasets.window_ends(rows, part, 1, 20)]), whole)
    assert 20 < len(whole) < 480


def test_arrays_on_disk_survive_a_release_and_leave_no_file(tmp_path: Path) -> None:
    arrays = mmap_arrays.MmapArrays(tmp_path)
    array = arrays.array((1000, 3), np.float32)
    array[:] = np.arange(3000).reshape(1000, 3)
    arrays.release()
    assert array[-1].tolist() == [2997, 2998, 2999]
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(EugenieError, match="no room"):
        arrays.array((1 << 50,), np.int8)


FEW, MANY = 400_000, 1_600_000
READING_BYTES = 20
"""A sensor's number, an instant and a value."""

BOUNDED = """
import sys, threading, time
from pathlib import Path
from eugenie_cli.detection import calibration
from eugenie_cli.history.site_history import open_history
from eugenie_cli.progress import SILENT
from eugenie_cli.training import datasets, load_rows, mmap_arrays
from eugenie_cli.training.build import build
sys.path.insert(0, sys.argv[1])
import test_load_rows

# small enough that a history generated within a minute is large in comparison
load_rows.STRETCH_READINGS = 50_000
mmap_arrays.blocks.__defaults__ = (20_000,)
calibration.MAX_ROWS = calibration.MAX_BASELINE_ROWS = 4_000
most = 0.0

def watch():
    # anonymous memory, MiB: unlike pages of files, the kernel cannot reclaim it
    global most
    while True:
        fields = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
        most = max(most, int(fields["RssAnon"].split()[0]) / 1024)
        time.sleep(0.005)

def train(folder):
    settings = {"window": 32, "warmup": 16, "horizons": [1, 3], "units": 4, "epochs": 1, "batch": 128}
    site = test_load_rows.site(Path(folder), sys.argv[3].split(","), **settings)
    arrays = mmap_arrays.MmapArrays(Path(folder) / "training")
    grids = load_rows.normal_grids(site.fleet("pump"), open_history(site), arrays, SILENT)
    datasets.fingerprint(grids)
    build("pump", site.classes["pump"], grids, SILENT, arrays=arrays)

threading.Thread(target=watch, daemon=True).start()
train(sys.argv[2])
print(most)
"""


def long_history(folder: Path, assets: Sequence[str], rows: int) -> None:
    for asset in assets:

        def batches(asset: str = asset) -> Iterator[Batch]:
            for first in range(0, rows, 50_000):
                count = min(50_000, rows - first)
                ts = 1000 * np.repeat(np.arange(first, first + count), 2)
                values = np.random.default_rng(first).normal(size=2 * count)
                yield Batch([(asset, "a"), (asset, "b")], np.tile(np.arange(2, dtype=np.int32), count), ts, values)

        open_history(site(folder, assets)).commit("logger", batches(), key=asset)


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("EUGENIE_CHAOS") != "full", reason="takes half a minute: with EUGENIE_CHAOS=full")
@pytest.mark.parametrize("times", ["the rows", "the assets"])
def test_memory_grows_by_less_than_a_quarter_of_a_larger_history(tmp_path: Path, tell, times: str) -> None:
    most = MANY // FEW
    fleet = [f"pump-{number}" for number in range(most)]
    plants = [(fleet[:1], FEW), (fleet[:1], MANY) if times == "the rows" else (fleet, FEW)]
    peaks = []
    for number, (assets, rows) in enumerate(plants):  # a process each: TensorFlow keeps the graphs of earlier training
        folder = tmp_path / str(number)
        long_history(folder, assets, rows)
        run = subprocess.run(
            [sys.executable, "-c", BOUNDED, str(Path(__file__).parent), str(folder), ",".join(assets)],
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, run.stderr[-3000:]
        peaks.append(float(run.stdout))
    few, many = peaks
    history = MANY * 2 * READING_BYTES / 2**20
    tell(f"memory of a training: {few:.0f} MiB, {many:.0f} MiB with {most} times {times} ({history:.0f} MiB)")
    assert many - few < history / 4
