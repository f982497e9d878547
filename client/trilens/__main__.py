"""`python -m trilens`: the command."""

import sys

from trilens.cli import main

sys.exit(main())
