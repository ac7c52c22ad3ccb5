"""The section `promotion` of a class: what a new version must hold to take the champion's place."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from eugenie_cli.site.base import Section
from eugenie_cli.site.field_types import Instant, Milliseconds, PositiveMs


class PromotionGate(Section):
    """Champion and candidate are judged on the same rows, which neither learnt from. The defaults: no fault less, none
    later, few more alarms, little more time in alarm, and never in alarm for most of the time.

    Two trainings on the same rows differ by a tenth to a fifth in their alarms, so a quarter more is no finding.
    """

    labels: str | None = Field(
        None, description="known faults, a CSV file; relative to the folder that holds site-configs/"
    )
    start: Instant | None = Field(None, description="first instant to judge by; default: all history")
    end: Instant | None = Field(None, description="instant to stop before")
    last: PositiveMs | None = Field(None, description="instead of start and end: the last of the history, e.g. 30d")
    fewer_found: Annotated[int, Field(ge=0, description="faults that it may find fewer than the champion")] = 0
    later: Milliseconds = Field(0, description="by which its median delay may exceed the champion's")
    budget: (
        Annotated[float, Field(gt=0, lt=1, description="share of rows above 1 that is allowed; default: alarm.budget")]
        | None
    ) = None
    false_alarms: Annotated[
        float, Field(ge=0, description="an asset and day that are allowed, whatever the champion has")
    ] = 0.5
    alarm_factor: Annotated[float, Field(ge=1, description="times the champion's alarms that are allowed")] = 1.25
    asset_factor: Annotated[
        float, Field(ge=1, description="times the champion's alarms that a single asset may have")
    ] = 2.0
    alarm_time: Annotated[
        float,
        Field(ge=0, lt=1, description="share of the quiet time in alarm that is allowed, whatever the champion has"),
    ] = 0.01
    most_alarm_time: Annotated[
        float,
        Field(gt=0, le=1, description="share of the quiet time in alarm, or of quiet rows above 1, never allowed"),
    ] = 0.5
    least: PositiveMs | None = Field(
        None, description="quiet time of all assets together that must be left to judge by; default: two windows"
    )
    fewer_scored: Annotated[
        float, Field(ge=0, lt=1, description="share of rows that it may leave unscored beyond the champion's")
    ] = 0.05
