"""The gateway as a process: one call in, every model asked, one answer out."""

from chassis.compute import ComputePool
from chassis.server import run
from chassis.settings import ServerSettings, read
from gateway.app import GatewayApp, Host
from gateway.backends import HostedService
from gateway.settings import GatewaySettings


def hosting(settings: GatewaySettings) -> Host:
    """How this process hosts a service; imports a service's code only where it is hosted."""

    def host(task: str, model: str, pool: ComputePool) -> HostedService:
        from services.hosting import ModelSettings

        chosen = ModelSettings(
            model=model, max_waiting=settings.max_queue, max_batch=settings.max_batch
        )
        if task == "classification":
            from services.classifier.__main__ import classifier

            return classifier(chosen, pool)
        if task == "caption":
            from services.captioner.__main__ import captioner

            return captioner(chosen, pool)
        from services.detector.__main__ import detector

        return detector(chosen, pool)

    return host


def main() -> None:
    """Serves until told to stop."""
    server, settings = read(ServerSettings, GatewaySettings)
    run(server, GatewayApp(settings, server, hosting(settings)))


if __name__ == "__main__":
    main()
