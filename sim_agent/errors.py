"""The errors of what lives in the simulator, beside those of trainer/errors.py.

UserError
└── SimulatorError        a simulator that can't be reached, or does not do what was asked
    ├── SpawnRefused      no place for an actor here, or not such an actor
    ├── VehicleGone       our vehicle was destroyed by another program
    └── SimulatorGone     it was there and answers no more: what follows needs a new session
        └── WorldReplaced another program loaded a town: the simulator is there, our world is not
"""

from __future__ import annotations

from trainer.errors import UserError


class SimulatorError(UserError):
    """A simulator that can't be used as it is."""


class SpawnRefused(SimulatorError):
    """The simulator does not spawn an actor, as where another one stands in its place."""


class VehicleGone(SimulatorError):
    """Our vehicle is not in the world any more; its actor object would go on telling of where it was last."""


class SimulatorGone(SimulatorError):
    """A simulator that stopped answering in the middle of a job."""


class WorldReplaced(SimulatorGone):
    """Another program loaded a town: all that we had in the one before went with it, and nothing there is ours."""
