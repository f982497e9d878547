"""What is wrong with a request before any work is done for it, and what services found wrong."""

from collections.abc import Iterator, Mapping
from typing import Final

from google.rpc import code_pb2, error_details_pb2

from chassis.call import MAX_ID_CHARACTERS, valid_id
from chassis.decoder import unusable
from chassis.errors import InvalidRequest, Violation
from chassis.options import violations
from gateway.outcomes import Failure, Outcome
from gateway.tasks import Task
from trilens.v1 import analysis_pb2 as pb

# More than any deployment has; bounds what checking a hostile request costs.
_MAX_FEATURES: Final = 64


def check(
    request: pb.AnalyzeImageRequest, tasks: Mapping[str, Task], *, has_defaults: bool
) -> None:
    """Raises InvalidRequest with every violation; `tasks` are those of the features there are."""
    found = [*unusable(request.image), *_of_ids(request), *_of_features(request, tasks)]
    if not request.features and not has_defaults:
        found.append(
            Violation("features", "no feature is on by default here: name those to analyse")
        )
    if found:
        raise InvalidRequest(*found)


def check_outcomes(
    request: pb.AnalyzeImageRequest, tasks: Mapping[str, Task], outcomes: Mapping[str, Outcome]
) -> None:
    """Raises InvalidRequest for options that a service refused, such as an unknown label.

    Only the service knows its model's names for sure: a gateway that checked them against what it
    last heard would refuse the labels of a newer version.
    """
    found: list[Violation] = []
    for number, one in enumerate(request.features):
        end = outcomes[one.feature].end
        if isinstance(end, Failure) and end.status.code == code_pb2.INVALID_ARGUMENT:
            path = f"features[{number}].{tasks[one.feature].name}"
            found += _refused_options(end, path)
    if found:
        raise InvalidRequest(*found)


def _refused_options(end: Failure, path: str) -> Iterator[Violation]:
    refused = error_details_pb2.BadRequest()
    for detail in end.status.details:
        if detail.Unpack(refused):
            for one in refused.field_violations:
                # What has no field says how many more there are.
                if one.field.startswith("options.") or not one.field:
                    yield Violation(path + one.field.removeprefix("options"), one.description)


def _of_ids(request: pb.AnalyzeImageRequest) -> Iterator[Violation]:
    for field in ("request_id", "affinity_key"):
        text = getattr(request, field)
        if text and not valid_id(text):
            yield Violation(
                field, f"must be at most {MAX_ID_CHARACTERS} printable ASCII characters"
            )


def _of_features(request: pb.AnalyzeImageRequest, tasks: Mapping[str, Task]) -> Iterator[Violation]:
    if len(request.features) > _MAX_FEATURES:
        yield Violation("features", f"must be at most {_MAX_FEATURES}")
        return
    seen: set[str] = set()
    for number, one in enumerate(request.features):
        path = f"features[{number}]"
        if one.feature in seen:
            yield Violation(f"{path}.feature", f"{one.feature} is asked for twice")
        seen.add(one.feature)
        if one.feature in tasks:
            yield from _of_options(one, tasks[one.feature], path)
        else:
            known = ", ".join(sorted(tasks))
            yield Violation(f"{path}.feature", f"no feature {one.feature!r}: there is {known}")


def _of_options(one: pb.FeatureRequest, task: Task, path: str) -> Iterator[Violation]:
    given = one.WhichOneof("options")
    if given is None:
        return
    if given == task.name:
        yield from violations(getattr(one, given), f"{path}.{given}")
    else:
        yield Violation(f"{path}.{given}", f"{one.feature} takes {task.name} options")
