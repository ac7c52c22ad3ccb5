"""A reset needs assets of the site and a running job; otherwise nothing is touched."""

from __future__ import annotations

import pytest

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.streaming.job import SiteJob
from eugenie_cli.streaming.reset import reset


def test_what_cannot_be_reset(site_of, monkeypatch):
    site = site_of()
    with pytest.raises(EugenieError, match="there is no asset nonesuch") as raised:
        reset(site, [next(iter(site.assets)), "nonesuch"])
    assert raised.value.exit_code is ExitCode.USAGE
    monkeypatch.setattr(SiteJob, "running", lambda _: None)
    with pytest.raises(EugenieError, match="nothing to reset") as raised:
        reset(site, list(site.assets))
    assert raised.value.exit_code is ExitCode.REFUSED and "stream submit" in str(raised.value.hint)
