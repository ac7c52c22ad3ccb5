"""The stand-in of a PI Web API with Kerberos, as a program: it prints its address, and runs until stdin is closed.

Its key is in the keytab that KRB5_KTNAME names.
"""

from __future__ import annotations

import base64
import sys

import gssapi

from support.pi_web_api import Archive, serving

START = 1_767_225_600_000
FLOWS = [(START + 60_000 * n, {"Value": n + 0.5, "Good": True, "Questionable": False}) for n in range(100)]


def admits(authorization: str) -> bool:
    """Whether a token of SPNEGO is of a user of the realm."""
    scheme, _, token = authorization.partition(" ")
    if scheme != "Negotiate" or not token:
        return False
    try:
        context = gssapi.SecurityContext(creds=gssapi.Credentials(usage="accept"), usage="accept")
        context.step(base64.b64decode(token))
        return bool(context.complete) and str(context.initiator_name).startswith("reader@")  # may raise what step met
    except gssapi.exceptions.GSSError as error:
        print(error, file=sys.stderr)
        return False


if __name__ == "__main__":
    with serving(Archive({"FT-2": FLOWS}), admits, sys.argv[1], "localhost") as address:
        print(address, flush=True)
        sys.stdin.read()
