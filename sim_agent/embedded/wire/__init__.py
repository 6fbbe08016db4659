"""CARLA 0.9.16's wire protocol, without a simulation: types, calls, streams and their two servers."""
