"""Submit the stream job: check what it depends on, package it, run it; resume from the last savepoint."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from eugenie_cli.broker import topics
from eugenie_cli.embedded import endpoints, flink
from eugenie_cli.errors import EugenieError, ExitCode
from eugenie_cli.progress import SILENT, Progress
from eugenie_cli.serving.client import ModelServerError, PredictClient
from eugenie_cli.site.load import workspace_of
from eugenie_cli.site.model import Site
from eugenie_cli.streaming import package, record
from eugenie_cli.streaming.flink_rest import FlinkRest

DRIVER = "org.apache.flink.client.python.PythonDriver"
RUNNING = frozenset({"RUNNING"})
ALIVE = frozenset({"CREATED", "INITIALIZING", "RUNNING", "RESTARTING", "FAILING", "RECONCILING"})
STARTED_WITHIN_S = 90.0
STARTS = ("auto", "earliest", "latest")


@dataclass(frozen=True)
class Submission:
    """A job as it was found or started. `resumed_from` is the savepoint, `started` False when it ran already."""

    job_id: str
    address: str
    started: bool
    resumed_from: str | None


def submit(site: Site, progress: Progress = SILENT, start: str = "auto") -> Submission:
    """Make the site's stream job run.

    `start`: "auto" resumes from the last savepoint, and without one goes on after the last reading that a job of the
    site took, or begins with the first there is; "earliest" and "latest" start anew there. A job that runs already is
    left alone. Raises EugenieError: an engine or the model server is not there (UNREACHABLE), the models disagree with
    the site (REFUSED), the job fails.
    """
    workspace = workspace_of(site)
    rest = FlinkRest(endpoints.flink(site))
    last = record.load(workspace)
    running = running_job(rest, site)
    if running is not None:
        progress.say(f"the stream job of {site.site} runs already")
        return Submission(running, f"{rest.address}/#/job/{running}/overview", False, None)
    check_models(site)
    topics.ensure(site, progress)
    savepoint = last.savepoint if last is not None and start == "auto" else None
    spec = package.job_spec(site, start, topics.partitions(site, str(site.topics.readings)))
    progress.say(f"packaging the job: {len(spec.classes)} classes, {len(spec.assets)} assets")
    files = package.write(spec, workspace.flink.absolute() / "job")
    try:
        with progress.task("submitting the job to Flink (it plans the SQL)"):
            jar = rest.upload_jar(next((flink.home() / "opt").glob("flink-python-*.jar")))
            arguments = ["-py", str(files.entry), "-pyfs", str(files.code)]
            arguments += ["-pyexec", sys.executable, "-pyclientexec", sys.executable, str(files.spec)]
            request = {"entryClass": DRIVER, "programArgsList": arguments, "parallelism": spec.parallelism}
            if savepoint is not None:
                request["savepointPath"] = savepoint
            job_id = rest.run_jar(jar, request)
    finally:
        files.spec.unlink(missing_ok=True)  # it may hold a password, and the job has it now
    record.save(workspace, record.JobRecord(job_id, rest.address))
    _wait_until_running(rest, job_id, progress)
    return Submission(job_id, f"{rest.address}/#/job/{job_id}/overview", True, savepoint)


def running_job(rest: FlinkRest, site: Site) -> str | None:
    """The id of the site's job on the cluster, if one is alive."""
    for job in rest.jobs():
        if job["name"] == f"eugenie {site.site}" and job["state"] in ALIVE:
            return job["jid"]
    return None


def check_models(site: Site) -> None:
    """Every class with assets has a model on the server, and it is for this site file."""
    from eugenie_cli.serving import manifest

    address = endpoints.model_server(site)
    workspace = workspace_of(site)
    with PredictClient(address) as client:
        for class_name in (name for name in site.classes if site.assets_of(name)):
            try:
                versions = [one.version for one in client.status(class_name) if one.state == "AVAILABLE"]
            except ModelServerError as error:
                raise EugenieError(str(error), f"eugenie export --class {class_name}", ExitCode.UNREACHABLE) from None
            if not versions:
                raise EugenieError(
                    f"the model server at {address} has no version of {class_name} available",
                    f"eugenie export --class {class_name}, then eugenie serve status",
                    ExitCode.UNREACHABLE,
                )
            folder = workspace.models / class_name / str(max(versions))
            if folder.exists():
                manifest.check(manifest.read(folder), site, class_name)


def _wait_until_running(rest: FlinkRest, job_id: str, progress: Progress) -> None:
    with progress.task("waiting for the job to run"):
        state = rest.wait(job_id, RUNNING, STARTED_WITHIN_S)
    if state not in RUNNING:
        cause = rest.exceptions(job_id)
        raise EugenieError(
            f"the job is {state} after {STARTED_WITHIN_S:.0f} s at most\n{(cause or '')[:2000]}",
            f"see {rest.address}/#/job/{job_id}/exceptions and the Flink logs (`eugenie status` names them)",
        )
