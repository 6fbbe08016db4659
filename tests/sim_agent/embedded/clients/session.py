"""What all client scripts begin and end with. Each is a process: the client dies of bad data."""

import json
import os
import sys

import carla


def keep_the_traffic_manager_from_hanging():
    """Run all threads of this process on one core, without preemption by what wakes up.

    libcarla's TrafficManagerLocal::SynchronousTick looks at its condition and then waits, and the other thread signals
    without taking the mutex: if that falls between the two, both wait for ever (seen once in some 5,000 ticks on a busy
    machine). On one core the signal can only fall there when the time slice ends just then.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


client = carla.Client("127.0.0.1", int(sys.argv[1]))
client.set_timeout(60.0)


def fresh_world(town="Town01", step_s=0.05, synchronous=True):
    """A new episode in synchronous mode."""
    world = client.load_world(town)
    settings = world.get_settings()
    settings.synchronous_mode = synchronous
    settings.fixed_delta_seconds = step_s
    world.apply_settings(settings)
    return world


def leave(world, result):
    """Give the server back and end at once: a libcarla that is torn down while its threads run aborts."""
    settings = world.get_settings()
    settings.synchronous_mode = False
    settings.fixed_delta_seconds = None
    world.apply_settings(settings)
    print(json.dumps(result), flush=True)
    os._exit(0)
