"""Up to where rows were made, according to the score records: the next job without their state does not repeat them."""

from __future__ import annotations

from eugenie_cli.broker import positions
from eugenie_cli.site.field_types import parse_instant, to_ms
from eugenie_cli.streaming.job import SiteJob

LAST_ROWS = 50_000
"""Score records per partition that are searched for the last row of each asset: enough for thousands of assets."""


def made_until(job: SiteJob) -> dict[str, int]:
    """Asset -> its last row that has a record, ms since 1970 UTC. Raises EugenieError when Kafka does not answer."""
    made: dict[str, int] = {}
    for row in positions.last_records(job.kafka, str(job.kafka.topics.scores), LAST_ROWS):
        if row.get("asset") in job.assets:
            made[row["asset"]] = max(made.get(row["asset"], 0), to_ms(parse_instant(row["ts"])))
    return made
