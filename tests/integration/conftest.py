"""Real engines for the integration tests, started once per session and always stopped at its end.

def test_it(engines):                           # Kafka and Flink run
    site = engines.site("mine", classes=..., assets=...)    # a site on them, with its own workspace

def test_its_life(site_factory):                # nothing runs; the test calls `up` and `down` itself
    site = site_factory("mine")
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from eugenie_cli.engines import endpoints
from eugenie_cli.operations.down import down
from eugenie_cli.operations.up import up
from eugenie_cli.site.schema import Site

SiteFactory = Callable[..., Site]

SMALL = {
    "classes": {"pump": {"sensors": [{"name": "pressure", "unit": "bar"}]}},
    "assets": {"p-1": {"class": "pump"}},
}
"""The minimum of a site file."""


@dataclass(frozen=True)
class Engines:
    """Addresses of the session's Kafka and Flink, and sites that use them."""

    kafka: str
    flink: str
    owner: Site
    factory: SiteFactory

    def site(self, name: str, **sections: Any) -> Site:
        """A site with its own workspace, on the session's engines. `sections`: as in a site file."""
        kafka = {**sections.pop("kafka", {}), "bootstrap": self.kafka}
        stream = {**sections.pop("stream", {}), "flink": self.flink}
        return self.factory(name, kafka=kafka, stream=stream, **sections)


@pytest.fixture(scope="session")
def site_factory(tmp_path_factory: pytest.TempPathFactory) -> SiteFactory:
    """Builds sites, each in its own temporary folder: `site_factory(name, **sections of a site file)`."""

    def build(name: str, **sections: Any) -> Site:
        base = tmp_path_factory.mktemp(name)
        document = {**SMALL, **sections, "site": name}
        return Site.model_validate(document).model_copy(update={"base": base, "file": base / f"{name}.yaml"})

    return build


@pytest.fixture(scope="session")
def engines(site_factory: SiteFactory) -> Iterator[Engines]:
    """Kafka and Flink, shared by the session's tests: choose unique names for topics and jobs."""
    owner = site_factory("shared", engines={"slots": 8, "taskmanager_memory": "2g"})
    up(owner, only=("kafka", "flink"))
    try:
        yield Engines(endpoints.kafka(owner), endpoints.flink(owner), owner, site_factory)
    finally:
        down(owner)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Public testbed data: EUGENIE_DATA, or `shared/data` beside the project. Skips when missing."""
    default = Path(__file__).parents[3] / "shared" / "data"
    folder = Path(os.environ.get("EUGENIE_DATA") or default)
    if not folder.is_dir():
        pytest.skip(f"no data in {folder}; name them in EUGENIE_DATA")
    return folder
