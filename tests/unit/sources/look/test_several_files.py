"""Several files: of one kind or of several, of assets, tags or periods; and large ones."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from support.looked import imported, looked, questions

from eugenie_cli.errors import EugenieError
from eugenie_cli.site.field_types import parse_duration
from eugenie_cli.sources.look.looking import look
from eugenie_cli.sources.look.sample import WHOLE_BYTES

T = 1_772_355_600_000  # 2026-03-01T09:00:00Z


def wide(name: str = "flow", day: int = 1, value: float = 1.5) -> str:
    return f"time,{name}\n2026-03-{day:02d}T09:00:00Z,{value}\n2026-03-{day:02d}T09:00:01Z,{value}\n"


def test_files_of_one_kind_are_one_source_and_name_the_assets(tmp_path):
    found = looked(tmp_path, {"pump-1.csv": wide(), "pump-2.csv": wide(value=7.5)})
    (proposal,) = found.proposals
    assert proposal.entry["path"] == "exports/*.csv"
    assert proposal.entry["readings"]["asset"] == {"file": "{stem}"}
    assert list(found.plant.assets) == ["pump-1", "pump-2"]
    assert [asset for asset, *_ in proposal.trial.first] == ["pump-1", "pump-1", "pump-2"]


def test_dates_in_names_are_no_assets(tmp_path):
    files = {f"pump-{pump}_2026-03-0{day}.csv": wide(day=day) for pump in (1, 2) for day in (1, 2)}
    found = looked(tmp_path, files)
    (proposal,) = found.proposals
    assert proposal.entry["readings"]["asset"] == {"file": "{asset}_{*}"}
    assert list(found.plant.assets) == ["pump-1", "pump-2"]
    assert proposal.trial.readings == 8


def test_files_of_addresses_one_after_the_other_are_periods(tmp_path):
    found = looked(tmp_path, {"jan.csv": wide("F1.PV"), "feb.csv": wide("F1.PV", 2)})
    (proposal,) = found.proposals
    assert "asset" not in proposal.entry["readings"] and len(found.plant.assets) == 1
    assert proposal.trial.readings == 4


def test_a_file_for_each_tag(tmp_path):
    found = looked(tmp_path, {f"F{n}.csv": wide("Value", value=n) for n in (1, 2)})
    (proposal,) = found.proposals
    assert proposal.entry["readings"]["tag"] == {"file": "{stem}"}
    assert imported(tmp_path, found)[0] == {(f"F{n}", T + ms): float(n) for n in (1, 2) for ms in (0, 1_000)}


def test_several_kinds_are_several_sources(tmp_path):
    long = "Tag;Time;Value\nF9.PV;2026-03-01T09:00:00Z;1,5\nF9.PV;2026-03-01T09:00:01Z;2,5\n"
    found = looked(tmp_path, {"a1.csv": wide("F1.PV"), "a2.csv": wide("F2.PV"), "b.csv": long, "c.txt": ""})
    assert [[file.path.name for file in p.files] for p in found.proposals] == [["a1.csv", "a2.csv"], ["b.csv"]]
    assert [p.entry["path"] for p in found.proposals] == ["exports/a*.csv", "exports/b.csv"]
    assert [refusal.file.rpartition("/")[2] for refusal in found.refused] == ["c.txt"]
    assert not found.is_right and all(proposal.is_right for proposal in found.proposals)
    assert imported(tmp_path, found)[0].keys() == {
        (t, T + ms) for t in ("F1.PV", "F2.PV", "F9.PV") for ms in (0, 1_000)
    }


def test_evidence_in_one_file_decides_for_all_of_its_kind(tmp_path):
    rows = {"a.csv": "03/04/2026 09:00,1\n03/04/2026 10:00,2\n", "b.csv": "13/04/2026 09:00,1\n13/04/2026 10:00,2\n"}
    found = looked(tmp_path, {name: f"time,F1.PV\n{text}" for name, text in rows.items()})
    (proposal,) = found.proposals
    assert proposal.entry["readings"]["ts"]["format"] == "%d/%m/%Y %H:%M"
    assert "day or its month" not in questions(found)


def test_assets_by_tags(tmp_path):
    names = "P1/flow,P1/level,P2/flow,P2/level"
    found = looked(tmp_path, {"a.csv": f"time,{names}\n2026-03-01T09:00:00Z,1,2,3,4\n2026-03-01T09:00:01Z,1,2,3,4\n"})
    assert {asset: [m.name for m in members] for asset, members in found.plant.assets.items()} == {
        "P1": ["flow", "level"],
        "P2": ["flow", "level"],
    }
    assert imported(tmp_path, found)[0].keys() == {(tag, T + ms) for tag in names.split(",") for ms in (0, 1_000)}


def test_step_and_max_gap_are_those_of_the_data(tmp_path):
    seconds = np.cumsum(np.where(np.arange(400) % 100 == 99, 60, 10))
    rows = "".join(f"{T // 1000 + second},1.5\n" for second in seconds)
    found = looked(tmp_path, {"a.csv": f"time,F1.PV\n{rows}"})
    assert found.steps == {"machine": (parse_duration("10s"), parse_duration("30s"))}


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_of_a_large_file_its_beginning_middle_and_end_are_looked_at(tmp_path, encoding):
    count = WHOLE_BYTES // 10
    rows = [f"{T + 1000 * n},{n % 7}.25" for n in range(count)]
    rows[count // 2], rows[-1] = rows[count // 2].replace(".25", ",75"), rows[-1] + "0"
    content = "time;F1.PV\n" + "\n".join(row.replace(",", ";", 1) for row in rows) + "\n"
    found = looked(tmp_path, {"a.csv": content.encode(encoding)})
    (proposal,) = found.proposals
    assert "beginning, middle and end" in " ".join(f.found for f in proposal.notes.findings)
    assert proposal.trial.readings > 100_000 and proposal.trial.lost <= 3
    assert proposal.trial.end_ms == T + 1000 * (count - 1)
    assert "both signs" in questions(found)


@pytest.mark.slow
def test_of_a_large_compressed_file_the_beginning_is_looked_at(tmp_path):
    rows = "".join(f"{T + 1000 * n};{n % 7}.25\n" for n in range(WHOLE_BYTES // 10))
    found = looked(tmp_path, {"a.csv.gz": gzip.compress(f"time;F1.PV\n{rows}".encode(), 1)})
    assert found.is_right
    assert "it is compressed" in " ".join(f.found for f in found.proposals[0].notes.findings)


def test_nothing_is_written_where_the_files_are(tmp_path):
    looked(tmp_path, {"a.csv": wide("F1.PV")})
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.csv", "exports"]


def test_names_with_signs_of_patterns(tmp_path):
    found = looked(tmp_path, {"pump [1].csv": wide("F1.PV")})
    assert imported(tmp_path, found)[0] == {("F1.PV", T): 1.5, ("F1.PV", T + 1_000): 1.5}


def test_files_that_do_not_exist_are_an_error(tmp_path):
    with pytest.raises(EugenieError, match="no file matches"):
        look([str(tmp_path / "*.csv")], tmp_path)
    with pytest.raises(EugenieError, match="is a folder"):
        look([str(tmp_path)], tmp_path)


@pytest.mark.parametrize("name", ["data.csv", "{}.csv"])
def test_folders_of_machines(tmp_path, name):
    files = {f"P{n}/{name.format(n)}": wide(value=n) for n in (1, 2)}
    for folder in ("P1", "P2"):
        (tmp_path / "exports" / folder).mkdir(parents=True)
    found = looked(tmp_path, files)
    (proposal,) = found.proposals
    assert (proposal.entry["path"], proposal.entry["readings"]["asset"]) == ("exports/*/*.csv", {"file": "{parent}"})
    assert list(found.plant.assets) == ["P1", "P2"] and proposal.trial.readings == 4
    assert [asset for asset, *_ in proposal.trial.first] == ["P1", "P1", "P2"]


def test_folders_of_machines_with_a_file_for_each_tag(tmp_path):
    for folder in ("P1", "P2"):
        (tmp_path / "exports" / folder).mkdir(parents=True)
    found = looked(tmp_path, {f"P{n}/{tag}.csv": wide("Value", value=n) for n in (1, 2) for tag in ("FT", "PT")})
    readings = found.proposals[0].entry["readings"]
    assert (readings["asset"], readings["tag"]) == ({"file": "{parent}"}, {"file": "{stem}"})
    assert {asset: [m.name for m in members] for asset, members in found.plant.assets.items()} == {
        "P1": ["FT", "PT"],
        "P2": ["FT", "PT"],
    }
    assert found.proposals[0].trial.readings == 8


@pytest.mark.parametrize("names", [("20260301", "20260302"), ("log001", "log002"), ("2026-03-01/a", "2026-03-02/a")])
def test_files_of_days_are_no_machines(tmp_path, names):
    for name in names:
        (tmp_path / "exports" / name).parent.mkdir(parents=True, exist_ok=True)
    found = looked(tmp_path, {f"{name}.csv": wide("flow", day) for day, name in enumerate(names, 1)})
    (proposal,) = found.proposals
    assert "asset" not in proposal.entry["readings"] and len(found.plant.assets) == 1
    assert proposal.trial.readings == 4
