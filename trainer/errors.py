"""The errors that a user can cause, as one tree; each message is one sentence that says what to do.

    UserError                 exit code 1
    ├── UsageError            exit code 2: wrong arguments on the command line
    ├── ConfigError           a configuration file or key
    ├── DataError             pictures, labels, recordings, caches
    │   └── LabelError        label tables and class lists
    ├── ModelError            a model artifact, or what an engine makes of it
    └── TrainingError         the job: resources, storage, resume, a loss that is not a number

Anything else that reaches the user is a fault of ours, and keeps its traceback.
"""

from __future__ import annotations


class UserError(Exception):
    """Something that the user can mend; `str(error)` is the whole message."""

    exit_code = 1


class UsageError(UserError):
    """Arguments that do not fit."""

    exit_code = 2


class ConfigError(UserError):
    """A configuration file or key that does not fit."""


class DataError(UserError):
    """Pictures, labels, recordings or caches that can't be used as they are."""


class LabelError(DataError):
    """A label table or class list that does not fit."""


class ModelError(UserError):
    """A model artifact that is missing, half there or not what its manifest says."""


class TrainingError(UserError):
    """A training job that can't start, can't go on, or must not."""
