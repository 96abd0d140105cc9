"""`weir rights`: what a process must be allowed to do on the cluster."""

from typing import Annotated

import typer

from streams.cli.options import AsJson


def rights(
    process: Annotated[
        str,
        typer.Argument(metavar="PROCESS", help="worker, archive, console, send, alerts or policy."),
    ],
    principal: Annotated[str, typer.Option(help="Who is given them, as Kafka names them.")] = "",
    as_json: AsJson = False,
) -> None:
    """Say which rights (ACLs) a process needs on a cluster that asks who somebody is.

    They are lines for Kafka's own kafka-acls.sh, to which --bootstrap-server and the
    administrator's --command-config are to be added. The topics and the group are named by the
    settings. Nothing is asked of the broker. `weir check` needs an administrator.

    Examples:

        weir rights worker --principal User:weir-worker

        weir rights archive --json
    """
    import os

    from streams.cli.options import print_result
    from streams.settings import settings_of
    from streams.topics.rights import PROCESSES, kafka_acls, rights_of

    if process not in PROCESSES:
        raise typer.BadParameter(f"there is no {process}: use one of {', '.join(PROCESSES)}")
    # They do not depend on where it is, which need not be known yet.
    here = os.environ.get("WEIR_BROKER", "none:9092")
    needed = rights_of(process, settings_of(os.environ, broker=here))
    who = principal or f"User:weir-{process}"
    if as_json:
        result = {"principal": who, "rights": [right._asdict() for right in needed]}
        print_result(result, as_json=True)
        return
    for line in kafka_acls(needed, who):
        typer.echo(line)
