"""`python -m sim_agent.embedded`: the verb `sim`, the embedded simulator in a process of its own until Ctrl-C."""

import sys

from sim_agent.cli import main

if __name__ == "__main__":
    sys.exit(main(["sim", *sys.argv[1:]]))
