"""`python -m spikewright`."""

import sys

from spikewright.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
