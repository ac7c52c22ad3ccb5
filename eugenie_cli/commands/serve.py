"""`eugenie serve`: the model server of a site."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eugenie_cli.commands.options import FollowOption, LinesOption, Output, OutputOption, SiteOption
from eugenie_cli.console import Console

if TYPE_CHECKING:
    from eugenie_cli.serving.status import ContainerStatus, ServingStatus
    from eugenie_cli.site.schema import Site

app = typer.Typer(help="The model server; `serve` alone starts it.")

OfflineOption = Annotated[bool, typer.Option("--offline", help="Do not pull the image; use the local one.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Print the equivalent docker run, and do nothing.")]


@app.callback(invoke_without_command=True)
def _serve(
    context: typer.Context,
    site: Annotated[
        str | None, typer.Option("--site", metavar="SITE", help="Site: a name in site-configs/ or a path.")
    ] = None,
    output: OutputOption = Output.table,
) -> None:
    context.obj = site
    if context.invoked_subcommand is None:
        start(context, os.environ.get("EUGENIE_SITE"), output=output)


@app.command()
def start(
    context: typer.Context,
    site: SiteOption = None,
    offline: OfflineOption = False,
    dry_run: DryRunOption = False,
    output: OutputOption = Output.table,
) -> None:
    """Start the model server and wait until it answers. Replaces a container that no longer matches the site file."""
    from eugenie_cli.serving import runtime
    from eugenie_cli.site.load import open_site

    console, opened = Console(), open_site(context.obj or site)
    if dry_run:
        _show_dry_run(console, opened, output)
        return
    _show(console, runtime.start(opened, console, offline=offline), output)


@app.command()
def stop(context: typer.Context, site: SiteOption = None, output: OutputOption = Output.table) -> None:
    """Stop the model server, after it has answered requests in flight."""
    from eugenie_cli.serving import runtime
    from eugenie_cli.site.load import open_site

    console = Console()
    stopped = runtime.stop(open_site(context.obj or site), console)
    if output is Output.json:
        console.json({"stopped": stopped})


@app.command()
def status(context: typer.Context, site: SiteOption = None, output: OutputOption = Output.table) -> None:
    """Show the model server and the versions that it serves; for a container also image, health and GPUs."""
    from eugenie_cli.serving import runtime
    from eugenie_cli.site.load import open_site

    _show(Console(), runtime.status(open_site(context.obj or site)), output)


@app.command()
def logs(
    context: typer.Context,
    site: SiteOption = None,
    lines: LinesOption = 100,
    follow: FollowOption = False,
) -> None:
    """Print the log of the model server."""
    from eugenie_cli.serving import runtime
    from eugenie_cli.site.load import open_site

    console = Console()
    for line in runtime.logs(open_site(context.obj or site), lines, follow):
        console.line(line)


def _show(console: Console, status: ServingStatus, output: Output) -> None:
    if output is Output.json:
        console.json(status)
        return
    listening = [address for address in (status.address, status.socket, status.rest) if address]
    console.table(
        ["server", "address", "process", "log"], [[status.state, "\n".join(listening), status.pid, status.log]]
    )
    if status.why:
        console.table(["does not answer"], [[status.why]])
    if status.unserved:
        console.table(["not served"], [[reason] for reason in status.unserved])
    if status.container is not None:
        _show_container(console, status.container)
    if status.models:
        rows = [[model.name, model.version, model.state, model.error] for model in status.models]
        console.table(["model", "version", "state", "error"], rows, right=["version"])


def _show_container(console: Console, container: ContainerStatus) -> None:
    image = f"{container.image}\n{container.image_id}"
    console.table(
        ["container", "id", "health", "restarts", "REST", "image"],
        [[container.name, container.id, container.health, container.restarts, container.rest, image]],
        right=["restarts"],
    )
    if container.gpus:
        rows = [[gpu.index, gpu.name, gpu.uuid, gpu.used_mib, gpu.total_mib, gpu.utilisation] for gpu in container.gpus]
        numbers = ["GPU", "MiB used", "MiB", "busy %"]
        console.table(["GPU", "name", "id", *numbers[1:]], rows, right=numbers)


def _show_dry_run(console: Console, site: Site, output: Output) -> None:
    from eugenie_cli.serving.container.dry_run import dry_run

    plan = dry_run(site)
    if output is Output.json:
        console.json(plan)
        return
    console.say(f"eugenie serve start first writes {plan.files}")
    console.line(plan.shell)


@app.command()
def render(
    context: typer.Context,
    target: Annotated[str, typer.Option(metavar="TARGET", help="kubernetes, kserve, seldon, compose or kubeflow.")],
    site: SiteOption = None,
    folder: Annotated[
        Path | None,
        typer.Option("--output-dir", metavar="FOLDER", help="Where the files are written. Default: serve-TARGET."),
    ] = None,
    canary: Annotated[
        list[str] | None,
        typer.Option(metavar="CLASS=PERCENT", help="Share of a class's requests for its newest version; repeatable."),
    ] = None,
    secret: Annotated[
        str | None, typer.Option(metavar="NAME", help="Kubernetes secret with the credentials of the model store.")
    ] = None,
    service_account: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Kubernetes service account whose cloud identity may read the store."),
    ] = None,
    stream_namespace: Annotated[
        str | None, typer.Option(metavar="NAMESPACE", help="Namespace of the Flink job. Default: the servers'.")
    ] = None,
    monitoring_namespace: Annotated[
        str, typer.Option(metavar="NAMESPACE", help="Namespace of Prometheus.")
    ] = "monitoring",
    image: Annotated[
        str | None, typer.Option(metavar="IMAGE", help="kubeflow: image of the steps. Default: eugenie:VERSION.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that this command did not write.")] = False,
    output: OutputOption = Output.table,
) -> None:
    """Write manifests of model servers for platforms on which eugenie does not start them."""
    from eugenie_cli.deploy import render as manifests
    from eugenie_cli.deploy.request import Options
    from eugenie_cli.site.load import open_site

    console = Console()
    options = Options(
        secret=secret, service_account=service_account, stream_namespace=stream_namespace,
        monitoring_namespace=monitoring_namespace, image=image,
    )  # fmt: skip
    opened = open_site(context.obj or site)
    done = manifests.render(opened, target, folder, canaries=canary or (), options=options, force=force)
    if output is Output.json:
        console.json(done)
        return
    console.table(["file", "state"], [[file.path, file.state] for file in done.files])
    for step in done.steps:
        console.say(f"next: {step}")
