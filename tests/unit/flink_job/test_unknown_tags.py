"""Unknown tags: every reading in one letter, few letters, bounded memory, whatever is sent."""

from __future__ import annotations

import json
import pickle
import random
import uuid
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eugenie_cli.flink_job import decode, name_groups
from eugenie_cli.flink_job.unknown_tags import (
    FEWEST_LETTERS,
    KEPT,
    MOST_LETTERS,
    NAME_LIMIT,
    NAMED,
    READINGS_PER_LETTER,
    SKETCH,
    UnknownTag,
    UnknownTags,
    summarise,
    tag_count,
)


def batch(names: list[str], first_offset: int = 0, *, asset: str | None = None, readings: int = 1):
    """A decoder's counts of these tags, each `readings` times."""
    count = len(names)
    return summarise(
        [(asset, None, name) for name in names],
        np.full(count, readings),
        np.zeros(count, np.int64),
        first_offset + np.arange(count),
    )


def written(tags: UnknownTags) -> list[dict]:
    return [json.loads(letter) for _, letter in tags.letters()]


def by_payload(letters: list[dict]) -> dict[str | None, tuple[int, int | None]]:
    """Address -> (readings, tags)."""
    return {
        None if letter["payload"] is None else "/".join(json.loads(letter["payload"]).values()): (
            letter["count"],
            letter.get("tags"),
        )
        for letter in letters
    }


def test_one_letter_per_tag_with_a_count():
    tags = UnknownTags("readings")
    tags.add(batch(["x"], 7, readings=3))
    tags.add({(None, None, "x"): UnknownTag(4, 1, 9)})
    (letter,) = written(tags)
    assert {"count": 7, "partition": 0, "offset": 7, "payload": '{"tag": "x"}'}.items() <= letter.items()
    assert tags.letters() == []


