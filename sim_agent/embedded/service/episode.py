"""RPCs about the server, its episodes, maps, Traffic Managers, weather and recorder."""

from __future__ import annotations

import zlib
from collections.abc import Callable

from sim_agent.embedded import recorder_queries
from sim_agent.embedded.pose import Pose
from sim_agent.embedded.recorder_file import RecorderReader, recorder_path
from sim_agent.embedded.scene import Weather
from sim_agent.embedded.service.room import Room
from sim_agent.embedded.simulation import OPENDRIVE_MAP, STATE_STREAM
from sim_agent.embedded.town import TOWNS
from sim_agent.embedded.wire import structs
from sim_agent.embedded.world import WorldError

VERSION = "0.9.16"
NAVMESH_FOLDER = "Carla/Maps/Nav"


class EpisodeCalls(Room):
    """The server and its episodes."""

    def version(self) -> str:
        return VERSION

    def tick_cue(self) -> int:
        if not self.simulation.settings.synchronous_mode:
            return self.simulation.frame
        return self.simulation.tick()

    def get_available_maps(self) -> tuple[str, ...]:
        return tuple(f"/Game/Carla/Maps/{name}" for name in TOWNS)

    def get_episode_info(self) -> structs.EpisodeInfo:
        return structs.EpisodeInfo(self._world.episode_id, self.simulation.streams.token(STATE_STREAM))

    def get_map_info(self) -> structs.MapInfo:
        return structs.MapInfo(self.simulation.map_name, self._world.town.spawn_points)

    def get_map_data(self) -> str:
        return str(self._world.town.opendrive)

    def get_navigation_mesh(self) -> bytes:
        return bytes(self._world.town.navmesh)

    def get_required_files(self, folder: str) -> tuple[str, ...]:
        if folder.startswith("Nav") or not folder:
            return (self._navmesh_name(),) if self._world.town.navmesh else ()
        return ()

    def request_file(self, name: str) -> bytes:
        if name != self._navmesh_name():
            raise WorldError(f"there is no file {name!r}; get_required_files lists them")
        return bytes(self._world.town.navmesh)

    def _navmesh_name(self) -> str:
        # Clients keep files by name for ever: another content needs another name.
        town = self._world.town
        return f"{NAVMESH_FOLDER}/{town.name}_{zlib.crc32(town.navmesh):08x}.bin"

    def get_episode_settings(self) -> structs.EpisodeSettings:
        return self.simulation.settings

    def set_episode_settings(self, settings: structs.EpisodeSettings) -> int:
        self.simulation.apply_settings(settings)
        return self.simulation.frame

    def load_new_episode(self, map_name: str, reset_settings: bool, map_layers: int) -> None:
        self.simulation.load(map_name, reset_settings)

    def load_map_layer(self, map_layers: int) -> None:
        """Our towns have one layer, which is always there."""

    def unload_map_layer(self, map_layers: int) -> None:
        """As `load_map_layer`."""

    def copy_opendrive_to_file(self, opendrive: str, parameters: structs.OpendriveGenerationParameters) -> None:
        self.simulation.opendrive = opendrive
        self.simulation.opendrive_walkable = parameters.enable_pedestrian_navigation

    def is_traffic_manager_running(self, port: int) -> bool:
        return port in self.traffic_managers

    def get_traffic_manager_running(self, port: int) -> structs.TrafficManagerInfo:
        return self.traffic_managers.get(port, structs.TrafficManagerInfo("", 0))

    def add_traffic_manager_running(self, info: structs.TrafficManagerInfo) -> bool:
        return self.traffic_managers.setdefault(info.port, info) is info

    def destroy_traffic_manager(self, port: int) -> bool:
        return self.traffic_managers.pop(port, None) is not None

    def get_weather_parameters(self) -> Weather:
        return Weather(*self._world.weather)

    def set_weather_parameters(self, weather: Weather) -> None:
        self._world.weather = weather

    def query_lights_state(self, client: str) -> tuple[structs.LightState, ...]:
        return tuple(self._world.lamps.states())

    def update_lights_state(self, client: str, lights: tuple[structs.LightState, ...], discard_client: bool) -> None:
        self._world.lamps.set(lights)
        self.simulation.show_objects()
        self.simulation.lights_changed()

    def update_day_night_cycle(self, client: str, active: bool) -> None:
        """Our lamps always follow the sun."""

    def get_imui_gravity(self) -> float:
        return self.simulation.gravity_mps2

    def set_imui_gravity(self, gravity: float) -> None:
        self.simulation.gravity_mps2 = gravity

    def start_recorder(self, name: str, additional_data: bool) -> str:
        simulation = self.simulation
        simulation.replayer.stop(keep_actors=False)
        is_sent = simulation.map_name.endswith(OPENDRIVE_MAP)
        opendrive = self._world.town.opendrive if is_sent else ""
        return simulation.recorder.start(name, self._world, simulation.map_name, opendrive, additional_data)

    def stop_recorder(self) -> None:
        self.simulation.recorder.stop()

    def show_recorder_file_info(self, name: str, show_all: bool) -> str:
        return self._query(name, lambda reader: recorder_queries.file_info(reader, show_all))

    def show_recorder_collisions(self, name: str, type1: int, type2: int) -> str:
        # They are a char each.
        one, two = chr(type1 & 0xFF), chr(type2 & 0xFF)
        return self._query(name, lambda reader: recorder_queries.collisions(reader, one, two))

    def show_recorder_actors_blocked(self, name: str, min_time_s: float, min_distance_cm: float) -> str:
        return self._query(name, lambda reader: recorder_queries.blocked_actors(reader, min_time_s, min_distance_cm))

    def replay_file(
        self, name: str, start_s: float, duration_s: float, follow_id: int, replay_sensors: bool, offset: Pose
    ) -> str:
        replayer = self.simulation.replayer
        try:
            return replayer.start(self.simulation, name, start_s, duration_s, follow_id, replay_sensors, offset)
        except FileNotFoundError:
            return self._not_found(name)

    def stop_replayer(self, keep_actors: bool) -> None:
        self.simulation.replayer.stop(keep_actors)

    def set_replayer_time_factor(self, factor: float) -> None:
        self.simulation.replayer.set_time_factor(factor)

    def set_replayer_ignore_hero(self, ignore: bool) -> None:
        self.simulation.replayer.settings.ignore_hero = ignore

    def set_replayer_ignore_spectator(self, ignore: bool) -> None:
        self.simulation.replayer.settings.ignore_spectator = ignore

    def _query(self, name: str, ask: Callable[[RecorderReader], str]) -> str:
        try:
            with RecorderReader(recorder_path(self.simulation.recorder.folder, name)) as reader:
                return ask(reader)
        except FileNotFoundError:
            return self._not_found(name)

    def _not_found(self, name: str) -> str:
        # CARLA's answer to it is a text and not an error; its own example scripts go on after it.
        return f"File {recorder_path(self.simulation.recorder.folder, name)} not found on server\n"
