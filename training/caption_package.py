"""Makes the default caption package of a training run: networks, figures, manifest and card."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from services.captioner.model import load
from services.packages.golden import complete
from training import plots
from training.caption_ablation import trials
from training.caption_card import SERVED, card, fields
from training.caption_findings import Findings, Quality, quality
from training.caption_robustness import conditions, slices
from training.caption_run import STAGES, learnt, write_networks
from training.caption_runtimes import runtimes
from training.caption_sources import Corpus
from training.caption_stages import Progress
from training.card_parts import plot_file

GOLDEN: Final = tuple(Path("tests/photos") / name for name in ("astronaut.jpg", "cat.jpg"))


def package(run: Path, folder: Path, version: str, splits: dict[str, Corpus]) -> Quality:
    """Writes the package of a run's best weights to the new `folder`; `splits` are val and test."""
    folder.mkdir(parents=True)
    learner = learnt(run)
    write_networks(learner, folder)
    unmeasured = complete(folder, fields(version), GOLDEN, load)
    found = quality(unmeasured, splits)
    rest = Findings(
        conditions=tuple(conditions(unmeasured, splits["test"])),
        slices=slices(found.written["test"]),
        runtimes=tuple(runtimes(learner, unmeasured, found.written["test"])),
        trials=trials(run, splits["val"], SERVED),
        cpu_minutes=sum(Progress.read(stage.noted(run)).seconds for stage in STAGES) / 60,
    )
    made = complete(folder, fields(version, found), GOLDEN, load)
    _draw(folder, found)
    (folder / "card.md").write_text(card(made, found, rest))
    return found


def _draw(folder: Path, found: Quality) -> None:
    test = found.written["test"]
    sure = found.confidence["test"].sureness
    plots.sharpness(plot_file(folder, "sharpness"), sure, test.scores, "CIDEr-D")
    plots.reliability(
        plot_file(folder, "reliability"),
        {split: judged.bins for split, judged in found.confidence.items()},
    )
    lengths = [len(words) for words in test.sentences]
    theirs = [len(words) for several in test.corpus.references for words in several]
    most = max(*lengths, *theirs)
    plots.curves(
        plot_file(folder, "length"),
        {
            name: (
                list(range(1, most + 1)),
                [counted.count(words) / len(counted) for words in range(1, most + 1)],
            )
            for name, counted in (("the model", lengths), ("people", theirs))
        },
        "words of a sentence",
        "share of sentences",
    )
