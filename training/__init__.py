"""Training: one module per model, each ending in a package under models/."""
