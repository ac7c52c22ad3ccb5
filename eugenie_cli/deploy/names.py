"""Names that Kubernetes allows (DNS-1123 labels), derived from almost arbitrary names of sites and classes."""

from __future__ import annotations

import hashlib
import re

LONGEST = 45
"""A label may have 63 characters; operators append to it for pods, services and revisions, and need the rest."""

_DIGEST = 8
_PREFIX = "eugenie-"
_SERVER = "serving"


def label(*parts: str, longest: int = LONGEST) -> str:
    """`eugenie-<part>--<part>`: lower case, digits and dashes, at most `longest` characters.

    Different parts give different names: if a part had to be changed or cut, a digest of all parts is appended. Two
    dashes separate the parts, because no unchanged part can contain them.
    """
    plain = [re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") for part in parts]
    name = _PREFIX + "--".join(plain)
    if plain == list(parts) and len(name) <= longest:
        return name
    digest = hashlib.sha256("/".join(parts).encode()).hexdigest()[:_DIGEST]
    return f"{name[: longest - _DIGEST - 1].rstrip('-')}-{digest}"


def site_label(site: str) -> str:
    """The name of a site, and so of its Flink job."""
    return label(site)


def server_label(site: str) -> str:
    """The name of a site's server. It differs from the name of any site's Flink job, which also has a Deployment."""
    return label(site, _SERVER)


def class_label(site: str, class_name: str, suffix: str = "") -> str:
    """The name of a resource for one class of a site, in a namespace that other sites may share; at most `LONGEST`
    characters with the suffix."""
    part = class_name if class_name != _SERVER else f"{class_name}/"  # no name has a slash
    return label(site, part, longest=LONGEST - len(suffix)) + suffix
