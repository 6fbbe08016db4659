"""Child of `train-step`: the course's network in Keras on TensorFlow, one training step a turn.

    PYTHON -m benchmarks.references.keras_unet BATCH HEIGHT WIDTH CLASSES

Written from the public description of the notebook "Image segmentation with U-Net": blocks of 32 to 512 filters, He
initialisation, dropout of 0.3 in the two deepest, sparse categorical cross-entropy on logits, Adam at 1e-3. Pictures
are floats already, as its cached pipeline holds them.
"""

import os
import sys

# No lines on start-up about the processor; XLA and oneDNN are as they are by default.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from benchmarks.child import answer

FILTERS = 32
LEARNING_RATE = 1e-3


def convolutions(x, filters):
    """Two 3x3 convolutions with ReLU."""
    for _ in range(2):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", kernel_initializer="he_normal")(x)
    return x


def unet(height, width, classes):
    """The network, (N, H, W, 3) float in [0, 1] to (N, H, W, classes) logits."""
    pictures = x = keras.Input((height, width, 3))
    skips = []
    for level in range(5):
        x = convolutions(x, FILTERS * 2**level)
        if level >= 3:
            x = layers.Dropout(0.3)(x)
        if level < 4:
            skips.append(x)
            x = layers.MaxPooling2D(2)(x)
    for level in reversed(range(4)):
        x = layers.Conv2DTranspose(FILTERS * 2**level, 3, strides=2, padding="same")(x)
        x = convolutions(layers.Concatenate()([x, skips[level]]), FILTERS * 2**level)
    x = layers.Conv2D(FILTERS, 3, padding="same", activation="relu", kernel_initializer="he_normal")(x)
    return keras.Model(pictures, layers.Conv2D(classes, 1)(x))


def main():
    batch, height, width, classes = map(int, sys.argv[1:5])
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.utils.set_random_seed(0)
    net = unet(height, width, classes)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(optimizer=keras.optimizers.Adam(LEARNING_RATE), loss=loss)
    rng = np.random.default_rng(0)
    pictures = rng.random((batch, height, width, 3), np.float32)
    labels = rng.integers(0, classes, (batch, height, width), np.uint8)

    def step():
        net.train_on_batch(pictures, labels)
        return batch

    answer(step, parameters=net.count_params(), versions={"keras": keras.__version__, "tensorflow": tf.__version__})


if __name__ == "__main__":
    main()
