"""The releases of Beam and PyFlink whose private parts this package uses, and what to say about others.

Four modules depend on what these releases do not promise to keep: `beam_patches` replaces functions, `key_context`
sets the key of state and timers, `changed_gauges` leaves out gauges, `decode_operator` makes a keyed stream without a
Python key selector. Tests hold what they mean in the releases named here. With another release the patches are left
out, and a missing part is an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata

TESTED = {"apache-beam": "2.61.0", "apache-flink": "2.3.0"}


def others() -> str:
    """The installed releases that are not the tested ones, in words; empty if all are."""
    differences = [
        f"{package} {installed} instead of {tested}"
        for package, tested in TESTED.items()
        if (installed := _installed(package)) != tested
    ]
    return ", ".join(differences)


@contextmanager
def private_part(name: str) -> Iterator[None]:
    """Use of a private part of PyFlink. Raises RuntimeError, with the releases, if this release lacks it."""
    try:
        yield
    except (AttributeError, TypeError) as error:  # a Java class that is missing is a package, which cannot be called
        here = ", ".join(f"{package} {_installed(package)}" for package in TESTED)
        tested = ", ".join(f"{package} {version}" for package, version in TESTED.items())
        raise RuntimeError(
            f"{here}: {name} is not what it is in the tested releases ({error}); install {tested} for the job's Python"
        ) from error


def _installed(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "of an unknown release"
