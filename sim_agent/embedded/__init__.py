"""A CARLA server in pure Python: a process of its own that the real `carla` client cannot tell apart."""
