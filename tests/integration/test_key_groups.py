"""Flink's assignment of keys: our arithmetic compared with its class, in its JVM."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from eugenie_cli.engines.java import java
from eugenie_cli.flink_job.key_groups import MAX_PARALLELISM, key_group

pytestmark = pytest.mark.integration

KEYS = 500

ASK_FLINK = f"""
import json
from pyflink.java_gateway import get_gateway
jvm = get_gateway().jvm

def row(key):
    made = jvm.org.apache.flink.types.Row(1)
    made.setField(0, key)
    return made

assign = jvm.org.apache.flink.runtime.state.KeyGroupRangeAssignment.assignToKeyGroup
def element(key):
    made = jvm.org.apache.flink.types.Row(2)
    made.setField(0, key)
    made.setField(1, "part")
    return made

selector = jvm.KeyByKeySelector()
print(json.dumps({{
    "groups": [assign(row(key), {MAX_PARALLELISM}) for key in range({KEYS})],
    "keys": [selector.getKey(element(key)).equals(row(key)) for key in range(3)],
}}))
"""


def test_key_groups_are_those_of_flink() -> None:
    java_home = str(java().parent.parent)
    argv = [sys.executable, "-c", ASK_FLINK]
    done = subprocess.run(
        argv, env={**os.environ, "JAVA_HOME": java_home}, capture_output=True, text=True, timeout=180, check=True
    )
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["groups"] == [key_group(key) for key in range(KEYS)]
    assert told["keys"] == [True] * 3  # `decode_operator.by_key`: the key of an element is a row of its first field
