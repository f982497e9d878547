"""Image formats: each module checks one of them before work, and decodes it."""
