"""The verb `drive` as the command line runs it: `verb.py ARGUMENTS`."""

import os
import sys

from trainer.cli import main

code = main(["drive", *sys.argv[1:]], {"drive": ("sim_agent.drive_cli:drive", "")})
sys.stdout.flush()
os._exit(code)
