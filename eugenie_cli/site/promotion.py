"""The section `promotion` of a class: the conditions under which a new version replaces the champion."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from eugenie_cli.site.base import Section
from eugenie_cli.site.field_types import Instant, Milliseconds, PositiveMs


class PromotionGate(Section):
    """Champion and candidate are compared on the same rows, none of which trained either of them.

    By default the candidate must detect all faults that the champion detects, and none later, with few more alarms and
    little more time in alarm. A candidate in alarm for most of the time is never promoted. The numbers of alarms of two
    training runs on the same rows differ by 10 to 20 %, so a quarter more is not significant.
    """

    labels: str | None = Field(
        None, description="known faults, a CSV file; relative to the folder that holds site-configs/"
    )
    start: Instant | None = Field(None, description="first instant of the comparison; default: all history")
    end: Instant | None = Field(None, description="end of the comparison, exclusive")
    last: PositiveMs | None = Field(None, description="instead of start and end: the end of the history, e.g. 30d")
    early: Milliseconds | None = Field(
        None,
        description="how long before a fault an alarm may be raised and still count as finding it; default: ten steps",
    )
    fewer_found: Annotated[int, Field(ge=0, description="how many faults fewer than the champion it may detect")] = 0
    later: Milliseconds = Field(0, description="how much its median delay may exceed the champion's")
    budget: (
        Annotated[float, Field(gt=0, lt=1, description="allowed share of rows above 1; default: alarm.budget, or 0.01")]
        | None
    ) = None
    false_alarms: Annotated[float, Field(ge=0, description="false alarms per asset and day allowed in any case")] = 0.5
    alarm_factor: Annotated[float, Field(ge=1, description="alarms allowed, as a multiple of the champion's")] = 1.25
    asset_factor: Annotated[
        float, Field(ge=1, description="alarms allowed on a single asset, as a multiple of the champion's")
    ] = 2.0
    alarm_time: Annotated[
        float,
        Field(ge=0, lt=1, description="share of the quiet time in alarm allowed in any case"),
    ] = 0.01
    most_alarm_time: Annotated[
        float,
        Field(gt=0, le=1, description="share of the quiet time in alarm, or of quiet rows above 1, that always fails"),
    ] = 0.5
    least: PositiveMs | None = Field(
        None, description="least quiet time of all assets together for a comparison; default: two windows"
    )
    fewer_scored: Annotated[
        float, Field(ge=0, lt=1, description="share of rows that it may leave unscored in addition to the champion's")
    ] = 0.05
