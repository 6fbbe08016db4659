"""`python -m sim_agent`: the command line, as `launch.py` and `carla-unet` are."""

import sys

from sim_agent.cli import main

if __name__ == "__main__":
    sys.exit(main())
