"""What draws a town and what casts rays in it, made beside the server's own thread, so that calls are answered meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from sim_agent.embedded.pose import ORIGIN
from sim_agent.embedded.scene import Weather
from sim_agent.embedded.town import Town

if TYPE_CHECKING:
    from sim_agent.embedded.render import RayCaster, Renderer


class Eyes:
    """The renderer and the ray caster of one town at a time; for one thread."""

    def __init__(self, quality: str, threads: int, say: Callable[[str], None]):
        self._quality, self._threads, self._say = quality, threads, say
        self._maker = ThreadPoolExecutor(1, "eyes")
        self._renderer: Future[Renderer] = Future()
        self._ray_caster: Future[RayCaster] = Future()
        self._town: Town | None = None

    def open_on(self, town: Town) -> None:
        """Begin to make what sees this town; what saw another is given up. The same town is not made twice.

        Where `compilation.start` has been called, this returns when a picture can be drawn soon: no client shall find a
        server whose first picture takes longer than a client waits.
        """
        if town is self._town:
            return
        from sim_agent.embedded.render import compilation

        compilation.wait_for_first_parts()
        self._close_renderer()
        self._town = town
        self._renderer = self._maker.submit(self._make_renderer, town)
        self._ray_caster = self._maker.submit(make_ray_caster, town)

    @property
    def can_draw(self) -> bool:
        """Whether `renderer` returns at once."""
        return self._renderer.done()

    @property
    def can_cast(self) -> bool:
        """Whether `ray_caster` returns at once."""
        return self._ray_caster.done()

    def renderer(self) -> Renderer:
        """The town's renderer; waits until it is there."""
        return self._renderer.result()

    def ray_caster(self) -> RayCaster:
        """The town's ray caster; waits until it is there."""
        return self._ray_caster.result()

    def close(self) -> None:
        """End the threads."""
        from sim_agent.embedded.render import compilation

        compilation.end()
        self._close_renderer()
        self._maker.shutdown(wait=True, cancel_futures=True)

    def _close_renderer(self) -> None:
        self._ray_caster.cancel()
        if not self._renderer.cancel():
            self._renderer.add_done_callback(_close)

    def _make_renderer(self, town: Town) -> Renderer:
        from sim_agent.embedded.models import actor_models
        from sim_agent.embedded.render import Camera, Renderer

        self._say(f"{town.name}: preparing the cameras ...")
        renderer = Renderer(town.mesh, actor_models(), self._quality, self._threads)
        # Loads the kernels before a client waits for them.
        renderer.render(Camera(16, 9, 90.0, ORIGIN), [], Weather(), seed=0)
        return renderer


def make_ray_caster(town: Town) -> RayCaster:
    """What casts rays in a town; takes seconds."""
    from sim_agent.embedded.models import actor_models
    from sim_agent.embedded.render import RayCaster, compilation

    compilation.wait_for_rest()
    return RayCaster(town.mesh, actor_models())


def _close(made: Future[Renderer]) -> None:
    if not made.cancelled() and made.exception() is None:
        made.result().close()
