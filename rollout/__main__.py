"""`python -m rollout`: a canary of one model or several, step by step, and back."""

import sys

from rollout.commands import main

if __name__ == "__main__":
    sys.exit(main())
