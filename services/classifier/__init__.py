"""The classifier: attributes of the faces in a photo."""
