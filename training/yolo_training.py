"""Fine-tunes an Ultralytics detection network on photos with boxes; goes on where it stopped.

The network is trained as it is served: its batch norms are folded into its convolutions, so there
are no statistics that a few photos could spoil.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import nn
from tqdm import tqdm
from ultralytics.cfg import get_cfg

from chassis.images import ImageLimits, decode
from services.detector.letterbox import Letterbox
from services.detector.model import ARTIFACT, Detector
from services.manifest import FILE, Label
from services.packages import Package
from services.packages.order import label_fields
from services.runtimes import open_network
from training import coco
from training.begun import begin, digest
from training.detection import figures, find
from training.yolo import from_onnx, to_onnx, with_labels

_DECAY: Final = 5e-4
_LAST_RATE: Final = 0.05  # of the first one, at the end
_KNOWN_RATE: Final = 0.1  # of the full one
_LONGEST_STEP: Final = 10.0  # norm of a gradient
_LIGHT: Final = 0.3  # a photo is made lighter or darker by up to so much


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train."""

    architecture: str
    labels: tuple[str, ...]
    epochs: int
    rate: float
    batch: int
    work: Path  # of checkpoints


def train(
    package: Package,
    learned: Sequence[coco.TruePhoto],
    held: Sequence[coco.TruePhoto],
    plan: Plan,
    say: Callable[[str], None],
) -> Path:
    """The ONNX file of the best epoch by AP on the held photos.

    Raises ValueError if the plan's folder holds a run of other photos, or by another plan.
    """
    begin(plan.work, _facts(package, learned, held, plan))
    known = tuple(label.name for label in package.manifest.labels)
    network = with_labels(
        from_onnx(package.file(ARTIFACT), known, plan.architecture), known, plan.labels
    )
    network.model[-1].export = False
    network.args = get_cfg()  # how the parts of the loss are weighted
    network.train().requires_grad_(requires_grad=True)
    network.model[-1].dfl.requires_grad_(requires_grad=False)  # it only counts
    optimizer = torch.optim.AdamW(_parts(network, plan.rate), weight_decay=_DECAY)
    best, first = _resumed(plan.work, network, optimizer)
    for epoch in range(first, plan.epochs):
        for group in optimizer.param_groups:
            group["full"] = group["rate"] * _slowed(epoch / plan.epochs)
        loss = _epoch(network, optimizer, learned, package.manifest.max_side, plan, epoch)
        quality = _quality(network, package, held, plan)
        say(f"epoch {epoch + 1}: loss {loss:.3f}, AP {quality:.3f} on the held photos")
        if quality > best:
            best = quality
            (plan.work / "newest.onnx").replace(plan.work / "best.onnx")
        state = {"network": network.state_dict(), "optimizer": optimizer.state_dict()}
        torch.save({**state, "epoch": epoch + 1, "best": best}, plan.work / "writing.pt")
        (plan.work / "writing.pt").replace(plan.work / "last.pt")
    return plan.work / "best.onnx"


def _facts(
    package: Package,
    learned: Sequence[coco.TruePhoto],
    held: Sequence[coco.TruePhoto],
    plan: Plan,
) -> dict[str, Any]:
    """All but the epochs, of which there may be more than at first."""
    return {
        "photos or boxes": _digest(learned),
        "held photos or boxes": _digest(held),
        "package to start from": digest([(package.path / FILE).read_bytes()]),
        "labels": plan.labels,
        "rate": plan.rate,
        "batch": plan.batch,
    }


def _digest(photos: Sequence[coco.TruePhoto]) -> str:
    return digest(
        part
        for one in photos
        for part in (one.content, one.truth.edges.tobytes(), str(one.truth.labels.tolist()))
    )


def _parts(network: Any, rate: float) -> list[dict[str, Any]]:
    """What tells labels apart learns at the full rate, what it already knows at a part of it."""
    last = [weight for branch in network.model[-1].cv3 for weight in branch[-1].parameters()]
    new = {id(weight) for weight in last}
    known = [weight for weight in network.parameters() if id(weight) not in new]
    return [{"params": last, "rate": rate}, {"params": known, "rate": rate * _KNOWN_RATE}]


