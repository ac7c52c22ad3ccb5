"""Names for Kubernetes, from any names of sites and classes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eugenie_cli.deploy.names import LONGEST, class_label, server_label, site_label

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", fullmatch=True)
"""Names that the site file accepts."""

DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


def test_plain_names_stay_readable():
    assert site_label("plant-a") == "eugenie-plant-a"
    assert server_label("plant-a") == "eugenie-plant-a--serving"
    assert class_label("plant-a", "pump") == "eugenie-plant-a--pump"
    assert class_label("plant-a", "pump", "--canary") == "eugenie-plant-a--pump--canary"


@pytest.mark.slow
@given(NAMES, NAMES)
def test_names_are_dns_labels_of_the_right_length(site, class_name):
    for name in (site_label(site), server_label(site), class_label(site, class_name, "--canary")):
        assert DNS_LABEL.fullmatch(name) and len(name) <= LONGEST, name


@pytest.mark.slow
@given(st.lists(st.tuples(NAMES, NAMES), min_size=2, max_size=8, unique=True))
def test_different_classes_have_different_names(pairs):
    assert len({class_label(*pair) for pair in pairs}) == len(pairs)


def test_names_that_kubernetes_would_not_distinguish_stay_different():
    alike = [
        ("a-b", "c"), ("a", "b-c"), ("a.b", "c"), ("A-b", "c"), ("a-b-", "c"), ("a--b", "c"), ("a", "b--c"),
        ("x" * 100, "c"), ("x" * 101, "c"), ("x" * 100, "d"),
    ]  # fmt: skip
    assert len({class_label(*pair) for pair in alike}) == len(alike)


def test_a_class_may_have_the_name_of_the_server_or_of_a_canary():
    names = {
        server_label("plant"), class_label("plant", "serving"), class_label("plant", "serving."),
        class_label("plant", "pump", "--canary"), class_label("plant", "pump-canary"),
        class_label("plant", "pump--canary"), site_label("plant-serving"), site_label("plant--serving"),
    }  # fmt: skip
    assert len(names) == 8
