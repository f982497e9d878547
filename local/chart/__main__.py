"""`python -m local.chart`: what the chart is checked with, and what is written from it."""

import argparse
import sys

from local.chart import kinds, quickstart, table
from local.cluster.build import build
from local.cluster.needs import Unmet
from local.cluster.programs import HELM, HELM3


def main() -> int:
    """Does what the command line says; 0 if it could."""
    parser = argparse.ArgumentParser(prog="python -m local.chart", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="build Helm 4 and Helm 3, if they are not built yet")
    commands.add_parser("table", help="write the table of values into docs/chart.md")
    commands.add_parser("quickstart", help="write k8s/quickstart.yaml")
    commands.add_parser("kinds", help="take the schemas of Kubernetes and others anew")
    match parser.parse_args().command:
        case "build":
            return _build()
        case "table":
            table.write()
        case "quickstart":
            quickstart.write()
        case _:
            kinds.write()
    return 0


def _build() -> int:
    try:
        build((HELM, HELM3))
    except Unmet as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
