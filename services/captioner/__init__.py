"""The captioner: a sentence about a photo."""
