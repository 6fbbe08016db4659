"""The command line in a checkout: `python launch.py VERB`. Installed, the same code is `carla-unet VERB`."""

import sys

from sim_agent.cli import main

if __name__ == "__main__":
    sys.exit(main())
