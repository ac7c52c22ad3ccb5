"""The local tracking store is made once, however many begin to use it at the same moment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

FIRST_USE = """
import sys
from eugenie_cli.site.load import load_site
from eugenie_cli.training import store

store.client(load_site(sys.argv[1]))
"""
SITE = "site: small\nworkspace: work\nclasses: {pump: {sensors: [{name: a}]}}\nassets: {p1: {class: pump}}\n"


def test_two_first_users_at_once(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(SITE, encoding="utf-8")
    users = [
        subprocess.Popen([sys.executable, "-c", FIRST_USE, str(file)], stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [user.communicate(timeout=120)[1] for user in users]
    assert [user.returncode for user in users] == [0, 0], "\n".join(told)
