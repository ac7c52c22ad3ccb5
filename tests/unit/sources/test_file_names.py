"""Assets, sensors and tags from the names of files."""

from __future__ import annotations

import gzip
import re
from pathlib import PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.csv_files import read_file
from support.history_sites import pump_site

from eugenie_cli.errors import EugenieError
from eugenie_cli.sources.files.names import bind_captures
from eugenie_cli.sources.importing import import_sources

NAMES = st.text("ab_-1", min_size=1, max_size=6)


def found(pattern: str, file: str, *known: str) -> str:
    bound = bind_captures({"asset": {"file": pattern}}, PurePath(file), {"asset": known})
    return bound["asset"]["const"]


@pytest.mark.parametrize(
    ("pattern", "file", "known", "asset"),
    [
        ("{asset}_{*}", "exports/pump-1_2026-01.csv", ["pump-1"], "pump-1"),
        ("{asset}_*", "pump-1_2026_01.csv", ["pump-1", "2026"], "pump-1"),
        ("{*}_{asset}", "2026_01_pump_1.csv", ["pump_1"], "pump_1"),
        ("log {*} {asset}-{*}", "log 7 p1-x-y.csv", ["p1"], "p1"),
        ("{asset}/{*}", "site/p1/2026.csv", ["p1", "2026"], "p1"),
        ("{asset}/{*}/{*}", "x/p1/2026/01.csv", ["p1"], "p1"),
        ("{asset}.log", "p1.log.csv", ["p1"], "p1"),
        ("{asset}_{*}", "p9_x_y.csv", ["p1"], "p9"),
    ],
)
def test_a_pattern_finds_the_asset(pattern, file, known, asset):
    assert found(pattern, file, *known) == asset


@pytest.mark.parametrize(
    ("pattern", "file", "message"),
    [
        ("{asset}-{*}", "p1_2026.csv", "does not match the pattern '{asset}-{*}'"),
        ("{asset}_{*}", "pump_1_x.csv", "may be 'pump' or 'pump_1'"),
        ("{asset}_{*}", "_x.csv", "does not match"),
    ],
)
def test_a_name_without_one_meaning_is_refused(pattern, file, message):
    with pytest.raises(EugenieError, match=re.escape(message)):
        found(pattern, file, "pump", "pump_1")


@given(asset=NAMES, before=NAMES, after=NAMES)
def test_a_known_asset_is_found_between_any_other_text(asset, before, after):
    assert found("{*}.{asset}.{*}", f"{before}.{asset}.{after}.csv", asset) == asset


def test_a_tag_is_found_and_files_that_do_not_match_fail_alone(tmp_path):
    (tmp_path / "exports").mkdir()
    for name in ("2026_FT-2", "2026_PT-2", "readme"):
        (tmp_path / "exports" / f"{name}.csv").write_text("ts,value\n2026-01-03T06:00:00Z,1\n")
    readings = {"tag": {"file": "{*}_{tag}"}}
    site = pump_site(tmp_path, [{"name": "s", "type": "csv", "path": "exports/*.csv", "readings": readings}])
    (report,) = import_sources(site)
    assert (report.new, report.readings) == (2, 2)
    assert re.search(r"readme\.csv: its name does not match .* \(next: correct `readings: {tag: ", report.failed[0])


def test_the_suffix_of_gzip_is_no_part_of_the_name(tmp_path):
    (tmp_path / "p1_x.csv.gz").write_bytes(gzip.compress(b"ts,flow\n2026-01-03T06:00:00Z,1\n"))
    rows, _ = read_file(tmp_path / "p1_x.csv.gz", {"shape": "wide", "asset": {"file": "{asset}_{*}"}})
    assert rows == [("p1", "flow", 1767420000000, 1.0)]
