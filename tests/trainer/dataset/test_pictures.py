"""What is written as PNG is what any reader reads."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from trainer.dataset.pictures import DEPTH_FAR_CM, decode_16bit, decode_label, encode_depth, encode_ids
from trainer.labels import load_label_table

SIZES = array_shapes(min_dims=2, max_dims=2, max_side=40)


@given(st.sampled_from([np.uint8, np.uint16]).flatmap(lambda dtype: arrays(dtype, SIZES)))
def test_ids_are_read_as_they_were(ids):
    data = encode_ids(ids)
    with Image.open(io.BytesIO(data)) as picture:
        picture.verify()
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.mode == ("L" if ids.dtype == np.uint8 else "I;16")
        assert np.array_equal(np.asarray(picture), ids)
    if ids.dtype == np.uint16:
        assert np.array_equal(decode_16bit(data, "it"), ids)
    else:
        assert np.array_equal(decode_label(data, "grey", load_label_table("carla-0.9.14"), "it"), ids)


@given(arrays(np.float32, SIZES, elements=st.floats(0.0, 1000.0, width=32) | st.just(np.inf)))
def test_depth_is_read_to_half_a_centimetre(depth_m):
    read = decode_16bit(encode_depth(depth_m), "it")
    near = depth_m < 655.3
    assert np.abs(read[near] / 100.0 - depth_m[near]).max(initial=0.0) < 0.0051
    assert (read[depth_m > 655.36] == DEPTH_FAR_CM).all()


@pytest.mark.parametrize("ids", [np.zeros((3, 5), np.uint8)[:, ::2], np.arange(12, dtype=np.uint16).reshape(3, 4).T])
def test_a_view_of_other_ids_is_written_as_it_looks(ids):
    with Image.open(io.BytesIO(encode_ids(ids))) as picture:
        assert np.array_equal(np.asarray(picture), ids)
