"""Settings as an operator gives them: environment variables."""

import os

import pytest
from pydantic import ValidationError

from chassis.settings import PREFIX, ServerSettings, cores, read
from gateway.settings import GatewaySettings
from services.detector.settings import DetectorSettings


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)


def problems(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_an_empty_environment_gives_the_defaults() -> None:
    server, own = read(ServerSettings, DetectorSettings)

    assert (server.port, server.health_port, server.metrics_port) == (50051, 50052, 9090)
    assert own.model == "models/objects/1.1.0"
    assert own.runtime is None


def test_variables_are_read_with_the_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRILENS_PORT", "0")
    monkeypatch.setenv("TRILENS_GRACE", "2.5")
    monkeypatch.setenv("TRILENS_MODEL", "/packages/mine")
    monkeypatch.setenv("PORT", "1")

    server, own = read(ServerSettings, DetectorSettings)

    assert (server.port, server.grace, own.model) == (0, 2.5, "/packages/mine")


def test_every_problem_of_both_is_told_at_once_and_the_exit_code_is_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRILENS_PORT", "70000")
    monkeypatch.setenv("TRILENS_GRACE", "soon")
    monkeypatch.setenv("TRILENS_LOG_LEVEL", "LOUD")
    monkeypatch.setenv("TRILENS_MAX_BATCH", "0")

    with pytest.raises(SystemExit) as end:
        read(ServerSettings, DetectorSettings)

    assert end.value.code == 2
    names = [line.split(":")[0] for line in problems(capsys)]
    assert names == ["TRILENS_PORT", "TRILENS_GRACE", "TRILENS_LOG_LEVEL", "TRILENS_MAX_BATCH"]


def test_features_are_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "TRILENS_FEATURES",
        '{"objects": {"task": "detection", "target": "detector:50051"},'
        ' "attributes": {"task": "classification", "model": "m", "on_by_default": false}}',
    )

    _, own = read(ServerSettings, GatewaySettings)

    assert list(own.features) == ["objects", "attributes"]
    assert own.features["objects"].target == "detector:50051"
    assert own.features["attributes"].model == "m"
    assert not own.features["attributes"].on_by_default


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("{", "TRILENS_FEATURES: Value error, is not JSON: EOF while parsing"),
        ("{}", "TRILENS_FEATURES: Value should have at least 1 item"),
        ("[]", "TRILENS_FEATURES: Input should be a valid dictionary"),
        ('{"x": {"task": "smell"}}', "TRILENS_FEATURES__X__TASK: Input should be 'classification'"),
        ('{"x": {"task": "caption"}}', "TRILENS_FEATURES__X: Value error, set either target or"),
        (
            '{"x": {"task": "caption", "model": "m", "target": "t"}}',
            "TRILENS_FEATURES__X: Value error, set either target or model",
        ),
        (
            '{"x": {"task": "caption", "model": "m", "modle": "t"}}',
            "TRILENS_FEATURES__X__MODLE: Extra inputs are not permitted",
        ),
    ],
)
def test_features_that_are_wrong_are_told_with_the_other_problems(
    value: str, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRILENS_FEATURES", value)
    monkeypatch.setenv("TRILENS_PORT", "-1")

    with pytest.raises(SystemExit):
        read(ServerSettings, GatewaySettings)

    first, second = problems(capsys)
    assert first.startswith("TRILENS_PORT: ")
    assert second.startswith(line)


def test_settings_cannot_be_changed_later() -> None:
    settings = ServerSettings()

    with pytest.raises(ValidationError):
        settings.port = 1  # type: ignore[misc]


def test_no_number_of_threads_means_one_for_every_core() -> None:
    assert ServerSettings(threads=0).slots() == cores() >= 1
    assert ServerSettings(threads=3).slots() == 3


@pytest.mark.parametrize(("argument", "code"), [("--help", 0), ("--port=1", 2)])
def test_arguments_show_the_settings_instead_of_starting_a_server(
    argument: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        read(ServerSettings, GatewaySettings, [argument])

    assert ended.value.code == code
    assert "TRILENS_PORT: Port for gRPC; 0 takes a free one." in capsys.readouterr().out


def test_a_misspelt_setting_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRILENS_ADRESS", "1")
    monkeypatch.setenv("TRILENS_SERVER", "localhost:1")

    read(ServerSettings, GatewaySettings)

    assert capsys.readouterr().err == "TRILENS_ADRESS: no such setting here; it is ignored\n"
