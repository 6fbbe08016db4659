"""Data in, model out: fits a U-Net on labelled driving pictures as a Ray Train job."""
