"""Settings: declared, frozen, read from TRILENS_* once; every problem reported at once."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_core import from_json
from pydantic_settings import BaseSettings, SettingsConfigDict

A = TypeVar("A", bound=BaseSettings)
B = TypeVar("B", bound=BaseSettings)

PREFIX = "TRILENS_"
_OF_OTHERS: Final = frozenset({"TRILENS_DATA", "TRILENS_SERVER"})  # of training, of the client
Seconds = Annotated[float, Field(gt=0, le=86400)]
Port = Annotated[int, Field(ge=0, le=65535)]


def _from_json(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return from_json(value)
    except ValueError as error:
        raise ValueError(f"is not JSON: {error}") from None


# Beside NoDecode, on a field whose variable holds JSON: text that is none is then one problem among
# the others. Left to pydantic-settings, it would end the reading before the rest is looked at.
FROM_JSON: Final = BeforeValidator(_from_json)


class Settings(BaseSettings):
    """What all settings share: the prefix, and that nothing changes them later."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", frozen=True, extra="ignore"
    )


class ServerSettings(Settings):
    """What every server of the system needs to know."""

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for every one.")
    port: Port = Field(50051, description="Port for gRPC; 0 takes a free one.")
    health_port: Port = Field(50052, description="Port for plaintext health checks; 0: a free one.")
    metrics_port: Port = Field(9090, description="Port for GET /metrics; 0 takes a free one.")
    ports_file: Path | None = Field(
        None, description="File that gets the ports in use as JSON, once they are bound."
    )
    max_message_bytes: int = Field(
        64 << 20, ge=1 << 20, description="Largest message; above the largest photo."
    )
    default_deadline: Seconds = Field(5.0, description="Seconds a call without a deadline gets.")
    max_deadline: Seconds = Field(60.0, description="Longest a call may take, in seconds.")
    drain_delay: float = Field(
        0.0, ge=0, le=600, description="Seconds between 'not ready' and refusing new calls."
    )
    max_connection_age: float = Field(
        0.0,
        ge=0,
        le=86400,
        description="Seconds after which a client is asked to connect anew, and may meet another "
        "server; calls under way are finished. 0: never.",
    )
    grace: Seconds = Field(30.0, description="Seconds that calls in flight get to finish.")
    threads: int = Field(0, ge=0, le=1024, description="Compute threads; 0 means one per core.")
    lend_after: Seconds = Field(
        0.5, description="Seconds after which a compute job's core is lent to other jobs, too."
    )
    hang_after: Seconds = Field(
        30.0, description="Seconds without an end of any batch after which a model is not ready."
    )
    exit_unstarted: bool = Field(
        default=False,
        description="End if there is nothing to serve, for those who show a process's end.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least important log lines that are written."
    )

    def usual_deadline(self) -> float:
        """Seconds a call without a deadline gets: never more than a call may take."""
        return min(self.default_deadline, self.max_deadline)

    def slots(self) -> int:
        """Compute threads in use."""
        return self.threads or cores()


def cores() -> int:
    """Cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS has no affinity
        return os.cpu_count() or 1


def read(first: type[A], second: type[B], arguments: Sequence[str] = ()) -> tuple[A, B]:
    """Both from the environment; prints every problem and exits with 2 if there are any.

    `arguments` are the command's own: it has none but --help, which prints the settings.
    """
    known = {**first.model_fields, **second.model_fields}
    if arguments:
        lines = (f"{PREFIX}{name.upper()}: {field.description}" for name, field in known.items())
        sys.stdout.write("Settings, as environment variables:\n" + "\n".join(lines) + "\n")
        raise SystemExit(0 if arguments[0] in ("-h", "--help") else 2)
    for name in sorted(os.environ):
        field = name.removeprefix(PREFIX).split("__")[0].lower()
        if name.startswith(PREFIX) and field not in known and name not in _OF_OTHERS:
            sys.stderr.write(f"{name}: no such setting here; it is ignored\n")
    problems: list[str] = []
    one, other = _read(first, problems), _read(second, problems)
    if one is None or other is None:
        sys.stderr.write("\n".join(problems) + "\n")
        raise SystemExit(2)
    return one, other


def _read(settings: type[A], problems: list[str]) -> A | None:
    try:
        return settings()
    except ValidationError as error:
        for problem in error.errors():
            name = PREFIX + "__".join(str(part) for part in problem["loc"]).upper()
            problems.append(f"{name}: {problem['msg']}")
        return None
