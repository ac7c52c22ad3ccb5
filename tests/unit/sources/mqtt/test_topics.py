"""Patterns of topics: what is subscribed to, and the names in the topic of a message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eugenie_cli.sources.mqtt.topics import parse_topic


@pytest.mark.parametrize(
    ("pattern", "filter", "topic", "names"),
    [
        ("plant/{asset}/{sensor}", "plant/+/+", "plant/p1/flow", ("p1", "flow")),
        ("plant/{asset}/{sensor}", "plant/+/+", "plant/p1/flow/raw", None),
        ("plant/{sensor}/of/{asset}", "plant/+/of/+", "plant/flow/of/p1", ("p1", "flow")),
        ("+/{tag}/#", "+/+/#", "north/FT-1", ("FT-1",)),
        ("+/{tag}/#", "+/+/#", "north/FT-1/value/raw", ("FT-1",)),
        ("plant/pump-{asset}/data", "plant/+/data", "plant/pump-7/data", ("7",)),
        ("plant/pump-{asset}/data", "plant/+/data", "plant/fan-7/data", None),
        ("#", "#", "any/thing", ()),
        ("a.b/{tag}", "a.b/+", "axb/t", None),
        ("plant/{asset}", "plant/+", "plant/", None),
    ],
)
def test_patterns(pattern, filter, topic, names):
    parsed = parse_topic(pattern)
    assert parsed.filter == filter
    assert parsed.names_in(topic) == names


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("plant/{machine}", "{machine} is unknown"),
        ("{asset}/{asset}", "only once"),
        ("{tag}/{sensor}", "instead of"),
        ("plant/#/x", "last level"),
        ("plant/a+", "whole level"),
        ("plant/{asset}{sensor}", "not clear"),
        ("$share/eugenie/plant/#", "shared subscription"),
    ],
)
def test_what_cannot_be_a_pattern(pattern, why):
    with pytest.raises(ValueError, match=why):
        parse_topic(pattern)


@given(st.lists(st.sampled_from(["{asset}", "{sensor}", "+", "x", "y.z"]), min_size=1, max_size=6, unique=True))
def test_a_topic_of_the_filter_gives_its_names(levels):
    parsed = parse_topic("/".join(levels))
    topic = [f"name{place}" if level[0] in "{+" else level for place, level in enumerate(levels)]
    expected = tuple(topic[levels.index(f"{{{name}}}")] for name in parsed.names)
    assert parsed.names_in("/".join(topic)) == expected
