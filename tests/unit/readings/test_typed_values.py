"""Values that are objects: only those whose members are all known state a value; others are rejected."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.both_readers import BAD, dumped, outcomes_of

T, T_MS = "2026-04-05T06:07:08.5Z", 1_775_369_228_500
WIDE = {"shape": "wide", "asset": {"path": "asset"}}
LONG = {"asset": {"path": "asset"}, "sensor": {"path": "sensor"}}
REFUSED = "bad-value"

VALUES: list[tuple[dict[str, Any], Any]] = [
    ({"Value": 1.5}, 1.5),
    ({"Value": 1.5, "Status": "Bad"}, BAD),
    ({"Value": 1.5, "SourcePicoseconds": 10, "ServerPicoseconds": 0, "ServerTimestamp": T}, 1.5),
    ({"UaType": 11, "Value": 1.5, "Dimensions": None, "StatusCode": {"Code": 0}}, 1.5),
    ({"Type": 11, "Body": 1.5}, 1.5),
    ({"Type": 11, "Body": 1.5, "StatusCode": 0}, 1.5),
    ({"Type": 11, "Body": 1.5, "StatusCode": 2147483648}, BAD),
    ({"StatusCode": 2147483648}, BAD),
    (
        {
            **{"value": {"dataType": "Double", "arrayType": "Scalar", "value": 1.5}, "statusCode": {"value": 0}},
            **{"sourceTimestamp": T, "sourcePicoseconds": 0, "serverTimestamp": T, "serverPicoseconds": 0},
        },
        1.5,
    ),
    # the value in lower case beside members of the usual form
    ({"value": 1.5, "Status": "Good"}, 1.5),
    ({"value": 1.5, "StatusCode": 0}, 1.5),
    ({"value": 1.5, "StatusCode": 2147483648}, BAD),
    ({"value": 1.5, "SourceTimestamp": T}, 1.5),
    # of other systems
    ({"Value": 1.5, "Quality": "Bad"}, REFUSED),
    ({"Value": 1.5, "Quality": "Good"}, REFUSED),
    ({"Timestamp": T, "Value": 1.5, "Good": False}, REFUSED),
    ({"Name": "OPEN", "Value": 1, "Quality": "Good"}, REFUSED),
    ({"Name": 1, "Value": 1}, REFUSED),
    ({"Name": "OPEN", "Value": 1, "IsSystem": "false"}, REFUSED),
    # digital states of PI
    ({"Name": "Bad Input", "Value": 255, "IsSystem": True}, BAD),
    ({"Name": "Bad Input", "Value": 255}, BAD),
    ({"Name": "OPEN", "Value": 1, "IsSystem": False}, 1.0),
    ({"Name": "CLOSED", "Value": 0}, 0.0),
    ({"value": 1.5, "sourceTimestamp": T, "quality": "Bad"}, REFUSED),
    ({"Type": 11, "Body": 1.5, "Quality": "Bad"}, REFUSED),
    ({"doubleValue": 1.5, "StatusCode": 2147483648}, REFUSED),
    # the value under a name that OPC UA does not have, or under two
    ({"v": 1.5, "StatusCode": 0}, REFUSED),
    ({"val": 1.5, "SourceTimestamp": T}, REFUSED),
    ({"Value": 1.5, "value": 2.5}, REFUSED),
    ({"Value": 1.5, "Type": 11, "Body": 2.5}, REFUSED),
    ({"value": 1.5}, REFUSED),
    ({}, REFUSED),
]


@pytest.mark.parametrize("value, expected", VALUES, ids=lambda part: json.dumps(part))
def test_an_object_states_a_value_if_all_its_members_are_known(value, expected):
    wide = json.dumps({"asset": "k-2", "ts": T, "a": value}).encode()
    (outcomes,) = outcomes_of(dumped(**WIDE), wide)
    ((*_, worth),) = outcomes
    assert outcomes[0][0] == REFUSED if expected == REFUSED else worth == expected
    long = json.dumps({"asset": "k-2", "sensor": "a", "ts": T, "value": value}).encode()
    (outcomes,) = outcomes_of(dumped(**LONG), long)
    assert outcomes[0][0] == REFUSED if expected == REFUSED else outcomes == [("k-2", "a", None, T_MS, expected)]
