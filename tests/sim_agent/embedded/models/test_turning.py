"""Vehicles in parts: bodies and wheels that together are the whole."""

import numpy as np
import pytest

from sim_agent.embedded.blueprints import VEHICLES, vehicle_spec
from sim_agent.embedded.models import actor_models, wheel_hubs_m


@pytest.mark.parametrize("vehicle_id", VEHICLES)
def test_the_parts_are_the_whole(vehicle_id):
    models, spec = actor_models(), vehicle_spec(vehicle_id)
    whole, body = models[spec.model], models[f"{spec.model}/body"]
    hubs = wheel_hubs_m(vehicle_id)
    wheels = [models[f"{spec.model}/wheel{k}"] for k in range(len(hubs))]
    assert len(hubs) == len(spec.wheel_positions_m)
    assert len(whole.triangles) == len(body.triangles) + sum(len(wheel.triangles) for wheel in wheels)
    np.testing.assert_array_equal(body.vertices, whole.vertices)
    for hub, wheel, place in zip(hubs, wheels, spec.wheel_positions_m, strict=True):
        assert np.hypot(hub[0] - place[0], hub[2] - spec.wheel_radius_m) < 0.15
        assert np.sign(round(hub[1], 2)) == np.sign(round(place[1], 2))
        assert wheel.vertices[:, 1].min() == pytest.approx(-wheel.vertices[:, 1].max(), abs=1e-3)
        # Round about its hub: it may turn without anything else to be seen.
        radii = np.hypot(wheel.vertices[:, 0], wheel.vertices[:, 2])
        tread = radii[radii > 0.965 * radii.max()]
        assert len(tread) >= 15 and tread.min() > 0.99 * tread.max()
        assert radii.max() == pytest.approx(spec.wheel_radius_m, rel=0.12)
    for mesh in (whole, body, *wheels):
        assert not mesh.objects.any()
