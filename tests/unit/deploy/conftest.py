"""Sites for the rendering tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.operated_sites import DOCUMENT

from eugenie_cli.site.schema import Site


@pytest.fixture
def site_of(tmp_path) -> Callable[..., Site]:
    """`site_of(kafka=..., ...)`: a site with other sections, in a temporary folder."""

    def build(**sections: Any) -> Site:
        site = Site.model_validate({**DOCUMENT, **sections})
        return site.model_copy(update={"base": tmp_path, "file": tmp_path / "plant.yaml"})

    return build
