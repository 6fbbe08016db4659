"""`python -m sim_agent.traffic_process HOST PORT MODE`: the Traffic Manager and AI walkers, on orders from standard input.

An order is a line of JSON, {"do": METHOD, ...its arguments}, and so is its answer: {}, {"error": why the simulator did
not do it}, or {"lost": why this process is of no more use}. It ends when standard input closes.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import socket
import sys
import threading
import time
import traceback
from typing import Any, TextIO

from sim_agent.connect import Rpc, import_carla
from sim_agent.errors import SimulatorError
from sim_agent.traffic import PATIENCE_S

_END_S = 3.0
_HUNG_S = 2.0
"""A Traffic Manager at work on hundreds of vehicles is done in a tenth of it, where the simulator answers it."""
_FIRST_CALL_S = 20.0
"""How long the client's first call may take. It keeps Python's lock all the while, and so nobody sees that standard input
has closed: a recorder that was killed just then left this process behind for as long."""
_NUDGES = 5
_PORT_TRIES = 20
_BIND_TRIES = 3
"""Between a look at a port and the Traffic Manager's taking it, another program may take it."""


class Lost(Exception):
    """The process is of no more use."""


class TrafficWorker:
    """One method for each order."""

    def __init__(self, host: str, port: int, synchronous: bool):
        self._at = host, port
        self._simulator = Rpc(host, port, PATIENCE_S)
        self.port = self._free_port()
        carla = import_carla()
        client = carla.Client(host, port)
        self._simulator.call("get_episode_info")  # a busy one is waited for here, without the lock
        client.set_timeout(_FIRST_CALL_S)
        self._world = client.get_world()
        self._frame = 0
        self._came = threading.Condition()
        self._world.on_tick(self._saw)
        self._walking: dict[int, Any] = {}
        self._manager = self._start(client)
        client.set_timeout(PATIENCE_S)
        if synchronous:
            self._manager.set_synchronous_mode(True)
            self._own = Rpc("127.0.0.1", self.port, _HUNG_S)
        else:
            threading.Thread(target=self._walk_on, daemon=True).start()

    def close(self) -> None:
        """Tell the server that this Traffic Manager is no more: the next one on its port would look for it."""
        with contextlib.suppress(OSError, ValueError), Rpc(*self._at) as rpc:  # a server that is gone needs no telling
            rpc.call("destroy_traffic_manager", self.port)

    def drive(self, ids: list[int]) -> None:
        """Let the Traffic Manager drive these vehicles, with their lights on at night."""
        for vehicle in self._actors(ids):
            vehicle.set_autopilot(True, self.port)
            self._manager.update_vehicle_lights(vehicle, True)

    def release(self, ids: list[int]) -> None:
        """The Traffic Manager drives them no more."""
        for vehicle in self._actors(ids):
            vehicle.set_autopilot(False, self.port)

    def tune(self, method: str, args: list[Any]) -> None:
        """Call a method of the Traffic Manager; {"actor": ID} among its arguments is that actor."""
        found = {actor.id: actor for actor in self._actors([a["actor"] for a in args if isinstance(a, dict)])}
        try:
            getattr(self._manager, method)(*(found[a["actor"]] if isinstance(a, dict) else a for a in args))
        except (AttributeError, TypeError, KeyError) as error:  # no such method, other arguments, an actor that is gone
            raise RuntimeError(f"{method}: {str(error).strip()}") from None

    def walk(self, controllers: list[tuple[int, float]], seed: int) -> None:
        """Let walkers' controllers (id, m/s) send them somewhere, and somewhere else whenever they are there."""
        self._world.set_pedestrians_seed(seed)
        speeds_ms = dict(controllers)
        for controller in self._actors(list(speeds_ms)):
            controller.start()
            controller.go_to_location(self._world.get_random_location_from_navigation())
            controller.set_max_speed(speeds_ms[controller.id])
            self._walking[controller.id] = controller

    def halt(self, ids: list[int]) -> None:
        """Walkers of these controllers stand."""
        for number in ids:
            self._walking.pop(number).stop()

    def step(self, frame: int, within_s: float) -> None:
        """What is to be done between `frame` and the next tick; the simulator may take `within_s` for an answer."""
        with self._came:
            if not self._came.wait_for(lambda: self._frame >= frame, within_s):
                raise Lost(f"frame {frame} did not come within {within_s:.0f} s")
        self._simulator.wait_for(within_s)
        # Not by the client's tick, which would tick the world as well, nor by a proxy of it in the session's process,
        # which would not wait until this process has seen the frame.
        self._own.send("synchronous_tick")
        nudges = 0
        while not self._is_done():
            if self._simulator_s() > _HUNG_S / 2:
                continue  # the simulator was busy (its frame is out before its pictures are), and so both had to wait
            if nudges == _NUDGES:
                raise Lost(f"the Traffic Manager did not finish frame {frame} within {_NUDGES * _HUNG_S:.0f} s")
            nudges += 1
            # It waits for a signal that it missed (see _stay_on_one_core): leaving the mode sends another.
            print(f"frame {frame}: the Traffic Manager missed a signal", file=sys.stderr, flush=True)
            self._manager.set_synchronous_mode(False)
            self._manager.set_synchronous_mode(True)
        if self._walking:
            self._move_walkers(0.001)

    def _is_done(self) -> bool:
        """Whether the Traffic Manager's step is over; waits for it a while."""
        try:
            self._own.reply()
        except TimeoutError:
            return False
        return True

    def _simulator_s(self) -> float:
        """How long the simulator takes to answer a question that it answers between ticks only."""
        asked_s = time.monotonic()
        try:
            self._simulator.call("get_episode_info")
        except (OSError, ValueError) as error:
            raise Lost(f"the simulator does not answer ({error})") from None
        return time.monotonic() - asked_s

    def _move_walkers(self, wait_s: float) -> None:
        """The client moves its walkers when it begins to wait for a tick; that none comes in the meantime is expected."""
        try:
            self._world.wait_for_tick(wait_s)
        except RuntimeError as error:
            if "time-out" not in str(error):
                raise

    def _walk_on(self) -> None:
        while True:
            self._move_walkers(PATIENCE_S)

    def _saw(self, snapshot: Any) -> None:
        with self._came:
            self._frame = snapshot.frame
            self._came.notify_all()

    def _actors(self, ids: list[int]) -> list[Any]:
        """Those of them that are there; in the order of `ids`, which the Traffic Manager's own depends on."""
        found = {actor.id: actor for actor in self._world.get_actors(ids)} if ids else {}
        return [found[number] for number in ids if number in found]

    def _start(self, client: Any) -> Any:
        """The Traffic Manager, on a port that is ours."""
        for _ in range(_BIND_TRIES):
            try:
                return client.get_trafficmanager(self.port)
            except RuntimeError as error:
                if "bind error" not in str(error):
                    raise
            self.port = self._free_port()
        raise Lost(f"{_BIND_TRIES} ports in turn were free, and taken by other programs before it could take them")

    def _free_port(self) -> int:
        """A port that nobody listens on here, and that the server knows no Traffic Manager of."""
        with Rpc(*self._at) as rpc:
            for _ in range(_PORT_TRIES):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", 0))
                    port = int(probe.getsockname()[1])
                if not rpc.call("is_traffic_manager_running", port):
                    return port
        raise Lost(f"no free port in {_PORT_TRIES} tries")


