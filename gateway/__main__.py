"""The gateway as a process: one call in, every model asked, one answer out."""

import os
import sys
from collections.abc import Mapping

from chassis.compute import ComputePool
from chassis.server import run
from chassis.settings import ServerSettings, read
from gateway.app import GatewayApp, Host
from gateway.backends import HostedService
from gateway.settings import FeatureSettings, GatewaySettings, contradictions


def hosting(settings: GatewaySettings) -> Host:
    """How this process hosts a service; imports a service's code only where it is hosted."""

    def host(feature: FeatureSettings, pool: ComputePool) -> HostedService:
        from services.hosting import ModelSettings

        # Every field is given: none is left to variables that are meant for a service's process.
        chosen = ModelSettings(
            model=feature.model or "",
            runtime=feature.runtime,
            threshold_files=feature.threshold_files,
            threshold_set=feature.threshold_set,
            max_waiting=settings.max_queue,
            max_batch=settings.max_batch,
            explain_seconds=settings.explain_seconds,
            max_explaining=settings.max_explaining,
            track="stable",  # a canary is a service of its own
        )
        if feature.task == "classification":
            from services.classifier.__main__ import classifier

            return classifier(chosen, pool)
        if feature.task == "caption":
            from services.captioner.__main__ import captioner

            return captioner(chosen, pool)
        from services.detector.__main__ import detector

        return detector(chosen, pool)

    return host


def api_around(environment: Mapping[str, str]) -> str:
    """The API server's URL as Kubernetes tells its containers, which needs no DNS; else ""."""
    host = environment.get("KUBERNETES_SERVICE_HOST", "")
    port = environment.get("KUBERNETES_SERVICE_PORT", "443")
    return f"https://{f'[{host}]' if ':' in host else host}:{port}" if host else ""


def main() -> None:
    """Serves until told to stop."""
    server, settings = read(ServerSettings, GatewaySettings, sys.argv[1:])
    if not settings.kubernetes_api:
        settings = settings.model_copy(update={"kubernetes_api": api_around(os.environ)})
    if problems := tuple(contradictions(server, settings)):
        sys.stderr.write("\n".join(problems) + "\n")
        raise SystemExit(2)
    run(server, GatewayApp(settings, server, hosting(settings)))


if __name__ == "__main__":
    main()
