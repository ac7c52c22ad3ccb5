"""The SQL that servers are sent that no test can have: SQL Server and Oracle; and what queries may contain."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import mssql, mysql, oracle, postgresql, sqlite

from eugenie_cli.readings.columns.instants import Instants
from eugenie_cli.sources.sql.columns import batch_of
from eugenie_cli.sources.sql.faults import Fault, fault_of, worded
from eugenie_cli.sources.sql.select import problem_of_select
from eugenie_cli.sources.sql.statements import describing_table, limited, reading_query, reading_table, rendered
from eugenie_cli.sources.sql.times import DAYS, NANOSECONDS, TimeColumn
from eugenie_cli.sources.windows.reader import Span

pytestmark = pytest.mark.slow

HOUR = 3_600_000
SPAN = Span(1_761_429_600_000, 1_761_429_600_000 + HOUR)
UTC = ZoneInfo("UTC")
MS_UTC = pa.timestamp("ms", "UTC")
INSTANT = TimeColumn("instant", "iso", UTC)


def text_of(clause, dialect, values=None):
    return " ".join(rendered(clause, {"start": 1, "end": 2} if values is None else values, dialect)[0].split())


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        (
            mssql.dialect(paramstyle="qmark"),
            "SELECT TOP 10 plant.log.ts, plant.log.[Wert %x] FROM plant.log"
            " WHERE plant.log.ts >= ? AND plant.log.ts < ?",
        ),
        (
            oracle.dialect(),
            'SELECT plant.log.ts, plant.log."Wert %x" FROM plant.log'
            ' WHERE plant.log.ts >= :"start" AND plant.log.ts < :end'
            " FETCH FIRST 10 ROWS ONLY",
        ),
        (
            postgresql.dialect(paramstyle="numeric_dollar"),
            'SELECT plant.log.ts, plant.log."Wert %x" FROM plant.log WHERE plant.log.ts >= $1 AND plant.log.ts < $2'
            " LIMIT $3::INTEGER",
        ),
        (
            mysql.dialect(),
            "SELECT plant.log.ts, plant.log.`Wert %%x` FROM plant.log WHERE plant.log.ts >= %s AND plant.log.ts < %s"
            " LIMIT %s",
        ),
    ],
)
def test_a_table_is_read_by_its_time_alone(dialect, expected):
    statement = reading_table("plant.log", ("ts", "Wert %x"), "ts", INSTANT, SPAN)
    assert text_of(limited(statement, 10), dialect) == expected
    assert statement.values == {
        "start": datetime(2025, 10, 25, 22, tzinfo=timezone.utc),
        "end": datetime(2025, 10, 25, 23, tzinfo=timezone.utc),
    }


@pytest.mark.parametrize("dialect", [mssql.dialect(), oracle.dialect(), sqlite.dialect()])
def test_a_table_is_described_without_rows(dialect):
    said = text_of(describing_table("log").clause, dialect, {})
    assert said == "SELECT * FROM log WHERE 1 = 0"


def test_a_query_is_sent_as_it_is_written():
    query = "SELECT ts::text, '50%:x' AS v FROM log WHERE ts >= :start AND ts < :end; "
    assert text_of(reading_query(query, (1, 2)).clause, postgresql.dialect(paramstyle="numeric_dollar")) == (
        "SELECT ts::text, '50%:x' AS v FROM log WHERE ts >= $1 AND ts < $2"
    )


@pytest.mark.parametrize(
    "query",
    [
        'SELECT deleted, "update" FROM log WHERE ts >= :start AND ts < :end -- drop; :x',
        "/* insert */ WITH x AS (SELECT 1) SELECT * FROM x, log WHERE ts >= :start AND ts < :end AND n <> 'into'",
        "select ts::timestamptz from log where ts between :start and :end and t = '12:30'",
    ],
)
def test_a_query_that_only_reads_is_accepted(query):
    assert problem_of_select(query) is None


@pytest.mark.slow
@pytest.mark.parametrize("unit", [*NANOSECONDS, *DAYS])
@given(start=st.integers(0, 2_000_000_000_000), width=st.integers(1, 40 * 24 * HOUR))
def test_the_bounds_of_numbers_contain_their_span(unit, start, width):
    first, last = TimeColumn("number", unit, UTC).bound(Span(start, start + width))
    if unit in NANOSECONDS:
        assert first * NANOSECONDS[unit] <= start * 1_000_000
        assert (start + width) * 1_000_000 <= last * NANOSECONDS[unit]
    else:
        days = (start / 86_400_000 + 25_569) * DAYS[unit], ((start + width) / 86_400_000 + 25_569) * DAYS[unit]
        assert first <= days[0] and days[1] <= last


@pytest.mark.slow
@pytest.mark.parametrize("zone", ["Europe/Berlin", "Africa/Casablanca", "America/St_Johns", "Pacific/Apia"])
@given(
    start=st.integers(1_600_000_000_000, 1_800_000_000_000), width=st.integers(1, 40 * 24 * HOUR), part=st.floats(0, 1)
)
def test_the_bounds_of_local_times_contain_their_span(zone, start, width, part):
    where = ZoneInfo(zone)
    first, last = TimeColumn("local", "iso", where).bound(Span(start, start + width))
    at = datetime.fromtimestamp((start + int(part * (width - 1))) / 1_000, where).replace(tzinfo=None)
    assert first <= at < last


@pytest.mark.parametrize(
    ("database", "codes", "fault"),
    [
        ("postgresql", ("28P01",), Fault.LOGIN),
        ("postgresql", ("57014",), Fault.TIMEOUT),
        ("postgresql", ("08006",), Fault.LOST),
        ("mariadb", ("1969",), Fault.TIMEOUT),
        ("mssql", ("42S02", "208"), Fault.TABLE),
        ("mssql", ("HYT00",), Fault.TIMEOUT),
        ("oracle", ("1017",), Fault.LOGIN),
        ("oracle", ("904",), Fault.COLUMN),
        ("oracle", ("7",), Fault.OTHER),
    ],
)
def test_errors_are_known_by_their_codes(database, codes, fault):
    assert fault_of(database, codes, "in any language") is fault


def test_a_message_has_one_line_and_no_query():
    error = worded(Fault.OTHER, "postgresql://db/plant", "ERROR: odd\nLINE 1: select x\n\nQuery was: select x")
    assert error.reason == "postgresql://db/plant: ERROR: odd"


@given(st.lists(st.one_of(st.none(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5), st.booleans())))
def test_rows_become_columns_without_a_change(values):
    column = batch_of(["a"], [(value,) for value in values]).column(0).to_pylist() if values else []
    for value, given_back in zip(values, column, strict=True):
        if value is None or (isinstance(given_back, str) and isinstance(value, str)):
            assert given_back == value
        elif isinstance(given_back, str):
            assert given_back == repr(value)
        else:
            assert given_back == value and float(given_back) == float(value)


DAY = 24 * HOUR
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("time", "column"),
    [
        (TimeColumn("local", "iso", BERLIN), pa.array([date(2025, 10, day) for day in range(20, 31)])),
        (
            TimeColumn("local", "iso", BERLIN),
            pa.array([datetime(2025, 10, 25, 22) + timedelta(minutes=10 * n) for n in range(60)], pa.timestamp("us")),
        ),
        (TimeColumn("instant", "iso", BERLIN), pa.array([SPAN.start_ms + n * 777_777 for n in range(99)]).cast(MS_UTC)),
        (TimeColumn("number", "us", UTC), pa.array([(SPAN.start_ms + n * 777_777) * 1_000 + 999 for n in range(99)])),
        (TimeColumn("number", "s", UTC), pa.array([f"{SPAN.start_ms // 1_000 + n}.9999" for n in range(99)])),
    ],
)
@pytest.mark.parametrize("width", [HOUR, 7 * HOUR, DAY])
def test_each_row_is_in_the_bounds_of_exactly_one_span(time, column, width):
    """Rows of the hour that occurs twice, and of the one that does not exist, among them."""
    first = SPAN.start_ms - 7 * DAY
    instants = Instants(time.unit if time.kind == "number" else "iso", None, time.zone.key)
    spans = [Span(start, start + width) for start in range(first, first + 20 * DAY, width)]
    inside = [time.within(column, span, instants) for span in spans]
    assert sum(mask.astype(int) for mask in inside).tolist() == [1] * len(column)
    for span, mask in zip(spans, inside, strict=True):
        assert not (mask & time.strays(column, span)).any()
