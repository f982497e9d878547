"""The package of a fine-tuned captioner: its networks, manifest and card."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any, Final

from services.captioner.model import load
from services.packages import Package
from services.packages.golden import complete
from training import tested_captions
from training.bootstrap import estimates
from training.caption_run import learnt, write_networks
from training.caption_sources import Corpus
from training.card_parts import limits, metric
from training.comparison import compare
from training.release_notes import summary

TEMPLATE: Final = Path(__file__).with_name("cards") / "captions-own.md"
HELD_OUT: Final = "held-out.csv"
_GOLDEN: Final = 2  # photos


def package(
    base: Package, corpus: Corpus, val: Corpus, folder: Path, run: Path, photos: Path
) -> Package:
    """Writes a run's best weights to the new `folder`, and how they do beside `base` on `val`.

    Leaves nothing there if that fails.

    The photos that were held out are listed in the run's folder, for comparisons later. The card's
    golden answers come from the first of them, so the package holds copies of two.
    """
    folder.mkdir(parents=True)
    try:
        return _package(base, corpus, val, folder, run, photos)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _package(
    base: Package, corpus: Corpus, val: Corpus, folder: Path, run: Path, photos: Path
) -> Package:
    write_networks(learnt(run), folder)
    _list(val, run / HELD_OUT)
    golden = [photos / name for name in val.names[:_GOLDEN]]
    fields = _fields(base, folder.name, corpus)
    made = complete(folder, fields, golden, load)
    tested = tested_captions.test(made, ("val", val), ())
    figures = estimates(tested.measures, tested.count)
    metrics = [
        metric(figure.name, one, val.name, "val", tested.count)
        for figure, one in zip(tested.figures, figures, strict=True)
    ]
    made = complete(folder, fields | {"metrics": metrics}, golden, load)
    found = compare(base, made, ("val", val))
    (folder / "card.md").write_text(
        TEMPLATE.read_text().format(
            name=made.manifest.name,
            version=made.manifest.version,
            base=f"{base.manifest.name} {base.manifest.version}",
            license=made.manifest.license.text,
            sources="\n".join(f"- {source}" for source in made.manifest.provenance.sources),
            comparison=summary(base, made, found),
            held_out=len(val.photos),
            limits=limits(made.manifest),
            command=made.manifest.provenance.command,
        )
    )
    return made


def _fields(base: Package, version: str, corpus: Corpus) -> dict[str, Any]:
    """The base's manifest, less what was measured on its weights."""
    fields: dict[str, Any] = base.manifest.model_dump(
        mode="json", by_alias=True, exclude={"golden", "metrics", "calibration"}
    )
    sentences = sum(map(len, corpus.references))
    return fields | {
        "version": version,
        "artifacts": {key: {"path": one["path"]} for key, one in fields["artifacts"].items()},
        "provenance": {
            "sources": [
                *base.manifest.provenance.sources,
                f"{corpus.name}, {len(corpus.photos):,} photos with {sentences:,} sentences",
            ],
            "command": "python -m training.captions finetune",
        },
    }


def _list(corpus: Corpus, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("image", "caption"))
        for photo in corpus.photos:
            rows.writerows((photo.photo, " ".join(words)) for words in photo.sentences)
