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
print(json.dumps([assign(row(key), {MAX_PARALLELISM}) for key in range({KEYS})]))
"""


def test_key_groups_are_those_of_flink() -> None:
    java_home = str(java().parent.parent)
    argv = [sys.executable, "-c", ASK_FLINK]
    done = subprocess.run(
        argv, env={**os.environ, "JAVA_HOME": java_home}, capture_output=True, text=True, timeout=180, check=True
    )
    assert json.loads(done.stdout.splitlines()[-1]) == [key_group(key) for key in range(KEYS)]
