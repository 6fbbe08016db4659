"""Data in: recordings and folders of pictures, their checks, their splits and the packed cache for training."""
