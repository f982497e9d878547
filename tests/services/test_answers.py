"""What a service tells of its model."""

from services.answers import describe
from services.served_sets import served_sets
from tests.fakes import fake_package
from trilens.v1 import explanation_pb2

FIGURE = {"name": "AP50", "value": 0.56, "dataset": "photos", "split": "val+test", "count": 90}


def test_figures_are_told_with_their_interval_where_there_is_one() -> None:
    package = fake_package(
        metrics=[FIGURE | {"low": 0.5, "high": 0.625}, FIGURE | {"name": "AP"}],
        limits=["Small objects are missed."],
    )

    told = describe(
        package,
        served_sets(package.manifest),
        max_side=64,
        runtime="onnxruntime",
        explanation_method=explanation_pb2.EXPLANATION_METHOD_UNSPECIFIED,
    )

    sure, unsure = told.metrics
    assert (sure.low, sure.high, sure.split) == (0.5, 0.625, "val+test")
    assert not unsure.HasField("low")
    assert not unsure.HasField("high")
    assert list(told.limits) == ["Small objects are missed."]