def main() -> None:
    """Carry out orders until standard input closes."""
    host, port, mode = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # the client prints to standard output
    orders: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    threading.Thread(target=_read_orders, args=(orders,), daemon=True).start()
    _stay_on_one_core()
    code = 0
    try:
        _serve(host, int(port), mode == "synchronous", orders, answers)
    except Exception:
        traceback.print_exc()
        code = 1
    # The client's threads may wait for what never comes, and abort when the interpreter takes them down.
    sys.stderr.flush()
    os._exit(code)


def _serve(
    host: str, port: int, synchronous: bool, orders: queue.SimpleQueue[dict[str, Any] | None], answers: TextIO
) -> None:
    def answer(what: dict[str, Any]) -> None:
        answers.write(json.dumps(what) + "\n")
        answers.flush()

    try:
        worker = TrafficWorker(host, port, synchronous)
    except (RuntimeError, OSError, ValueError, Lost, SimulatorError) as error:
        answer({"lost": str(error)})
        return
    answer({"port": worker.port})
    while (order := orders.get()) is not None:
        what = order.pop("do")
        try:
            getattr(worker, what)(**order)
            answer({})
        except RuntimeError as error:
            answer({"lost" if what == "step" else "error": str(error)})
        except Lost as error:
            answer({"lost": str(error)})
    worker.close()


def _read_orders(orders: queue.SimpleQueue[dict[str, Any] | None]) -> None:
    for line in sys.stdin:
        orders.put(json.loads(line))
    orders.put(None)
    # Whoever held the other end is gone, or wants an end: an order that is not done by now has no use.
    time.sleep(_END_S)
    os._exit(1)


def _stay_on_one_core() -> None:
    """Run all threads of this process on one core, without preemption by what wakes up.

    libcarla's TrafficManagerLocal::SynchronousTick looks at its condition and then waits, and the other thread signals
    without taking the mutex: if that falls between the two, both wait for ever (about once in 5,000 ticks on a busy
    machine). On one core the signal can only fall there when the time slice ends just then.
    """
    if sys.platform == "linux":
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


if __name__ == "__main__":
    main()
