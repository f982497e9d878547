"""`python -m rollout`: a canary of one model or several, step by step, and back."""

import sys

import rollout.commands  # noqa: F401  # that is what `main` finds
from rollout.cli import main

if __name__ == "__main__":
    sys.exit(main())
