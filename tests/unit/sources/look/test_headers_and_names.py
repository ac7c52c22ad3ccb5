"""Which rows name columns, in texts and in sheets; and the names that sensors and machines get."""

from __future__ import annotations

import datetime as dt
import io

import pytest
from support.looked import checks, imported, looked, questions

from eugenie_cli.sources.look.plant import of_tags
from eugenie_cli.sources.look.sensor_names import member_of, named

pytestmark = pytest.mark.slow  # seconds together

T = 1_772_355_600_000  # 2026-03-01T09:00:00Z
AT = dt.datetime(2026, 3, 1, 9)
LATER = AT + dt.timedelta(seconds=1)


def sheet(*rows: list[object]) -> bytes:
    openpyxl = pytest.importorskip("openpyxl")
    book, buffer = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(buffer)
    return buffer.getvalue()


def names(found) -> dict[str, list[tuple[str, str, str]]]:
    return {asset: [(m.name, m.tag, m.unit) for m in members] for asset, members in found.plant.assets.items()}


SHEETS = {
    "units below": (
        [["Report"], [], ["Time", "Flow rate", "Level"], [None, "m3/h", "m"], [AT, 1.5, 2], [LATER, 2.5, 3]],
        {"machine-1": [("flow_rate", "Flow rate m3/h", "m3/h"), ("level", "Level m", "m")]}),
    "names that repeat below machines": (
        [[None, "P1", None, "P2", None], ["Time", "Flow", "Level", "Flow", "Level"], [AT, 1, 2, 3, 4]],
        {"P1": [("Flow", "P1 Flow", ""), ("Level", "Level", "")],
         "P2": [("Flow", "P2 Flow", ""), ("Level", "Level 2", "")]}),
    "a title with a date": (
        [["Shift", AT.date()], ["Time", "Flow"], [AT, 1.5], [LATER, 2.5]], {"machine-1": [("Flow", "Flow", "")]}),
}  # fmt: skip


@pytest.mark.parametrize("name", SHEETS)
def test_the_header_of_a_sheet(tmp_path, name):
    rows, sensors = SHEETS[name]
    found = looked(tmp_path, {"a.xlsx": sheet(*rows)})
    assert found.is_right, found.refused
    assert names(found) == sensors
    readings, tally = imported(tmp_path, found)
    timed = [row for row in rows if row and isinstance(row[0], dt.datetime)]
    assert sorted(readings.values()) == sorted(float(value) for row in timed for value in row[1:])
    assert not tally.rejected


def test_a_sheet_without_a_header_is_refused_with_what_to_do(tmp_path):
    found = looked(tmp_path, {"a.xlsx": sheet([AT, 1.5], [LATER, 2.5])})
    (refusal,) = found.refused
    assert "row 1" in refusal.why and "insert a row that names the columns" in refusal.next


