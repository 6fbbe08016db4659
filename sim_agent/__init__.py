"""What lives in the simulator: recording, driving with masks, and the embedded simulator that stands in for CARLA."""
