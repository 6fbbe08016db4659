"""Make the environments of the references: a virtual environment each, filled by pip from its pins.

    python -m benchmarks.references [DIR] [--only keras smp]

One that is whole and as it is pinned stays as it is. DIR must then be named to `bench` by CARLA_UNET_REFERENCES.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import venv
from importlib.util import find_spec
from pathlib import Path

from benchmarks import references


def make(name: str) -> None:
    """Make one, anew if it is there half or with other pins. SystemExit with one line where that cannot be."""
    place = references.folder() / name
    if place.exists() and not (place / references.PINS).is_file():
        raise SystemExit(f"{place}: is there and was not made by this command; name another folder")
    print(f"{name}: installing into {place}", flush=True)
    venv.EnvBuilder(with_pip=True, clear=True).create(place)
    (place / references.PINS).touch()
    python = str(references.python_of(place))
    pins = references.requirements(name)
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r", str(pins)]
    # Nothing on the path of this process may count as installed there.
    if subprocess.run(command, check=False, env=os.environ | {"PYTHONPATH": ""}).returncode:
        raise SystemExit(f"{name}: pip could not install {pins}; the reason stands above")
    if name in references.WITH_OUR_TORCH:
        _lend_torch(python)
    shutil.copyfile(pins, place / references.PINS)


def _lend_torch(python: str) -> None:
    """Let an environment import what this one has, after what it has itself."""
    spec = find_spec("torch")
    assert spec is not None and spec.origin is not None
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    theirs = subprocess.run([python, "-c", ask], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    # After pip, and never before: pip would take what it finds by this path for its own to replace.
    (Path(theirs) / "torch-of-carla-unet.pth").write_text(f"{Path(spec.origin).parent.parent}\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dir", nargs="?", type=Path, help=f"where (default: {references.folder()})")
    parser.add_argument("--only", nargs="+", choices=references.NAMES, default=references.NAMES, metavar="NAME")
    arguments = parser.parse_args()
    if arguments.dir is not None:
        os.environ[references.VARIABLE] = str(arguments.dir.absolute())
    for name in arguments.only:
        if references.find(name) is None:
            make(name)
        print(f"{name}: there", flush=True)
    if arguments.dir is not None:
        print(f"now {references.VARIABLE}={arguments.dir.absolute()} must be set for `bench`", file=sys.stderr)


if __name__ == "__main__":
    main()
