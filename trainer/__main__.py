"""`python -m trainer VERB ...`: the verbs that need no simulator, as a job on a cluster calls them."""

import sys

from trainer.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
