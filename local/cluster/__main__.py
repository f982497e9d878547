"""`python -m local.cluster`: a real Kubernetes on this machine, for tests."""

import argparse
import signal
import sys
import time
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from local.cluster import addons, cluster, control, gpus, images, oci, product
from local.cluster.alone import alone
from local.cluster.build import build
from local.cluster.needs import Unmet, check_images, check_machine
from local.cluster.place import Living, Place
from local.cluster.programs import CORE, EXTRAS
from services.packages import InvalidPackage


def main() -> int:
    """Does what the command line says; 0 if it could."""
    options = _options()
    try:
        _do(options, Place(options.name))
    except (Unmet, cluster.Failed, images.NotBuilt, addons.NotInstalled, InvalidPackage) as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def _do(options: argparse.Namespace, place: Place) -> None:
    begun = time.monotonic()
    match options.command:
        case "needs":
            check_machine()
            check_images()
            print("clusters can be started here, and images built")
        case "build":
            build(CORE + EXTRAS if options.all else CORE)
        case "up":
            check_machine()
            build(CORE)
            with alone(f"cluster {place.name}"):
                cluster.up(place)
            print(f"cluster {place.name} is ready after {time.monotonic() - begun:.1f} s")
            print("  python -m local.cluster run kubectl get nodes")
        case "down":
            with alone(f"cluster {place.name}"):
                cluster.down(place)
            print(f"cluster {place.name} is gone after {time.monotonic() - begun:.1f} s")
        case "run":
            cluster.run(place, options.words)
        case "load":
            images.load(_living(place), options.file)
        case "tag":
            images.tag(_living(place), options.image, options.other)
        case "add":
            addons.install(place, _living(place), options.addon)
            print(f"{options.addon} is ready after {time.monotonic() - begun:.1f} s")
        case "image":
            _image(options, place)
        case "images":
            _loaded(chain(product.build(), product.build_tiny()), place)
        case "package":
            _loaded(map(product.package, options.folders), place)
        case "gpu":
            _living(place)
            gpus.set_health(place.gpus, options.gpu, options.health)
        case _:
            _control(options, place)


def _image(options: argparse.Namespace, place: Place) -> None:
    images.build_base()
    arguments = {"BASE": images.BASE, **dict(options.build_arg)}
    recipe = images.Recipe(options.dockerfile, options.context, options.target, arguments)
    _loaded([images.build(options.image, recipe)], place)


def _loaded(files: Iterable[Path], place: Place) -> None:
    for file in files:
        names = ", ".join(oci.names(file))
        print(f"{names} is in {file}")
        if living := Living.read(place):
            images.load(living, file)
            print(f"cluster {place.name} has it", flush=True)


def _control(options: argparse.Namespace, place: Place) -> None:
    _living(place)
    verb = {"status": "tell", "stop": "stop", "start": "start"}.get(options.command, "signal")
    words = {"part": options.part} if options.command != "status" else {}
    if verb == "signal":
        words["number"] = signal.Signals[f"SIG{options.signal}"]
    for name, state in control.ask(place, verb, **words).items():
        print(f"{name:24} {state}")


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text}: NAME=VALUE is wanted")
    return name, value


def _living(place: Place) -> Living:
    living = Living.read(place)
    if living is None:
        raise cluster.Failed(f"there is no cluster {place.name}: make cluster")
    return living


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.cluster", description=__doc__)
    parser.add_argument("--name", default="trilens", help="one of several clusters")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("needs", help="say what this machine lacks")
    building = commands.add_parser("build", help="build the programs that are not built yet")
    building.add_argument("--all", action="store_true", help="kwok, metrics-server and KEDA, too")
    commands.add_parser("up", help="start the cluster and wait until it takes pods")
    commands.add_parser("down", help="end it, and leave nothing behind")
    commands.add_parser("status", help="what each of its programs does")
    running = commands.add_parser("run", help="run a command in its network: kubectl, helm, ...")
    running.add_argument("words", nargs=argparse.REMAINDER)
    loading = commands.add_parser("load", help="load the images of an OCI archive")
    loading.add_argument("file", type=Path)
    tagging = commands.add_parser("tag", help="give an image that it has a second name")
    tagging.add_argument("image")
    tagging.add_argument("other")
    image = commands.add_parser("image", help="build an image, and load it if the cluster runs")
    image.add_argument("image", help="its name, such as localhost/gateway:1")
    image.add_argument("--dockerfile", type=Path, default=Path("Dockerfile"))
    image.add_argument("--context", type=Path, default=Path())
    image.add_argument("--target", default="", help="a stage of the Dockerfile; default: the last")
    image.add_argument("--build-arg", action="append", default=[], type=_assignment)
    commands.add_parser("images", help="build the product's images, and load them likewise")
    packing = commands.add_parser("package", help="make images of model packages, likewise")
    packing.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    adding = commands.add_parser("add", help="install something on it, building it if needed")
    adding.add_argument("addon", choices=sorted(addons.ADDONS))
    gpu = commands.add_parser("gpu", help="take a simulated GPU away, or bring it back")
    gpu.add_argument("gpu", choices=[f"gpu-{number}" for number in range(gpus.COUNT)])
    gpu.add_argument("health", choices=(gpus.HEALTHY, gpus.LOST))
    for verb, meaning in (("stop", "end one program"), ("start", "start it again")):
        commands.add_parser(verb, help=meaning).add_argument("part")
    sending = commands.add_parser("signal", help="send a program a signal, such as STOP or CONT")
    sending.add_argument("part")
    sending.add_argument("signal")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
