"""The caption package's networks as Keras has them, packed as SavedModels."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import tensorflow as tf
from keras import ops

from services.captioner.model import VOCABULARY
from services.packages import Package
from training.caption_export import MEMORY_AND_STATE, one_word, restore, step_inputs
from training.caption_features import sight
from training.caption_network import Decoder
from training.caption_speaker import Look


def save(package: Package, folder: Path) -> None:
    """Writes encoder.zip and decoder.zip for the tensorflow runtime."""
    words = package.file(VOCABULARY).read_text(encoding="utf-8").splitlines()
    eye, decoder = sight(), Decoder(len(words), name="decoder")
    _, rows, columns, channels = eye.output.shape
    decoder.build((None, rows * columns, channels))
    restore(package.path, eye, decoder)
    look = Look(decoder)

    def encode(images: Any) -> dict[str, Any]:
        places = ops.reshape(eye(images, training=False), (-1, rows * columns, channels))
        return dict(zip(MEMORY_AND_STATE, look(places), strict=True))

    images = tf.TensorSpec(eye.input.shape, tf.float32, "images")
    _save(encode, (images,), (eye, look, decoder), folder / "encoder")
    _save(one_word(decoder), step_inputs(decoder, rows * columns), (decoder,), folder / "decoder")


def _save(function: Any, inputs: tuple[Any, ...], parts: tuple[Any, ...], path: Path) -> None:
    module = tf.Module()
    module.parts = parts  # what the function computes with is saved along
    traced = tf.function(function, input_signature=inputs, autograph=False)
    with tempfile.TemporaryDirectory() as scratch:
        tf.saved_model.save(module, scratch, traced.get_concrete_function())
        shutil.make_archive(str(path), "zip", scratch)
