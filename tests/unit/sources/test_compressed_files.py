"""Files that are compressed with gzip, bzip2 or xz, as their names say."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma

import pytest
from support.history_sites import pump_site
from support.looked import imported as imported_as_proposed
from support.looked import looked

from eugenie_cli.sources.importing import import_sources

PACKED = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
ROWS = [(f"2026-01-13T05:{n // 60:02d}:{n % 60:02d}Z", n + 0.5) for n in range(3_000)]
CSV = "ts,flow\n" + "".join(f"{ts},{value}\n" for ts, value in ROWS)
JSON = "".join(json.dumps({"ts": ts, "flow": value}) + "\n" for ts, value in ROWS)
READINGS = {"shape": "wide", "asset": {"file": "{stem}"}}


def report_of(folder, name: str, content: bytes, type: str = "csv"):
    (folder / "exports").mkdir(exist_ok=True)
    (folder / "exports" / name).write_bytes(content)
    source = {"name": "s", "type": type, "path": "exports/*", "readings": READINGS}
    return import_sources(pump_site(folder, [source]))[0]


@pytest.mark.parametrize("suffix", PACKED)
@pytest.mark.parametrize(("type", "text"), [("csv", CSV), ("json", JSON)])
def test_they_are_read_as_what_they_contain(tmp_path, suffix, type, text):
    report = report_of(tmp_path, f"p1.{type}{suffix.upper()}", PACKED[suffix](text.encode()), type)
    assert (report.readings, report.failed, report.rejected) == (len(ROWS), [], {})


@pytest.mark.parametrize("suffix", PACKED)
@pytest.mark.parametrize("harm", ["cut off", "damaged"])
def test_nothing_of_a_file_that_is_not_whole_is_imported(tmp_path, suffix, harm):
    packed = PACKED[suffix](CSV.encode())
    half = len(packed) // 2
    content = packed[:half] if harm == "cut off" else packed[:half] + bytes(64) + packed[half + 64 :]
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "p2.csv").write_text(CSV.replace("flow", "FT-2"))
    report = report_of(tmp_path, f"p1.csv{suffix}", content)
    assert report.readings == len(ROWS) and f"p1.csv{suffix} is {harm}" in report.failed[0]


@pytest.mark.parametrize("suffix", PACKED)
def test_a_name_that_does_not_say_so_is_named(tmp_path, suffix):
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "p2.csv").write_text(CSV.replace("flow", "FT-2"))
    report = report_of(tmp_path, "p1.csv", PACKED[suffix](CSV.encode()))
    assert f"so that it ends in .csv{suffix}, or unpack it" in report.failed[0]
    (tmp_path / "exports" / "p1.csv").unlink()
    report = report_of(tmp_path, f"p1.csv{suffix}", CSV.encode())
    assert "is not compressed with" in report.failed[0] and f"rename it, without {suffix}" in report.failed[0]


@pytest.mark.parametrize("suffix", PACKED)
def test_a_look_reads_them(tmp_path, suffix):
    rows = "".join(f"{ts},{value}\n" for ts, value in ROWS)
    files = {f"{name}.csv{suffix}": PACKED[suffix](f"time,F1.PV\n{rows}".encode()) for name in ("pump-1", "pump-2")}
    found = looked(tmp_path, files)
    assert found.is_right and [p.entry["path"] for p in found.proposals] == [f"exports/*.csv{suffix}"]
    assert imported_as_proposed(tmp_path, found)[1].records == 2 * len(ROWS)


def test_zstd_is_refused_with_what_to_do(tmp_path):
    (refusal,) = looked(tmp_path, {"a.csv.zst": b"\x28\xb5\x2f\xfd" + bytes(50)}, "UTC").refused
    assert "compressed with zstd" in refusal.why and ".gz, .bz2, .xz" in refusal.next
