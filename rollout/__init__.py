"""Rollouts: a canary is started, judged step by step, promoted or rolled back."""
