"""Simulated canaries: how often the judge is wrong, and how soon it is right."""
