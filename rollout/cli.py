"""The command line: which release, and what an exit code means."""

from pathlib import Path

import click

from gateway.release_document import MalformedDocument
from rollout.api import NoCluster, Refused, Unreachable
from rollout.course import Ending
from rollout.desk import Place
from rollout.helm import HelmFailed
from rollout.lease import Locked, Lost
from rollout.records import NoRelease, Unusable
from rollout.showing import say
from rollout.wish import NotPossible


def main() -> int:
    """Runs a command; its exit code is an Ending."""
    try:
        code: int | None = cli.main(standalone_mode=False)
        return int(code or 0)
    except click.ClickException as misuse:
        misuse.show()
        return Ending.MISUSE
    except (click.Abort, KeyboardInterrupt):
        return say("interrupted: `resume` goes on from here", Ending.HELD)
    except Locked as locked:
        return say(f"locked: {locked}", Ending.LOCKED)
    except (NotPossible, NoRelease, NoCluster, Unusable) as problem:
        return say(str(problem), Ending.MISUSE)
    except (HelmFailed, Lost, MalformedDocument) as problem:
        return say(str(problem), Ending.STOPPED)
    except (Refused, Unreachable) as problem:
        return say(str(problem), Ending.UNREACHABLE)


class _Commands(click.Group):
    """With `compare`, which loads models: it is imported where it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted((*super().list_commands(ctx), "compare"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "compare":
            from rollout.compare import command

            return command
        return super().get_command(ctx, cmd_name)


# Commands inherit it.
@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--release", "-r", default="trilens", show_default=True, help="Helm's release.")
@click.option("--namespace", "-n", help="Its namespace; the context's own if not given.")
@click.option("--context", help="A context of the kubeconfig; the current one if not given.")
@click.option(
    "--gitops",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write this values file, and change nothing on the cluster.",
)
@click.pass_context
def cli(
    context: click.Context,
    /,
    release: str,
    namespace: str | None,
    gitops: Path | None,
    **options: str | None,
) -> None:
    """Roll out a canary, step by step."""
    context.obj = Place(release, namespace, options["context"], gitops)
