"""The command line: what it says before it has met a cluster."""

import pytest
from click import Context
from click.testing import CliRunner

import rollout.commands  # noqa: F401  # that is what the command line finds
from rollout.cli import cli


@pytest.mark.parametrize("command", ["", *cli.list_commands(Context(cli))])
def test_every_command_explains_itself_for_short_and_for_long(command: str):
    short, long = (
        CliRunner().invoke(cli, [*command.split(), flag], prog_name="rollout")
        for flag in ("-h", "--help")
    )

    assert short.exit_code == long.exit_code == 0
    assert short.output == long.output
    assert short.output.startswith(f"Usage: {' '.join(('rollout', *command.split()))} ")
