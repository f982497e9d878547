"""Feature: what the deployment can be asked for, and the backend that answers it."""

from dataclasses import dataclass

from gateway.backends import Backend
from gateway.pulse import Pulse
from gateway.tasks import Task


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature of the deployment, on one lane."""

    name: str
    task: Task
    backend: Backend
    on_by_default: bool
    pulse: Pulse
