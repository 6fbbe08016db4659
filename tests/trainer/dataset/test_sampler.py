"""Each picture once an epoch, for any number of workers and after any resume."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.dataset.sampler import Sampler


@given(
    count=st.integers(1, 60),
    per_worker=st.integers(1, 7),
    workers=st.sampled_from([1, 2, 3, 4]),
    seed=st.integers(0, 9),
)
def test_each_picture_once_an_epoch_for_any_number_of_workers(count, per_worker, workers, seed):
    batch = per_worker * workers
    sampler = Sampler(seed, count, batch)
    steps = -(-3 * count // batch)
    seen = [slot for step in range(steps) for rank in range(workers) for slot in sampler.share(step, rank, workers)]
    for epoch in range(3):
        assert Counter(s.index for s in seen if s.epoch == epoch) == Counter(range(count))


def test_the_order_does_not_depend_on_workers_or_on_where_one_starts():
    whole = [Sampler(7, 50, 12).batch(step) for step in range(20)]
    resumed = Sampler(7, 50, 12)
    for step in range(11, 20):  # a fresh object, as after a resume
        assert resumed.batch(step) == whole[step]
        assert [s for rank in range(3) for s in resumed.share(step, rank, 3)] == whole[step]


def test_workers_can_change_between_steps_without_losing_a_picture():
    sampler = Sampler(1, 24, 4)
    seen = [
        s.index
        for step, workers in enumerate([2, 2, 1, 1, 4, 2])
        for r in range(workers)
        for s in sampler.share(step, r, workers)
    ]
    assert sorted(seen) == list(range(24))


def test_epochs_and_seeds_differ():
    sampler = Sampler(0, 32, 32)
    assert [s.index for s in sampler.batch(0)] != [s.index for s in sampler.batch(1)]
    assert sampler.batch(0) != Sampler(1, 32, 32).batch(0)
    assert sampler.epoch(3) == 3.0


def test_shares_differ_by_one_picture_at_most():
    sampler = Sampler(0, 100, 16)
    shares = [sampler.share(2, rank, 3) for rank in range(3)]
    assert sorted(map(len, shares)) == [5, 5, 6]
    assert [slot for share in shares for slot in share] == sampler.batch(2)


def test_weights_make_a_mean_over_workers_one_over_pictures():
    sampler = Sampler(0, 100, 16)
    for workers in (1, 2, 3, 5):
        means = [np.mean([s.index for s in sampler.share(0, rank, workers)]) for rank in range(workers)]
        weights = [sampler.weight(rank, workers) for rank in range(workers)]
        weighted = np.mean([w * m for w, m in zip(weights, means, strict=True)])
        assert weighted == pytest.approx(np.mean([s.index for s in sampler.batch(0)]))
    assert [sampler.weight(rank, 4) for rank in range(4)] == [1.0] * 4


def test_a_batch_smaller_than_the_workers_is_refused():
    with pytest.raises(ValueError, match="16 is too small for 17 workers"):
        Sampler(0, 100, 16).share(0, 0, 17)
