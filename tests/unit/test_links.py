"""Documents link to files, headings and known hosts, and every document can be reached from the README."""

from __future__ import annotations

import re

from support.documents import README, ROOT, anchors, links, named, place, text

HOSTS = {
    "docs.influxdata.com/influxdb",
    # standards and papers
    "www.isa.org",
    "reference.opcfoundation.org",
    "sparkplug.eclipse.org",
    "arxiv.org",
    "doi.org",
    # projects
    "avro.apache.org",
    "beam.apache.org",
    "flink.apache.org",
    "kafka.apache.org",
    "nightlies.apache.org",
    "docs.confluent.io",
    "docs.seldon.ai",
    "grpc.io",
    "keras.io",
    "kserve.github.io",
    "kubernetes.io",
    "mlflow.org",
    "prometheus.io",
    "www.kubeflow.org",
    "www.tensorflow.org",
    "github.com/mlflow",
    "github.com/tensorflow",
    # conventions of contributors
    "keepachangelog.com",
    "pre-commit.com",
    "semver.org",
}
"""What documents may link to: the standards, papers and projects that they speak of; of GitHub, an owner's pages. No
registry of packages, because each plant chooses where its packages come from."""

HOST = re.compile(r"(?:(https?)://)?\b((?:[\w-]+\.)+(?:org|io|com|net|dev|ai))\b(/[\w.-]+)?")


def foreign_hosts(document: str) -> list[str]:
    """Hosts of the internet that are named without a link by https, or that documents may not link to."""
    found = [(scheme, host, f"{host}{path}") for scheme, host, path in HOST.findall(document)]
    return [address for scheme, host, address in found if scheme != "https" or not {host, address} & HOSTS]


@named
def test_links_lead_to_files_and_headings(path):
    for target in links(path):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        linked = (path.parent / file).resolve() if file else path
        assert linked.exists(), f"{place(path)} links to {target}"
        assert not anchor or anchor in anchors(linked), f"{place(path)} links to {target}"


@named
def test_links_lead_to_known_hosts_alone(path):
    assert foreign_hosts(text(path)) == []


def test_a_foreign_host_would_be_noticed():
    assert foreign_hosts("[Flink](https://flink.apache.org/) and [one](https://doi.org/10.1/2)") == []
    assert foreign_hosts("[Serving](https://github.com/tensorflow/serving)") == []
    assert foreign_hosts("https://github.com/somebody/else") == ["github.com/somebody"]
    assert foreign_hosts("https://packages.example.org/simple") == ["packages.example.org/simple"]
    assert foreign_hosts("http://flink.apache.org, doi.org") == ["flink.apache.org", "doi.org"]


@named
def test_every_document_is_within_reach_of_the_readme(path):
    reached, left = set(), [README]
    while left:
        page = left.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        files = [link.partition("#")[0] for link in links(page) if not link.startswith("https://")]
        left += [(page.parent / file).resolve() for file in files if file]
    assert path in reached


@named
def test_files_of_the_project_that_are_named_exist(path):
    for name in re.findall(r"`((?:eugenie_cli|tests|docs|templates|site-configs|benchmarks)/[\w./-]+)`", text(path)):
        assert name.startswith("site-configs/my-plant") or (ROOT / name).exists(), f"{place(path)}: {name}"
