"""`python -m quickthumb` is the command line, also from a checkout where nothing is installed."""

import sys

from quickthumb.cli import main

sys.exit(main())