def _resumed(work: Path, network: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[float, int]:
    """The best AP so far and the next epoch."""
    if not (work / "last.pt").exists():
        return -1.0, 0
    state = torch.load(work / "last.pt", weights_only=True)
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    return float(state["best"]), int(state["epoch"])


def _epoch(
    network: Any,
    optimizer: torch.optim.Optimizer,
    photos: Sequence[coco.TruePhoto],
    side: int,
    plan: Plan,
    epoch: int,
) -> float:
    """The mean loss of a photo."""
    random = np.random.default_rng(epoch)  # another order and other changes in every epoch
    order = random.permutation(len(photos))
    total = 0.0
    network.train()
    for start in tqdm(range(0, len(order), plan.batch), disable=None, leave=False):
        chosen = [photos[place] for place in order[start : start + plan.batch]]
        loss, _ = network.loss(_batch(chosen, side, random))
        # Adam's first steps are as long as any, whatever the gradients: they begin short.
        warm = min(1.0, (start + plan.batch) / len(photos)) if epoch == 0 else 1.0
        for group in optimizer.param_groups:
            group["lr"] = group["full"] * warm
        optimizer.zero_grad()
        loss.sum().backward()
        nn.utils.clip_grad_norm_(network.parameters(), _LONGEST_STEP)
        optimizer.step()
        total += float(loss.sum())
    return total / len(photos)


def _batch(
    photos: Sequence[coco.TruePhoto], side: int, random: np.random.Generator
) -> dict[str, torch.Tensor]:
    """Squares of `side` pixels, some mirrored, lighter or darker, in the form of Ultralytics."""
    images = np.empty((len(photos), side, side, 3), np.uint8)
    owners, labels, edges = [], [], []
    for place, photo in enumerate(photos):
        pixels = decode(photo.content, side, ImageLimits()).pixels.array
        box = Letterbox.fit(pixels, side, side)
        box.draw(pixels, images[place])
        corner, size = np.array([box.left, box.top] * 2), np.array([box.width, box.height] * 2)
        found = (photo.truth.edges * size + corner) / side
        if random.random() < 0.5:
            images[place] = images[place, :, ::-1]
            found[:, [0, 2]] = 1 - found[:, [2, 0]]
        owners.append(np.full(len(found), place))
        labels.append(photo.truth.labels)
        edges.append(found)
    whole = np.concatenate(edges)
    light = 1 + random.uniform(-_LIGHT, _LIGHT, (len(photos), 1, 1, 1))
    scaled = np.clip(images.transpose(0, 3, 1, 2) / 255 * light, 0, 1).astype(np.float32)
    centred = np.concatenate([(whole[:, :2] + whole[:, 2:]) / 2, whole[:, 2:] - whole[:, :2]], 1)
    return {
        "img": torch.from_numpy(scaled),
        "batch_idx": torch.from_numpy(np.concatenate(owners).astype(np.float32)),
        "cls": torch.from_numpy(np.concatenate(labels).astype(np.float32))[:, None],
        "bboxes": torch.from_numpy(centred.astype(np.float32)),
    }


def _quality(
    network: nn.Module, package: Package, held: Sequence[coco.TruePhoto], plan: Plan
) -> float:
    """AP on the held photos, of the file that would be served, which it leaves behind."""
    path = plan.work / "newest.onnx"
    to_onnx(copy.deepcopy(network), path, plan.labels)
    changed = {"labels": tuple(Label(**one) for one in label_fields(plan.labels))}
    manifest = package.manifest.model_copy(update={**changed, "calibration": {}})
    detector = Detector(
        replace(package, manifest=manifest), open_network("onnxruntime", path, threads=1)
    )
    found = find(detector, held)
    detector.close()
    return float(figures(found)(np.ones(len(held)))[1])


def _slowed(done: float) -> float:
    return _LAST_RATE + (1 - _LAST_RATE) * (1 + math.cos(math.pi * done)) / 2
