"""What can go wrong with a query, by what helps: waiting, asking for less, or neither."""

from __future__ import annotations

from eugenie_cli.errors import EugenieError


class TransientError(EugenieError):
    """The query failed for a reason that passes, such as a lost connection: it is repeated, each time later."""


class TooMuchError(EugenieError):
    """The span was too long for the server, or for memory: it is halved, and the query is repeated."""


class SourceDownError(EugenieError):
    """The server cannot be used, and no other window could be read either, such as a wrong password."""
