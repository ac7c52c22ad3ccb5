"""What `submit` says about assets that leave, move to another class, come, or have a new name."""

from __future__ import annotations

import copy

import pytest
from support.operated_sites import DOCUMENT

from eugenie_cli.streaming.package import job_spec
from eugenie_cli.streaming.plant_changes import consequences
from eugenie_cli.streaming.spec_diff import changes, shape_of

TAGS = {"pressure": "PT-1.PV", "current": "IT-1.PV"}
ENDS = "windows are dropped, open anomalies close as `removed`"


def said(site_of, change) -> tuple[str, ...]:
    """The sentences for `change(document)`, and a check that the state can be kept."""
    document = copy.deepcopy(DOCUMENT)
    change(document)
    before, after = (shape_of(job_spec(site_of(**sections), "auto")) for sections in (DOCUMENT, document))
    assert all(difference.compatible for difference in changes(before, after))
    return consequences(before, after)


def removed(document):
    del document["assets"]["p-2"]


def moved(document):
    document["assets"]["p-2"] = {"class": "fan.v2"}


def added(document):
    document["assets"]["p-3"] = {"class": "pump"}


def renamed(document):
    document["assets"]["p-one"] = document["assets"].pop("p-1")


def renamed_without_tags(document):
    document["assets"]["f-one"] = document["assets"].pop("f-1")


def class_renamed(document):
    document["classes"]["pump-a"] = document["classes"].pop("pump")
    for asset in document["assets"].values():
        asset["class"] = {"pump": "pump-a"}.get(asset["class"], asset["class"])


def class_removed(document):
    del document["classes"]["fan.v2"], document["assets"]["f-1"]


def tags_changed(document):
    document["assets"]["p-2"]["tags"]["pressure"] = "PT-9"


@pytest.mark.parametrize(
    ("change", "sentences"),
    [
        (lambda _: None, []),
        (tags_changed, []),
        (removed, [("no longer in the site file: p-2: ", ENDS, "unknown tags")]),
        (moved, [("in class fan.v2 instead of pump: p-2: ", ENDS, "first scores after 120 rows")]),
        (added, [("new in class pump: p-3: first scores after 120 rows",)]),
        (
            renamed,
            [
                ("no longer in the site file: p-1: ", ENDS),
                ("new in class pump: p-one: ",),
                ("p-one has the class and the tags of p-1", "do not follow"),
            ],
        ),
        (renamed_without_tags, [("no longer in the site file: f-1",), ("new in class fan.v2: f-one",)]),
        (class_renamed, [("in class pump-a instead of pump: p-1, p-2: ", ENDS)]),
        (class_removed, [("no longer in the site file: f-1",)]),
    ],
)
def test_the_consequences_of_a_change(site_of, change, sentences):
    found = said(site_of, change)
    assert len(found) == len(sentences), found
    for sentence, parts in zip(found, sentences, strict=True):
        assert all(part in sentence for part in parts), sentence


def test_many_assets_are_summed_up_in_one_sentence(site_of):
    def fleet(document):
        document["assets"] |= {f"p-{number}": {"class": "pump"} for number in range(10, 600)}

    (sentence,) = said(site_of, fleet)
    assert sentence.startswith("new in class pump: p-10, p-11, ") and "570 more" in sentence and len(sentence) < 300


def test_tags_are_matched_to_one_asset_each():
    """Two assets cannot share tags in a site file, but a shape of another release may say so."""
    was = {name: {"class_name": "pump", "tags": TAGS} for name in ("a", "b")}
    now = {"c": {"class_name": "pump", "tags": TAGS}}
    matched = [line for line in consequences({"assets": was}, {"assets": now}) if "has the class" in line]
    assert len(matched) == 1 and "when their windows have filled" in " ".join(
        consequences({"assets": was}, {"assets": now})
    )


def test_records_of_releases_without_shapes_say_nothing():
    assert consequences({}, {}) == ()
