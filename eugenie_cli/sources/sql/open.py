"""Opens the database that a source names."""

from __future__ import annotations

import sqlalchemy as sa

from eugenie_cli.errors import EugenieError
from eugenie_cli.masking import remember
from eugenie_cli.site.schema import Site
from eugenie_cli.site.secrets import reveal
from eugenie_cli.sources.sql.databases import Database, RowDatabase
from eugenie_cli.sources.sql.settings import DatabaseSettings

DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "mariadb": "mariadb+pymysql",
    "mysql": "mysql+pymysql",
    "sqlite": "sqlite",
    "mssql": "mssql+mssqlpython",
    "oracle": "oracle+oracledb",
}
EXTRAS = {"mssql": "mssql", "oracle": "oracle"}
"""The extra of the package that a database needs; default: `sql`."""


def open_database(settings: DatabaseSettings, site: Site) -> Database:
    """The database of a source; no connection is made yet. Raises EugenieError if its driver is not installed."""
    url = sa.engine.make_url(settings.url).set(drivername=DRIVERS[settings.database])
    if settings.username is not None:
        url = url.set(username=settings.username)
    if settings.password is not None:
        url = url.set(password=reveal(settings.password))
    if url.password:
        remember(str(url.password))
    if settings.database == "sqlite":
        url = url.set(database=str(site.resolve(url.database or "")))
    try:
        if settings.database == "postgresql":
            from eugenie_cli.sources.sql.postgresql import PostgresDatabase

            return PostgresDatabase(url, settings.pace.timeout / 1_000)
        return RowDatabase(url, settings.pace.timeout / 1_000)
    except ImportError as error:
        extra = EXTRAS.get(settings.database, "sql")
        raise EugenieError(
            f"source {settings.name}: {settings.database} needs the package {error.name}, which is not installed",
            hint=f"pip install 'eugenie[{extra}]'",
        ) from None
