"""Bounded load, measured as ratios within one run; speed is judged here, never in a test."""
