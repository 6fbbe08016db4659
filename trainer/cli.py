"""The command line: one verb a job, found by name and imported only when it is called."""

from __future__ import annotations

import importlib
import os
import select
import sys
from collections.abc import Mapping, Sequence

from trainer.config import nearest
from trainer.errors import UserError

VERBS: dict[str, tuple[str, str]] = {
    "data": ("trainer.dataset.cli:data", "check, stats, repair, export or draw sample data"),
    "train": ("trainer.train_cli:train", "fit a U-Net as a Ray Train job; the same run name resumes"),
    "model": ("trainer.model_cli:model", "show a network: layers, shapes, parameters"),
    "evaluate": ("trainer.model_cli:evaluate", "score a model: mIoU, by class, town and weather; a report page"),
    "predict": ("trainer.model_cli:predict", "masks and overlays of any pictures"),
    "export": ("trainer.model_cli:export", "another engine for a model, scored against the original"),
}
"""Verb -> (module:function, one line). The function takes the arguments after the verb and returns the exit code."""


def main(argv: Sequence[str] | None = None, verbs: Mapping[str, tuple[str, str]] = VERBS) -> int:
    """Run one of `verbs`. Exit codes: 0 good, 1 failed (one sentence on stderr), 2 wrong arguments, 130 interrupted, 141
    nobody reads standard output any more (`| head`).
    """
    args = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in args
    args = [a for a in args if a != "--debug"]
    if not args or args[0] in ("-h", "--help"):
        print(_usage(verbs))
        return 0 if args else 2
    verb, rest = args[0], args[1:]
    if verb not in verbs:
        print(f"carla-unet: there is no verb {verb!r}; {nearest(verb, verbs)}", file=sys.stderr)
        return 2
    module, function = verbs[verb][0].split(":")
    try:
        code = int(getattr(importlib.import_module(module), function)(rest))
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        if not _is_reader_gone():
            raise
        # What is still in the buffer would fail again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except UserError as error:
        if debug:
            raise
        print(f"carla-unet {verb}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        if debug:
            raise
        print(f"carla-unet {verb}: interrupted.", file=sys.stderr)
        return 130


def _is_reader_gone() -> bool:
    """Whether it is standard output that is broken, and not a connection of ours."""
    if not hasattr(select, "poll"):  # Windows
        return True
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(events & select.POLLERR for _, events in poll.poll(0))


def _usage(verbs: Mapping[str, tuple[str, str]]) -> str:
    width = max(map(len, verbs))
    lines = ["usage: python launch.py VERB ...   (installed: carla-unet VERB ...)", ""]
    lines += [f"  {verb:<{width}}  {line}" for verb, (_, line) in verbs.items()]
    lines += ["", "VERB --help shows its arguments with units and defaults; --debug shows tracebacks."]
    return "\n".join(lines)
