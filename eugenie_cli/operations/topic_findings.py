"""The checks of `eugenie doctor` on a site's topics: whether they keep what they should, and suffice for the job."""

from __future__ import annotations

from eugenie_cli.engines import endpoints
from eugenie_cli.engines.finding import Check
from eugenie_cli.errors import EugenieError
from eugenie_cli.site.schema import Site


def findings(site: Site) -> list[Check]:
    """One check for each topic that exists. They query the brokers, change nothing and raise nothing."""
    from eugenie_cli.broker import topic_settings, topics

    access = site.kafka_access
    is_embedded = site.kafka.bootstrap == endpoints.EMBEDDED
    try:
        missing = topics.missing(access)
        lost = topics.forgotten(access)
        unfit = topic_settings.unfit(access)
        partitions = 0 if str(site.topics.readings) in missing else topics.partitions(access, str(site.topics.readings))
    except EugenieError as error:
        return [Check("topics", False, error.reason, error.hint or "")]
    checks = []
    for role, name in zip(topic_settings.ROLES, topics.names(access), strict=True):
        what = f"{role.replace('_', ' ')} topic"
        if name in missing:
            checks.append(Check(what, True, f"{name} does not exist yet: `eugenie stream submit` creates it"))
            continue
        found_before = len(checks)
        if role == "anomalies" and lost:
            remedy = "eugenie up" if is_embedded else topics.keep_command(access)
            checks.append(Check(what, False, f"{name} deletes anomalies, even open ones: {lost}", remedy))
        if role == "readings" and partitions < site.stream.parallelism:
            checks.append(_too_few(site, what, name, partitions))
        if role in unfit:
            # with most unfit settings the job works: a warning, which is a check that is ok but has a hint
            found = unfit[role]
            remedy = "eugenie stream submit" if is_embedded else topic_settings.command(access, name, found.settings)
            checks.append(Check(what, not found.stops, str(found), remedy))
        if len(checks) == found_before:
            checks.append(Check(what, True, f"{name} is set up as the job needs it"))
    return checks


def _too_few(site: Site, what: str, topic: str, partitions: int) -> Check:
    parallelism = site.stream.parallelism
    if site.kafka.bootstrap == endpoints.EMBEDDED:
        remedy = f"write stream: {{parallelism: {partitions}}}"
    else:
        remedy = (
            f"kafka-topics.sh --bootstrap-server {site.kafka.bootstrap} --alter --topic {topic}"
            f" --partitions {parallelism}"
        )
    found = f"{topic} has {partitions} partition{'s' if partitions > 1 else ''}, fewer than stream.parallelism"
    return Check(what, False, f"{found}, {parallelism}: `eugenie stream submit` refuses", remedy)
