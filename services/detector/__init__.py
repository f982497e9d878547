"""The detector: objects and where they are."""
