"""`python -m sim_agent.embedded`: the embedded simulator as a process of its own, until it is interrupted."""

import sys

from sim_agent.embedded.cli import sim
from trainer.errors import UserError

if __name__ == "__main__":
    try:
        sys.exit(sim(sys.argv[1:]))
    except UserError as error:
        print(f"sim: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