TEXTS = {
    "descriptions and units below tags": (
        ",U1_PT101.PV,U1_FT101.PV\ndescriptor,Discharge pressure,Flow\nengunits,bar,m3/h\n2026-03-01 09:00:00,1.5,10\n",
        {("U1_PT101.PV", T): 1.5, ("U1_FT101.PV", T): 10.0}),
    "a date above, where rows have a time": (
        "Model,GX20,,\nStart,2026/03/01 09:00:00,,\nDate,Time,CH1,CH2\n2026/03/01,09:00:00,1.5,10\n"
        "2026/03/01,09:00:01,2.5,11\n",
        {("CH1", T): 1.5, ("CH2", T): 10.0, ("CH1", T + 1_000): 2.5, ("CH2", T + 1_000): 11.0}),
    "seconds beside date and time": (
        "Date,Time,sec,CH1\n2026/03/01,09:00:00,0.0,1.5\n2026/03/01,09:00:01,0.0,2.5\n",
        {("CH1", T): 1.5, ("CH1", T + 1_000): 2.5}),
    "units of columns behind numbers": (
        "Time,P,F\n2026-03-01 09:00:00,1.5 bar,10 m³/h\n2026-03-01 09:00:01,2.5 bar,11 m³/h\n",
        {("P", T): 1.5, ("F", T): 10.0, ("P", T + 1_000): 2.5, ("F", T + 1_000): 11.0}),
    "day first with dots": ("Time;P\n01.03.2026 09:00:00;1.5\n", {("P", T): 1.5}),
    "Polish": ("Czas;Ciśnienie;Prąd\n2026-03-01 09:00:00;1.5;10\n".encode("cp1250"),
               {("Ciśnienie", T): 1.5, ("Prąd", T): 10.0}),
    "French": ("Horodatage;Débit;Arrêt\n2026-03-01 09:00:00;1.5;10\n".encode("cp1252"),
               {("Débit", T): 1.5, ("Arrêt", T): 10.0}),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_the_header_of_a_text(tmp_path, name):
    content, readings = TEXTS[name]
    found = looked(tmp_path, {"a.csv": content})
    assert imported(tmp_path, found)[0] == readings, questions(found)
    assert "ts" not in checks(found)


def test_a_code_page_that_reads_as_well_is_listed(tmp_path):
    found = looked(tmp_path, {"a.csv": "time;Tlak přívod\n2026-03-01 09:00:00Z;1.5\n".encode("cp1250")})
    assert "cp1250: přívod" in questions(found)


def test_two_units_in_one_column_are_not_both_removed(tmp_path):
    content = "Time,P\n2026-03-01 09:00:00Z,1.5 bar\n2026-03-01 09:00:01Z,2.5 bar\n2026-03-01 09:00:02Z,900 mbar\n"
    found = looked(tmp_path, {"a.csv": content})
    readings, tally = imported(tmp_path, found)
    assert sorted(readings.values()) == [1.5, 2.5] and dict(tally.rejected) == {"bad-value": 1}


def test_time_from_a_start_is_refused_in_words(tmp_path):
    found = looked(tmp_path, {"a.csv": "X_Value,P,F\n0.0,1.5,10\n0.1,1.6,11\n0.2,1.7,12\n"})
    (refusal,) = found.refused
    assert "counts time from a start" in refusal.why


@pytest.mark.parametrize(
    ("tags", "machine", "sensors"),
    [
        ("P.DischPress P.MotorAmps", "P", "DischPress MotorAmps"),
        ("[default]Site/Pump1/DischPress [default]Site/Pump1/MotorAmps", "Pump1", "DischPress MotorAmps"),
        ("P101_DISCH P101_SUCT", "P101", "DISCH SUCT"),
        ("motor_current motor_speed", "machine-1", "motor_current motor_speed"),
        ("PT-101.PV FT-102.PV", "machine-1", "PT-101 FT-102"),
        ("TI101.A TI101.B", "machine-1", "TI101.A TI101.B"),
        ("F1.PV F1.SP", "F1", "PV SP"),
        ("flow", "machine-1", "flow"),
    ],
)
def test_sensors_are_named_as_a_person_would(tags, machine, sensors):
    plant = of_tags([member_of(tag, {}) for tag in tags.split()], "machine-1")
    assert {asset: [m.name for m in members] for asset, members in plant.assets.items()} == {machine: sensors.split()}


@pytest.mark.parametrize(
    ("column", "name", "unit"),
    [
        ("Discharge pressure [bar]", "discharge_pressure", "bar"),
        ("Flow rate, m3/h", "flow_rate", "m3/h"),
        ("Druck in bar", "Druck", "bar"),
        ("press_bar", "press_bar", "bar"),
        ("Druck", "Druck", ""),
        ("Pump 2 Amps", "Pump 2 Amps", ""),
    ],
)
def test_units_and_blanks_in_names(column, name, unit):
    (member,) = named([member_of(column, {})])
    assert (member.name, member.tag, member.unit) == (name, column, unit)


@pytest.mark.parametrize(
    ("tags", "assets"),
    [
        ("P1/flow P1/level P2/flow P2/level", "P1 P2"),
        ("L/P1/motor/amps L/P1/flow L/P2/motor/amps L/P2/flow", "L-P1 L-P2"),
        ("P1.flow P1.amps P2.flow P2.amps C3.speed C3.oil", "P1 P2 C3"),
        ("FIC101.PV FIC101.SP LIC102.PV LIC102.SP", "machine-1"),
        ("PT101.PV IT101.PV PT102.PV IT102.PV", "101 102"),
    ],
)
def test_machines_by_tags(tags, assets):
    assert list(of_tags([member_of(tag, {}) for tag in tags.split()], "machine-1").assets) == assets.split()


def test_a_tag_is_its_own_even_if_a_sensor_of_another_asset_has_its_name(tmp_path):
    rows = [[None, "P1", None, "P2", None], ["Time", "Flow", "Level", "Flow", "Level"], [AT, 1, 2, 3, 4]]
    found = looked(tmp_path, {"a.xlsx": sheet(*rows)})
    assert imported(tmp_path, found)[0] == {
        ("P1 Flow", T): 1.0, ("Level", T): 2.0, ("P2 Flow", T): 3.0, ("Level 2", T): 4.0,
    }  # fmt: skip


def test_sensors_with_units_in_a_column_are_matched_by_tag(tmp_path):
    rows = [f"{m};{s};2026-03-01 09:00:00Z;{n}" for n, (m, s) in enumerate([("P1", "p [bar]"), ("P2", "p [bar]")])]
    found = looked(tmp_path, {"a.csv": "\n".join(["machine;sensor;time;value", *rows, *rows])})
    assert names(found) == {"P1": [("p", "p [bar]", "bar")], "P2": [("p", "p [bar]", "bar")]}
    assert found.proposals[0].entry["readings"]["tag"] == {"path": "sensor"}
    assert found.proposals[0].trial.readings == 4 and not found.proposals[0].trial.rejected


@pytest.mark.parametrize(
    "numbers",
    [
        "46000.5 46000.6 46000.7",
        "1772355600 1772355601 1772355609",
        "639079524000000000 639079524000000001 639079524000000005",
    ],
)
def test_a_counter_that_rises_is_a_sensor_beside_an_instant(tmp_path, numbers):
    rows = "".join(f"2026-03-01T09:00:0{second}Z,{number},1.5\n" for second, number in enumerate(numbers.split()))
    readings, _ = imported(tmp_path, looked(tmp_path, {"a.csv": f"time,pulses,F1\n{rows}"}))
    assert {tag for tag, _ in readings} == {"pulses", "F1"}
