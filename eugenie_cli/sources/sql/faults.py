"""What an error of a database means, by its code, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum

from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.printable import printable
from eugenie_cli.sources.failures import SourceDownError, TooMuchError, TransientError

SHOWN_ERROR = 300
"""Characters of a database's own words that are shown."""


class Fault(Enum):
    """What is wrong, and with it what helps."""

    LOGIN = "login"
    DATABASE = "database"
    TABLE = "table"
    COLUMN = "column"
    DENIED = "denied"
    TIMEOUT = "timeout"
    LARGE = "large"
    LOST = "lost"
    BUSY = "busy"
    TLS = "tls"
    CONNECTION = "connection"
    OTHER = "other"


class MissingTableError(SourceDownError):
    """A table does not exist, or not for the source's user."""


_POSTGRESQL = {
    **{"28P01": Fault.LOGIN, "28000": Fault.LOGIN, "3D000": Fault.DATABASE, "42P01": Fault.TABLE},
    **{"42703": Fault.COLUMN, "42501": Fault.DENIED, "57014": Fault.TIMEOUT, "53100": Fault.LARGE},
    **{"53200": Fault.LARGE, "53400": Fault.LARGE, "53300": Fault.BUSY, "55P03": Fault.BUSY, "40P01": Fault.BUSY},
    **{"40001": Fault.BUSY, "57P04": Fault.DATABASE},  # 40001: a standby that had to cancel the query
    **{"57P01": Fault.LOST, "57P02": Fault.LOST, "57P03": Fault.LOST, "57P05": Fault.LOST, "3F000": Fault.TABLE},
}
_MYSQL = {
    **{"1044": Fault.LOGIN, "1045": Fault.LOGIN, "1698": Fault.LOGIN, "1049": Fault.DATABASE, "1146": Fault.TABLE},
    **{"1054": Fault.COLUMN, "1142": Fault.DENIED, "1143": Fault.DENIED, "1969": Fault.TIMEOUT, "3024": Fault.TIMEOUT},
    **{"1317": Fault.TIMEOUT, "1041": Fault.LARGE, "1037": Fault.LARGE, "1040": Fault.BUSY, "1203": Fault.BUSY},
    **{"1205": Fault.BUSY, "1213": Fault.BUSY, "1053": Fault.LOST, "1927": Fault.LOST, "2002": Fault.LOST},
    **{"1130": Fault.LOGIN, "1820": Fault.LOGIN, "1862": Fault.LOGIN, "3118": Fault.LOGIN, "4151": Fault.LOGIN},
    **{"1226": Fault.BUSY, "1370": Fault.DENIED, "1356": Fault.TABLE, "1158": Fault.LOST, "1159": Fault.LOST},
    **{"1160": Fault.LOST, "1161": Fault.LOST, "1129": Fault.LOGIN},
    **{"2003": Fault.LOST, "2005": Fault.LOST, "2006": Fault.LOST, "2013": Fault.LOST, "2055": Fault.LOST},
    **{"2026": Fault.TLS},
}
_MSSQL = {
    **{"18456": Fault.LOGIN, "28000": Fault.LOGIN, "4060": Fault.DATABASE, "208": Fault.TABLE, "42S02": Fault.TABLE},
    **{"207": Fault.COLUMN, "42S22": Fault.COLUMN, "229": Fault.DENIED, "230": Fault.DENIED, "HYT00": Fault.TIMEOUT},
    **{"701": Fault.LARGE, "1205": Fault.BUSY, "1222": Fault.BUSY, "HYT01": Fault.LOST},
    **{"08001": Fault.LOST, "08S01": Fault.LOST, "08003": Fault.LOST},
}
_ORACLE = {
    **{"1017": Fault.LOGIN, "1005": Fault.LOGIN, "28000": Fault.LOGIN, "28001": Fault.LOGIN, "12514": Fault.DATABASE},
    **{"12505": Fault.DATABASE, "942": Fault.TABLE, "904": Fault.COLUMN, "1031": Fault.DENIED, "1013": Fault.TIMEOUT},
    **{"4024": Fault.TIMEOUT, "3136": Fault.TIMEOUT, "1652": Fault.LARGE, "4030": Fault.LARGE, "20": Fault.BUSY},
    **{"1033": Fault.LOST, "1034": Fault.LOST, "3113": Fault.LOST, "3114": Fault.LOST, "12541": Fault.LOST},
    **{"12170": Fault.LOST, "6005": Fault.LOST, "4011": Fault.LOST, "28": Fault.LOST},
}
CODES: Mapping[str, Mapping[str, Fault]] = {
    "postgresql": _POSTGRESQL,
    "mariadb": _MYSQL,
    "mysql": _MYSQL,
    "mssql": _MSSQL,
    "oracle": _ORACLE,
}
"""By kind of database: SQLSTATE (PostgreSQL), error numbers, or both."""

