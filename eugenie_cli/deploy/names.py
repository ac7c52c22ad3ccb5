"""Names as Kubernetes allows them (DNS-1123 labels), from names of sites and classes, which may be almost anything."""

from __future__ import annotations

import hashlib
import re

LONGEST = 45
"""A label may have 63 characters; operators make names of pods, services and revisions of it, and need the rest."""

_DIGEST = 8
_PREFIX = "eugenie-"
_SERVER = "serving"


def label(*parts: str, longest: int = LONGEST) -> str:
    """`eugenie-<part>--<part>`: lower case, digits and dashes, at most `longest` characters.

    Parts that differ give names that differ: where a part had to be changed or cut, a digest of all of them follows.
    Two dashes part two parts, since no part that is left as it is can hold them.
    """
    plain = [re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") for part in parts]
    name = _PREFIX + "--".join(plain)
    if plain == list(parts) and len(name) <= longest:
        return name
    digest = hashlib.sha256("/".join(parts).encode()).hexdigest()[:_DIGEST]
    return f"{name[: longest - _DIGEST - 1].rstrip('-')}-{digest}"


def site_label(site: str) -> str:
    """Of a site, and so of its Flink job."""
    return label(site)


def server_label(site: str) -> str:
    """Of the server of a whole site. Its Flink job has a Deployment too: another name, that no other site's job has."""
    return label(site, _SERVER)


def class_label(site: str, class_name: str, suffix: str = "") -> str:
    """Of what belongs to one class of a site, in a namespace that other sites may share. The suffix counts."""
    part = class_name if class_name != _SERVER else f"{class_name}/"  # no name has a slash
    return label(site, part, longest=LONGEST - len(suffix)) + suffix
