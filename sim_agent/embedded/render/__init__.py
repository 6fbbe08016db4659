"""Pictures, labels and depth of the town, and rays into it, on the CPU alone."""

from sim_agent.embedded.render.camera import FAR_M, Camera, Pictures
from sim_agent.embedded.render.development import Development
from sim_agent.embedded.render.encodings import depth_bgra, instance_bgra, semantic_bgra
from sim_agent.embedded.render.events import EventCamera, Retina
from sim_agent.embedded.render.flow import optical_flow
from sim_agent.embedded.render.raycast import Hits, RayCaster
from sim_agent.embedded.render.renderer import Renderer
from sim_agent.embedded.render.strokes import Strokes, Words, draw_strokes
from sim_agent.embedded.render.warm import warm_up

__all__ = [
    "FAR_M",
    "Camera",
    "Development",
    "EventCamera",
    "Hits",
    "Pictures",
    "RayCaster",
    "Renderer",
    "Retina",
    "Strokes",
    "Words",
    "depth_bgra",
    "draw_strokes",
    "instance_bgra",
    "optical_flow",
    "semantic_bgra",
    "warm_up",
]
