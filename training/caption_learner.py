"""An eye and a decoder that learn, each way there is, and keep what they learnt in a folder."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from training.caption_batches import LENGTH, SENTENCES, encode, shuffled
from training.caption_corpus import Vocabulary
from training.caption_features import Features, features, look, seen_size, sight
from training.caption_network import Decoder
from training.caption_reward import Critic, Draw, rehearse, tempered
from training.caption_scores import CiderD, bleu
from training.caption_sight import varied_batches, whole
from training.caption_sources import Corpus
from training.caption_speaker import KerasSpeaker, best_words
from training.caption_stages import Loss, Stage, compiled, run, smoothed, teach


class Learner:
    """An eye and a decoder that learn, with the folder where they keep what they learnt."""

    def __init__(self, folder: Path, vocabulary: Vocabulary, policy: str) -> None:
        self.folder = folder
        self.vocabulary = vocabulary
        self.eye = sight()
        self.decoder = Decoder(len(vocabulary), dtype=policy, name="decoder")
        inputs = keras.Input(seen_size(self.eye)), keras.Input((SENTENCES, LENGTH), dtype="int32")
        self._reader = keras.Model(inputs, self.decoder(*inputs))
        self._whole = whole(self.eye, self.decoder)

    def read(self, stage: Stage, corpus: Corpus, val: Corpus, seed: int) -> None:
        """Teaches the decoder people's sentences, word by word."""
        seen = self._features(corpus, val)
        words = encode(corpus.photos, self.vocabulary)
        self._begin(self._reader, stage, smoothed, corpus)
        run(
            stage,
            self.folder,
            self._reader,
            lambda epoch: teach(
                self._reader,
                shuffled(seen(corpus), words, stage.batch, (seed, stage.number, epoch)),
                len(words) // stage.batch,
            ),
            lambda: self._score(val, seen(val)[:, 0]),
        )

    def look(self, stage: Stage, corpus: Corpus, val: Corpus, seed: int) -> None:
        """Teaches the eye's last blocks and the decoder the same, from the photos themselves."""
        words = encode(corpus.photos, self.vocabulary)
        self._begin(self._whole, stage, smoothed, corpus)
        run(
            stage,
            self.folder,
            self._whole,
            lambda epoch: teach(
                self._whole,
                varied_batches(corpus, words, stage.batch, (seed, stage.number, epoch)),
                len(words) // stage.batch,
            ),
            lambda: self._score(val, np.stack(list(look(self.eye, val.pixels(val.names))))),
        )

    def rehearse(self, stage: Stage, corpus: Corpus, val: Corpus, seed: int) -> None:
        """Rewards the decoder's own sentences by CIDEr-D."""
        seen = self._features(corpus, val)
        draw = Draw.model(self.decoder, seen_size(self.eye), SENTENCES, seed)
        critic = Critic(corpus.photos, self.vocabulary)
        self._begin(self._reader, stage, tempered, corpus)
        run(
            stage,
            self.folder,
            self._reader,
            lambda epoch: rehearse(
                self._reader,
                draw,
                critic,
                seen(corpus),
                stage.batch,
                (seed, stage.number, epoch),
            ),
            lambda: self._score(val, seen(val)[:, 0]),
        )

    def take_up(self, *stages: Stage) -> None:
        """Takes the best weights of every stage that was begun: the last one's in the end."""
        for stage in stages:
            if stage.best(self.folder).exists():
                model = self._whole if stage.looks else self._reader
                model.load_weights(stage.best(self.folder))

    def take_last(self, stage: Stage) -> None:
        """Takes a stage's last weights instead, as they were before any were averaged."""
        (self._whole if stage.looks else self._reader).load_weights(stage.last(self.folder))

    def _begin(self, model: keras.Model, stage: Stage, loss: Loss, corpus: Corpus) -> None:
        self.decoder.dropout = stage.dropout
        compiled(model, loss, stage.rate, len(corpus.photos) // stage.batch * stage.epochs)

    def _features(self, corpus: Corpus, val: Corpus) -> Callable[[Corpus], Features]:
        """What the untaught eye sees in either; in memory for as long as the stage lasts."""

        @cache
        def of(part: str) -> Features:
            path = self.folder / f"features-{part}.npy"
            return features(corpus if part == "train" else val, path, self.eye)

        return lambda one: of("train" if one is corpus else "val")

    def _score(self, val: Corpus, seen: NDArray[Any]) -> float:
        speaker = KerasSpeaker(self.decoder, *seen_size(self.eye))
        found = [self.vocabulary.decode(words) for words in best_words(speaker.sentences(seen))]
        print(f"BLEU-4 {bleu(found, val.references)[-1]:.4f}", flush=True)
        return CiderD(val.references).mean(found)
