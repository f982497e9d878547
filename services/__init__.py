"""The services: each hosts one model."""
