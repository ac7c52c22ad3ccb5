"""No column that tells readings apart, or says which are good, is passed over without a word."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.looked import checks, imported, looked, questions

pytestmark = pytest.mark.slow  # seconds together

T = 1_772_355_600_000  # 2026-03-01T09:00:00Z
AT = "2026-03-01T09:00:0"
TWO = {("F1", T): 1.5, ("F2", T): 10.0, ("F1", T + 1_000): 2.5, ("F2", T + 1_000): 11.0}
HALF_BAD = {**TWO, ("F2", T + 1_000): None}


def rows(header: str, row: str, *, codes: str = "ggbg") -> str:
    """Rows of two tags at two instants. In `row`: {at}, {tag}, {n} (0 or 1, of the tag), {value}, {code}."""
    lines = [header]
    for code, (n, second, value) in zip(codes, ((0, 0, 1.5), (1, 0, 10), (1, 1, 11), (0, 1, 2.5)), strict=True):
        lines.append(row.format(at=f"{AT}{second}Z", tag=f"F{n + 1}", n=n, value=value, code=code))
    return "\n".join(lines) + "\n"


def graded(name: str, good: str, bad: str) -> str:
    return rows(f"tag,time,value,{name}", "{tag},{at},{value},{code}").translate({ord("g"): None, ord("b"): None})


# name: (content, readings, keys to check)
CASES = {
    "series": (rows('"Series";"Time";"Value"', '"{tag}";"{at}";{value}'), TWO, []),
    "a name that nobody foresaw": (rows("Ding,Zeit,Wert", "{tag},{at},{value}"), TWO, []),
    "object and property": (rows("Object,Property,Time,Value", "{tag},MEASURE,{at},{value}"), TWO, []),
    "a place for each tag": (
        rows("tag,place,time,value", "flow,{tag},{at},{value}").replace("F1", "P1").replace("F2", "P2"),
        {("P1", T): 1.5, ("P2", T): 10.0, ("P1", T + 1_000): 2.5, ("P2", T + 1_000): 11.0}, []),
    "numbers of tags": (rows("DateAndTime,Millitm,TagIndex,Val,Status", "{at},7,{n},{value},"),
        {("0", T + 7): 1.5, ("1", T + 7): 10.0, ("0", T + 1_007): 2.5, ("1", T + 1_007): 11.0}, []),
    "numbers of columns with values are none": (
        f"time,a,b\n{AT}0Z,1,5\n{AT}0Z,1,5\n{AT}1Z,2,6\n", {("a", T): 1.0, ("b", T): 5.0, ("a", T + 1_000): 2.0,
                                                           ("b", T + 1_000): 6.0}, ["ts"]),
    "a name rather than the code of a tag": (rows("WebId,Name,Timestamp,Value", "X{tag},{tag},{at},{value}"), TWO,
                                             ["tag"]),
    "confidence": (rows("TAGNAME,TS,VALUE,CONFIDENCE", "{tag},{at},{value},{code}").replace(",g", ",100")
                   .replace(",b", ",0"), HALF_BAD, ["quality"]),
    "a flag of bad values": (rows("Tag,Time,Value,BadFlag", "{tag},{at},{value},{code}").replace(",g", ",0")
                             .replace(",b", ",1"), HALF_BAD, ["quality"]),
    "another flag of bad values": (rows("Tag,Time,Value,IsInvalid", "{tag},{at},{value},{code}").replace(",g", ",False")
                                   .replace(",b", ",True"), HALF_BAD, ["quality"]),
    "German": (rows("Tag;Zeit;Wert;Status", "{tag};{at};{value};{code}").replace(";g", ";Gut")
               .replace(";b", ";Schlecht"), HALF_BAD, ["quality"]),
    "Turkish": (rows("Tag;Zaman;Value;Kalite", "{tag};{at};{value};{code}").replace(";g", ";İyi".lower())
                .replace(";b", ";Kötü"), HALF_BAD, ["quality"]),
    "a column that may be a quality": (rows("Tag,Time,Value,Rev", "{tag},{at},{value},{code}"), TWO, ["quality"]),
    "a column that says more of a tag": (
        rows("Tag,Time,Value,Rank", "{tag},{at},{value},{n}"), TWO, []),
    "value and confidence of each tag": (
        f"Timestamp,F1.PV.Value,F1.PV.Confidence,F2.PV.Value,F2.PV.Confidence\n{AT}0Z,1.5,100,10,100\n"
        f"{AT}1Z,2.5,100,11,0\n",
        {(f"{tag}.PV", ts): value for (tag, ts), value in HALF_BAD.items()}, ["quality"]),
    "more columns of each tag": (
        "id,F1_ID,F1_VALUE,F1_TIMESTAMP,F1_QUALITY,F2_ID,F2_VALUE,F2_TIMESTAMP,F2_QUALITY\n"
        f"1,0,1.5,{AT}0Z,192,1,10,{AT}0Z,192\n2,0,2.5,{AT}1Z,192,1,11,{AT}1Z,0\n", HALF_BAD, []),
    "a quality of some tags": (
        f"time,F1,F1_Q,F2\n{AT}0Z,1.5,192,10\n{AT}1Z,2.5,0,11\n",
        {**TWO, ("F1", T + 1_000): None}, ["columns"]),
    "a quality of some values, and a set point": (
        f"time,F1.Value,F1.Confidence,F2.Value,F2.Confidence,SP\n{AT}0Z,1.5,100,10,100,5\n{AT}1Z,2.5,100,11,0,6\n",
        HALF_BAD, ["ignore", "quality"]),
    "a column that may be a state or a quality": (
        f"time,F1,F2,Error\n{AT}0Z,1.5,10,0\n{AT}1Z,2.5,11,1\n",
        {**TWO, ("Error", T): 0.0, ("Error", T + 1_000): 1.0}, ["readings"]),
    "cells that are mostly empty": (
        f"time,F1,F2\n{AT}0Z,1.5,\n{AT}0.5Z,,10\n", {("F1", T): 1.5, ("F2", T): None, ("F1", T + 500): None,
                                                    ("F2", T + 500): 10.0}, ["value"]),
    "a name that says UTC": (
        "UTC Time,F1,F2\n2026-03-01 09:00:00,1.5,10\n2026-03-01 09:00:01,2.5,11\n", TWO, []),
    "two names that nobody foresaw": (
        "Wann;Wo;Was;Wieviel\n" + "".join(f"{AT}{n}Z;{place};{what};{len(what)}\n" for n in (0, 1)
                                          for place in ("H1", "H2") for what in ("amps", "bar")),
        {(what, T + 1_000 * n): float(len(what)) for n in (0, 1) for what in ("amps", "bar")}, ["asset"]),
    "a machine beside measurements": (
        f"name,tags,time,amps,host,bar\nplant,,{T}000000,1,pump-1,2\nplant,,{T}000000,3,pump-2,4\n",
        {("amps", T): 3.0, ("bar", T): 4.0}, ["ignore"]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_readings_are_told_apart_and_graded(tmp_path, name):
    content, readings, to_check = CASES[name]
    found = looked(tmp_path, {"a.csv": content}, "Europe/Berlin")
    assert found.is_right, found.refused
    assert imported(tmp_path, found)[0] == readings, questions(found)
    assert [key for key in checks(found) if key not in ("timezone", "tag" if "tag" not in to_check else "")] == to_check


def test_a_stream_set_of_pi_is_read_by_names(tmp_path):
    items = [{"WebId": f"F1Dx{tag}", "Name": tag, "Items": [
        {"Timestamp": f"{AT}{n}Z", "Value": value, "Good": True, "Questionable": False} for n, value in values]}
        for tag, values in (("F1", ((0, 1.5), (1, 2.5))), ("F2", ((0, 10), (1, 11))))]  # fmt: skip
    found = looked(tmp_path, {"a.json": json.dumps({"Items": items})})
    assert imported(tmp_path, found)[0] == TWO


LABELS = ("Ort", "Ding", "place", "unitname", "Machine", "Object", "Tag", "sensor", "series", "what", "Anlage")


@settings(max_examples=40, deadline=None)
@given(
    names=st.lists(st.sampled_from(LABELS), min_size=1, max_size=2, unique=True),
    order=st.randoms(use_true_random=False),
    counts=st.tuples(st.integers(2, 4), st.integers(2, 4)),
)
def test_readings_of_different_things_are_never_merged(tmp_path_factory, names, order, counts):
    """Whatever the columns with names are called: each row is one reading, or a check says that some are not apart."""
    folder = tmp_path_factory.mktemp("apart")
    columns = ["time", *names, "value"]
    order.shuffle(columns)
    texts = [[f"{name.lower()}-{n}" for n in range(count)] for name, count in zip(names, counts, strict=False)]
    things = [(a, b) for a in texts[0] for b in (texts[1] if len(texts) > 1 else [""])]
    lines = [",".join(columns)]
    for second in range(6):
        for number, thing in enumerate(things):
            cells = {
                "time": f"{AT}{second}Z",
                "value": str(number + second / 10),
                **dict(zip(names, thing, strict=False)),
            }
            lines.append(",".join(cells[name] for name in columns))
    found = looked(folder, {"a.csv": "\n".join(lines) + "\n"})
    (proposal,) = found.proposals
    assert proposal.trial.readings == 6 * len(things)
    assert not proposal.trial.repeated or "have the sensor and instant of another" in questions(found)


def test_what_to_write_for_a_flag_of_bad_rows_grades_them(tmp_path):
    found = looked(tmp_path, {"a.csv": f"time,F1,Error\n{AT}0Z,1.5,0\n{AT}1Z,7,1\n"})
    assert "quality: {path: Error, good: ['0'], bad: ['1']}" in questions(found)
    found.proposals[0].entry["readings"]["quality"] = {"path": "Error", "good": ["0"], "bad": ["1"]}
    assert imported(tmp_path, found)[0] == {("F1", T): 1.5, ("F1", T + 1_000): None}