_WORDS: tuple[tuple[str, Fault], ...] = (
    ("no such table", Fault.TABLE),
    ("no such column", Fault.COLUMN),
    ("interrupted", Fault.TIMEOUT),
    ("database is locked", Fault.BUSY),
    ("unable to open database file", Fault.DATABASE),
    ("file is not a database", Fault.DATABASE),
    ("disk image is malformed", Fault.DATABASE),
    ("password authentication failed", Fault.LOGIN),
    ("too many clients", Fault.BUSY),
    ("remaining connection slots", Fault.BUSY),
    ("ssl connection has been closed", Fault.LOST),
    ("ssl syscall error", Fault.LOST),
    ("starting up", Fault.LOST),
    ("shutting down", Fault.LOST),
    ("not yet accepting connections", Fault.LOST),
    ("in recovery mode", Fault.LOST),
    ("refused", Fault.LOST),
    ("timed out", Fault.LOST),
    ("timeout expired", Fault.LOST),
    ("translate host name", Fault.LOST),
    ("unreachable", Fault.LOST),
    ("no route to host", Fault.LOST),
    ("closed the connection", Fault.LOST),
    ("terminating connection", Fault.LOST),
    ("connection reset", Fault.LOST),
    ("broken pipe", Fault.LOST),
    ("no connection to the server", Fault.LOST),
    ("lost connection", Fault.LOST),
    ("connection not open", Fault.LOST),
    ("no pg_hba.conf entry", Fault.LOGIN),
    ("invalid uri", Fault.CONNECTION),
    ("ssl", Fault.TLS),
    ("certificate", Fault.TLS),
    ("role", Fault.LOGIN),
    ("database", Fault.DATABASE),
)
"""Of errors without a code: SQLite's, and those of libpq before a session exists, which are its own and in English."""


_OF_TLS = re.compile(r"(?i)certificate|handshake failure|wrong version number|unsupported protocol")
_HOSTS = re.compile(r"(?i)host ?name.*match|match.*host ?name|IP address mismatch|not valid for")


def fault_of(database: str, codes: tuple[str, ...], text: str) -> Fault:
    """`codes`: SQLSTATE and error numbers of the driver's exception; `text`: its message."""
    known = CODES.get(database, {})
    for code in codes:
        if code in known:  # a connection fails for one reason in MySQL's numbers, whatever is wrong with it
            return Fault.TLS if known[code] is Fault.LOST and _OF_TLS.search(text) else known[code]
        if code.startswith("08") and len(code) == 5:
            return Fault.LOST
    if not any(codes):
        lower = text.lower()
        return next((fault for words, fault in _WORDS if words in lower), Fault.OTHER)
    return Fault.OTHER


def worded(fault: Fault, where: str, text: str, meant: str = "") -> EugenieError:
    """The error of a fault. `where`: the server, and the span that was read; `meant`: " (did you mean x?)"."""
    said = f"{where}: {_plain(text)}{meant}"
    if fault is Fault.TIMEOUT:
        return TooMuchError(
            f"{where}: the query took too long", "raise `pace: {timeout: ...}`, or index the time column"
        )
    if fault is Fault.LARGE:
        return TooMuchError(said, "give the server more memory or disk for its queries", ExitCode.UNREACHABLE)
    if fault in (Fault.LOST, Fault.BUSY):
        return TransientError(
            said, "check that the server runs and can be reached, then import again", ExitCode.UNREACHABLE
        )
    if fault is Fault.TABLE:
        return MissingTableError(said, _HINTS[fault])
    code = ExitCode.UNREACHABLE if fault in (Fault.LOGIN, Fault.TLS, Fault.CONNECTION) else ExitCode.FAILED
    hint = _HINTS[fault]
    if fault is Fault.TLS and _HOSTS.search(text):
        hint = "write the host name of the server's certificate into `url` of the source"
    return SourceDownError(said, hint, code)


_HINTS = {
    Fault.LOGIN: "correct `username` and `password` of the source, and let the server accept them from this machine",
    Fault.DATABASE: "correct the database in `url` of the source",
    Fault.TABLE: "correct `table` or `query` of the source; a table outside the default schema is written schema.table",
    Fault.COLUMN: "correct the names of columns in the source",
    Fault.DENIED: "let the source's user read it: GRANT SELECT ON the table TO the user",
    Fault.TLS: "correct the options of `url`, so that they name the authority that signed the server's certificate:"
    " ?sslmode=verify-full&sslrootcert=FILE of PostgreSQL, ?ssl_ca=FILE of MariaDB; if a certificate has expired,"
    " renew it",
    Fault.CONNECTION: "check `url`, `username` and `password` of the source",
    Fault.OTHER: "correct `table` or `query` of the source",
}


def _plain(text: str) -> str:
    """A driver's message without the query, and without line breaks."""
    text = re.split(r"\n\n?Query was:|\nquery:|\[SQL:|\nLINE \d+:", text)[0]
    return printable(re.sub(r"\s+", " ", text).strip(), SHOWN_ERROR)
