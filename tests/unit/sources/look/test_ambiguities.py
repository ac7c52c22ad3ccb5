"""What samples do not decide is marked, and what they decide is not."""

from __future__ import annotations

import pytest
from support.looked import checks, imported, looked, questions

T = 1_772_355_600_000  # 2026-03-01T09:00:00Z
DAY = 86_400_000


def wide(*cells: str, times: tuple[str, ...] = (), delimiter: str = ";") -> str:
    times = times or tuple(f"2026-03-01T09:00:{second:02d}Z" for second in range(len(cells)))
    rows = zip(times, cells, strict=True)
    return "".join(f"{at}{delimiter}{value}\n" for at, value in [("time", "F1.PV"), *rows])


@pytest.mark.parametrize(
    ("times", "written", "is_checked"),
    [
        (("03/04/2026 09:00", "03/04/2026 10:00"), "%d/%m/%Y %H:%M", True),
        (("03/04/2026 9:00 AM", "03/04/2026 10:00 AM"), "%m/%d/%Y %I:%M %p", True),
        (("13/04/2026 09:00", "03/05/2026 10:00"), "%d/%m/%Y %H:%M", False),
        (("04/13/2026 09:00", "05/03/2026 10:00"), "%m/%d/%Y %H:%M", False),
        (("01/02/2026 09:00", "02/02/2026 09:00", "03/02/2026 09:00", "04/02/2026 09:00"), "%d/%m/%Y %H:%M", False),
        (("02/01/2026 09:00", "02/02/2026 09:00", "02/03/2026 09:00", "02/04/2026 09:00"), "%m/%d/%Y %H:%M", False),
        (("31/01/26 09:00", "01/02/26 09:00"), "%d/%m/%y %H:%M", False),
        (("05.02.2026 23:59", "06.02.2026 00:00", "01.03.2026 00:00"), "%d.%m.%Y %H:%M", False),
    ],
)
def test_day_and_month(tmp_path, times, written, is_checked):
    found = looked(tmp_path, {"a.csv": wide(*"1234"[: len(times)], times=times)})
    assert found.proposals[0].entry["readings"]["ts"]["format"] == written
    assert ("day or its month first" in questions(found)) == is_checked


@pytest.mark.parametrize(
    ("cells", "delimiter", "signs", "is_checked"),
    [
        (("1,234", "2,345"), ";", {"decimal": ","}, True),
        (('"1,234"', '"2,345"'), ",", {"thousands": ","}, True),
        (("1.234", "2.345"), ";", {}, True),
        (("1,234", "2,5"), ";", {"decimal": ","}, False),
        (("0,234", "0,345"), ";", {"decimal": ","}, False),
        (("1,234,567", "2,345"), ";", {"thousands": ","}, False),
        (("1.234", "1012"), ";", {}, False),
        (("1,234", "2.5"), ";", {"thousands": ","}, False),
        (("1.012,5", "950"), ";", {"decimal": ",", "thousands": "."}, False),
        (("1 012,5", "950,25"), ";", {"decimal": ",", "thousands": " "}, False),
        (("1'012.5", "950.25"), ";", {"thousands": "'"}, False),
    ],
)
def test_decimal_signs_and_thousands(tmp_path, cells, delimiter, signs, is_checked):
    found = looked(tmp_path, {"a.csv": wide(*cells, delimiter=delimiter)})
    assert found.proposals[0].entry["readings"].get("value", {}) == signs
    assert checks(found) == (["value"] if is_checked else [])


@pytest.mark.parametrize(
    ("name", "codes", "scheme", "is_checked"),
    [
        ("Quality", ("192", "0"), "opcda", False),
        ("Q", ("192.0", "0.0"), "opcda", False),
        ("StatusCode", ("0", "2147483648"), "opcua", False),
        ("Good", ("true", "false"), "boolean", False),
        ("Validity", ("1", "0"), "boolean", False),
        ("status", ("0", "1"), "boolean", True),
        ("Quality", ("Good", "Bad"), None, False),
        ("Quality", ("ok ish", "strange"), None, True),
    ],
)
def test_quality_codes(tmp_path, name, codes, scheme, is_checked):
    rows = [f"F1.PV,2026-03-01T09:00:0{n}Z,{n}.5,{code}\n" for n, code in enumerate((codes[0], *codes))]
    found = looked(tmp_path, {"a.csv": f"Tag,Timestamp,Value,{name}\n" + "".join(rows)})
    quality = found.proposals[0].entry["readings"]["quality"]
    assert (quality["path"], quality.get("scheme")) == (name, scheme)
    assert ("quality" in checks(found)) == is_checked


def test_code_pages_that_read_otherwise_are_listed(tmp_path):
    turkish = "zaman;sıcaklık;basınç\n2026-03-01T09:00:00Z;1.5;2\n2026-03-01T09:00:01Z;1.6;2\n"
    found = looked(tmp_path, {"a.csv": turkish.encode("cp1254")})
    assert found.proposals[0].entry["encoding"] == "cp1254"
    assert "sıcaklık" in questions(found) and "cp1252: s\u00fdcakl\u00fdk" in questions(found)
    found = looked(tmp_path, {"a.csv": "time;T [°C]\n2026-03-01T09:00:00Z;1.5\n".encode("cp1252")})
    assert found.proposals[0].entry["encoding"] == "cp1252"
    assert "encoding" not in checks(found)


def test_instants_ahead_of_the_clock_are_not_proposed_where_another_reading_fits(tmp_path):
    found = looked(tmp_path, {"a.csv": wide("1", "2", times=("01/12/2024 09:00", "01/12/2024 10:00"))})
    assert "day or its month first" in questions(found)


def test_words_among_numbers_are_bad_and_marked_if_they_are_frequent(tmp_path):
    found = looked(tmp_path, {"a.csv": wide("1.5", "Kein Wert", "2.5", "Kein Wert", "2.5", "kaputt")})
    assert found.proposals[0].entry["readings"]["value"] == {"bad": ["Kein Wert"]}
    readings, tally = imported(tmp_path, found)
    assert [value for _, value in sorted(readings.items())] == [1.5, None, 2.5, None, 2.5]
    assert dict(tally.rejected) == {"bad-value": 1}
    assert "Kein Wert" in questions(found)
