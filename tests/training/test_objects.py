"""The default detector: its figures are those that its card and manifest state."""

import os
from pathlib import Path

import numpy as np
import pytest

from services.detector.model import load
from services.packages import open_package
from training.detection import FIGURES, drawn, figures, find

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("TRILENS_DATA", ROOT.parent / "shared" / "data"))
PACKAGE = ROOT / "models" / "objects" / "1.1.0"

needs_data = pytest.mark.skipif(
    not (DATA / "detection").is_dir(), reason="needs the photos of ../shared/data/detection"
)


@needs_data
def test_evaluation_gives_the_figures_of_the_manifest():
    detector = load(open_package(PACKAGE))
    stated = {
        metric.name: metric.value
        for metric in detector.package.manifest.metrics
        if metric.split == "val"
    }

    found = figures(find(detector, drawn(DATA / "detection", "val")))(np.ones(36))

    assert found == pytest.approx([stated[name] for name in FIGURES], abs=0.005)


def test_the_card_states_the_manifests_figures_and_terms():
    manifest = open_package(PACKAGE).manifest
    card = (PACKAGE / "card.md").read_text()

    assert "AGPL-3.0" in manifest.license.id
    assert "AGPL-3.0" in card
    for metric in manifest.metrics:
        assert f"{metric.value:.3f}" in card


@needs_data
@pytest.mark.filterwarnings("ignore")  # torch's own
def test_the_packages_weights_are_the_reference_weights():
    pytest.importorskip("ultralytics", reason="needs the training environment")
    from services.runtimes.ultralytics import for_inference
    from training import coco, yolo
    from training.objects_package import REFERENCE

    labels = coco.labels(DATA / "detection")
    reference = for_inference(yolo.from_reference(DATA / REFERENCE, labels)).state_dict()
    packaged = yolo.from_onnx(PACKAGE / "detector.onnx", labels).state_dict()

    for name, weights in reference.items():
        assert np.array_equal(weights.numpy(), packaged[name].numpy()), name


@pytest.mark.filterwarnings("ignore")
def test_weights_of_another_architecture_are_refused():
    pytest.importorskip("ultralytics", reason="needs the training environment")
    from training.yolo import from_onnx

    with pytest.raises(ValueError, match=r"is no yolo11n\.yaml"):
        from_onnx(PACKAGE / "detector.onnx", ("thing",) * 80, "yolo11n.yaml")