PLANTS = {
    "areas": ([f"PLANT.AREA{number // 500}.TAG{number}" for number in range(50_000)], "PLANT.AREA7.*", 500),
    "few large areas": ([f"P/{number % 3}/{number:05}" for number in range(9_000)], "P/1/*", 3_000),
    "without separators": ([f"P{number // 400}F{number % 400}" for number in range(4_000)], "P7*", 400),
    "no structure": (
        [str(uuid.UUID(int=random.Random(number).getrandbits(128))) for number in range(20_000)],
        "*",
        20_000,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANTS)
def test_other_plants_tags_are_grouped_by_prefix(name):
    """As a live decoder sends them: in batches, each tag once a second for ten seconds."""
    names, prefix, in_group = PLANTS[name]
    tags = UnknownTags("readings")
    for second in range(10):
        for begin in range(0, len(names), 7_000):
            counts = batch(names[begin : begin + 7_000], second * len(names) + begin)
            assert len(counts) <= MOST_LETTERS
            tags.add(counts)
            assert len(tags.counts) <= KEPT
    assert len(pickle.dumps(tags.counts)) < 3_000 * MOST_LETTERS
    letters = written(tags)
    assert len(letters) <= MOST_LETTERS
    assert sum(letter["count"] for letter in letters) == 10 * len(names)
    readings, number = by_payload(letters)[prefix]
    assert readings == 10 * in_group
    assert number == in_group if in_group < SKETCH else abs(number - in_group) < 0.15 * in_group
    (group,) = (letter for letter in letters if letter["payload"] == json.dumps({"tag": prefix}))
    assert names[group["offset"]].startswith(prefix[:-1])


def test_a_tag_of_the_own_plant_is_still_named_among_others():
    names = [f"OTHER.LINE{number // 300}.T{number}" for number in range(3_000)]
    tags = UnknownTags("readings")
    tags.add(batch(names))
    tags.add(batch(["pressur"], asset="pump-4", readings=5))
    assert by_payload(written(tags))["pump-4/pressur"] == (5, None)


@pytest.mark.parametrize(
    ("tags_sent", "readings_each", "most"),
    [
        (NAMED, 1, NAMED),
        (NAMED + 1, 1, FEWEST_LETTERS),
        (100, 100, 100),
        (400, 10, 400 * 10 // READINGS_PER_LETTER),
        (5_000, 1_000, MOST_LETTERS),
    ],
)
def test_letters_are_a_small_fraction_of_the_readings(tags_sent, readings_each, most):
    tags = UnknownTags("readings")
    tags.add(batch([f"A{number % 7}.T{number}" for number in range(tags_sent)], readings=readings_each))
    letters = written(tags)
    assert len(letters) <= most
    assert sum(letter["count"] for letter in letters) == tags_sent * readings_each
    if tags_sent <= NAMED:
        assert len(letters) == tags_sent


NAMES = st.one_of(
    st.text("ab1./\x1f", max_size=6),
    st.text(max_size=4),
    st.sampled_from(["", "A", "A.", "A.B", "\ud800", chr(0x10FFFF), chr(0x10FFFF) * 2, "x" * 2_000]),
)
IDENTITIES = st.tuples(st.none() | NAMES, st.none() | NAMES, st.none() | NAMES)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(
    batches=st.lists(
        st.dictionaries(IDENTITIES, st.integers(1, 1_000), min_size=1, max_size=40), min_size=1, max_size=6
    ),
    factor=st.sampled_from([1, 30]),
)
def test_every_reading_is_counted_once_over_restarts(batches, factor):
    """With limits lowered by `factor`, so that small inputs group; the state is pickled after each batch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("eugenie_cli.flink_job.unknown_tags.MOST_LETTERS", most := MOST_LETTERS // factor)
        patch.setattr("eugenie_cli.flink_job.unknown_tags.KEPT", 2 * most)
        patch.setattr("eugenie_cli.flink_job.unknown_tags.NAMED", named := NAMED // factor)
        state, sent, offset = b"", 0, 0
        for counts in batches:
            tags = UnknownTags("readings")
            tags.counts = pickle.loads(state) if state else {}  # noqa: S301 - our own
            size = len(counts)
            numbers = np.array(list(counts.values()))
            tags.add(summarise(list(counts), numbers, np.zeros(size, np.int64), offset + np.arange(size)))
            assert len(tags.counts) <= 2 * most
            state, sent, offset = pickle.dumps(tags.counts), sent + sum(counts.values()), offset + size
        letters = written(tags)
    assert sum(letter["count"] for letter in letters) == sent
    assert len(letters) <= max(named, FEWEST_LETTERS, sent // READINGS_PER_LETTER)
    assert min(letter["offset"] for letter in letters) == 0
    assert all(len(letter["payload"] or "") < 4 * 6 * NAME_LIMIT for letter in letters)


@pytest.mark.slow
@given(
    names=st.lists(NAMES, max_size=60),
    prefixes=st.sets(NAMES, max_size=5),
    limit=st.integers(1, 20),
    weights=st.lists(st.integers(1, 9), min_size=60, max_size=60),
)
def test_groups_cover_all_names_in_order(names, prefixes, limit, weights):
    names = sorted(names)
    groups = name_groups.grouped(names, lambda begin, end: sum(weights[begin:end]), limit, prefixes)
    assert len(groups) <= limit
    assert [index for begin, end, _ in groups for index in range(begin, end)] == list(range(len(names)))
    for begin, end, prefix in groups:
        assert all(name.startswith(prefix) for name in names[begin:end])
        assert end - begin > 1 or names[begin] == prefix


@pytest.mark.slow
def test_the_number_of_tags_is_exact_while_hashes_suffice():
    for number in (2, 300, SKETCH - 1, SKETCH, 5_000, 100_000):
        tags = UnknownTags("readings")
        names = [f"T{index}" for index in range(number)]
        for _again in range(2):
            tags.add(batch(names))
            tags._group(1)
        (entry,) = tags.counts.values()
        estimate, is_exact = tag_count(entry.hashes)
        assert is_exact == (number < SKETCH) and (estimate == number if is_exact else abs(estimate / number - 1) < 0.15)
        assert entry.count == 2 * number


def test_the_state_of_earlier_releases_is_restored():
    """It has up to 1,001 tags, one of them (None, None, None) for the rest, and the class of another module."""
    assert decode.UnknownTag is UnknownTag
    earlier = {(None, None, f"T{number}"): UnknownTag(2, 0, number) for number in range(1_000)}
    for entry in earlier.values():
        entry.__dict__.pop("hashes")  # as an instance without this field is unpickled
    earlier[None, None, None] = UnknownTag(500, 0, 1_000)
    alone, continued = UnknownTags("readings"), UnknownTags("readings")
    alone.counts, continued.counts = dict(earlier), dict(earlier)
    continued.add(batch(["new"]))
    assert sum(letter["count"] for letter in written(alone)) == 2_500
    assert sum(letter["count"] for letter in written(continued)) == 2_501
    alone.counts = {(None, None, None): UnknownTag(5, 0, 1)}
    assert [(letter["payload"], letter["count"]) for letter in written(alone)] == [(None, 5)]


@pytest.mark.parametrize(
    ("mapping", "payload", "tags"),
    [
        ({"shape": "long"}, {"tag": "OTHER", "ts": 1, "value": "OPEN"}, ["OTHER"]),
        ({"shape": "long"}, {"tag": "OTHER", "ts": "yesterday", "value": 1}, ["OTHER"]),
        ({"shape": "long"}, {"tag": "OTHER", "ts": 4_070_908_800_000, "value": 1}, ["OTHER"]),
        ({"shape": "long", "records": "v"}, {"v": [{"tag": "OTHER", "ts": 1, "value": "OPEN"}] * 2}, ["OTHER"] * 2),
        ({"shape": "wide"}, {"ts": 1, "OTHER": "OPEN", "MORE": 1, "LESS": "x"}, ["OTHER", "MORE", "LESS"]),
    ],
)
def test_another_plants_tag_is_unknown_whatever_else_is_wrong_with_it(job_spec, mapping, payload, tags):
    """Its texts and its clock would fill the dead letters, one for each reading."""
    parts = {"ts": {"path": "ts", "unit": "ms"}, "tag": {"path": "tag"} if mapping["shape"] == "long" else None}
    decoder = decode.Decoder(job_spec(mapping={"format": "json", **mapping, **parts}))
    messages = decode.Messages(
        [json.dumps(payload).encode()], np.zeros(1, np.int64), np.array([7]), np.array([1_767_225_600_000])
    )
    share = decoder.decode(messages, 1_767_225_600_000)[0]
    counts = {key[2]: (entry.count, entry.offset) for key, entry in share.unknown_tags.items()}
    assert share.letters == [] and counts == {tag: (count, 7) for tag, count in Counter(tags).items()}


def test_a_decoder_groups_and_ignores(job_spec):
    names = [f"AREA{number // 100}.T{number}" for number in range(1_000)]
    sent = [json.dumps({"tag": name, "ts": "2026-01-01T00:00:00Z", "value": 1}).encode() for name in names]
    messages = decode.Messages(
        sent * 2, np.zeros(2_000, np.int64), 50 + np.arange(2_000), np.full(2_000, 1_767_225_600_000)
    )
    outcomes = {
        unknown: decode.Decoder(job_spec(unknown=unknown)).decode(messages, 1_767_225_600_000)[0].unknown_tags
        for unknown in ("count", "ignore")
    }
    assert outcomes["ignore"] == {"": UnknownTag(2_000, 0, 50)}
    assert Counter({key: entry.count for key, entry in outcomes["count"].items()}) == {
        f"\x1f\x1fAREA{number}.": 200 for number in range(10)
    }
