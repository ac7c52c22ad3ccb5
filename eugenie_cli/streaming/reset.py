"""Drops the state of single assets of the running job: it is stopped with a savepoint and resumes without them."""

from __future__ import annotations

from collections.abc import Collection

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.site.names import named
from eugenie_cli.site.schema import Site
from eugenie_cli.streaming.job import job_of
from eugenie_cli.streaming.submission import Submission
from eugenie_cli.streaming.submit import submit


def reset(site: Site, assets: Collection[str], progress: Progress = SILENT) -> Submission:
    """Have the running job forget some assets: windows, clocks, what was learnt, waiting readings, open anomalies.

    Open anomalies close as `reset`, waiting readings become dead letters. The other assets go on as if nothing had
    happened. It is an upgrade: changes of the site file come into effect, too. Raises EugenieError: for an asset that
    the site does not have (USAGE), without a running job (REFUSED), and for what an upgrade refuses.
    """
    for asset in assets:
        named("asset", asset, site.assets, site.site)
    if job_of(site).running() is None:
        raise EugenieError(
            f"no stream job of {site.site} is running: there is nothing to reset",
            "`eugenie stream submit` resumes the job; then reset the asset",
            ExitCode.REFUSED,
        )
    return submit(site, progress, upgrade=True, reset=assets)
