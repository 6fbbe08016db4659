from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from sim_agent.embedded.wire import streams as module
from sim_agent.embedded.wire.streams import StreamServer
from tests.sim_agent.embedded.wire.client import DEADLINE_S, Subscriber
from tests.sim_agent.embedded.wire.test_rpc import until

BIG = np.zeros(8 << 20, np.uint8)


def subscribe(streams: StreamServer, stream_id: int) -> Subscriber:
    """A subscriber that the server knows."""
    streams.expect(stream_id)
    subscriber = Subscriber.to(streams.port, stream_id)
    assert streams.wait_for_expected(DEADLINE_S)
    return subscriber


@pytest.fixture
def subscriber(streams: StreamServer) -> Iterator[Subscriber]:
    streams.open(7)
    subscriber = subscribe(streams, 7)
    yield subscriber
    subscriber.close()


def test_token(streams: StreamServer) -> None:
    token = streams.token(258)
    assert token == b"\x02\x01\0\0" + streams.port.to_bytes(2, "little") + b"\x01\0" + b"\0" * 16
    assert len(token) == 24


def test_frames_arrive_whole_and_in_order(streams: StreamServer, subscriber: Subscriber) -> None:
    assert streams.has_subscribers(7) and not streams.has_subscribers(8)
    streams.synchronous = True
    picture = np.arange(3 << 20, dtype=np.uint8).reshape(3, 1 << 20)
    sent = [
        [b"small"],
        [b"head", picture],
        [b"", b"x" * 70_000, memoryview(b"tail")],
        [np.zeros((0, 4), np.float32), b"points"],
        [b"."] * 300,
    ]

    def send() -> None:
        for parts in sent:
            streams.send(7, *parts)

    sender = threading.Thread(target=send)
    sender.start()
    for parts in sent:
        assert subscriber.frame() == b"".join(
            part.tobytes() if isinstance(part, np.ndarray) else bytes(part) for part in parts
        )
    sender.join()
    assert not streams.dropped


def test_many_sizes_around_the_socket_buffer(streams: StreamServer, subscriber: Subscriber) -> None:
    streams.synchronous = True
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, int(size), np.uint8) for size in rng.integers(1, 300_000, 100)]
    sender = threading.Thread(target=lambda: [streams.send(7, frame[:10], frame[10:]) for frame in frames])
    sender.start()
    for frame in frames:
        assert subscriber.frame() == frame.tobytes()
    sender.join()


def test_without_sendmsg_as_on_windows(
    monkeypatch: pytest.MonkeyPatch, streams: StreamServer, subscriber: Subscriber
) -> None:
    monkeypatch.setattr(module, "_CAN_GATHER", False)
    monkeypatch.setattr(module, "_DONT_WAIT", 0)
    streams.send(7, b"head", BIG)
    streams.send(7, b"small")
    assert subscriber.frame() == b"head" + BIG.tobytes()
    assert subscriber.frame() == b"small"


def test_two_subscribers_get_the_same(streams: StreamServer, subscriber: Subscriber) -> None:
    other = subscribe(streams, 7)
    streams.send(7, b"frame")
    assert subscriber.frame() == other.frame() == b"frame"
    other.close()
    until(lambda: len(streams._streams[7]) == 1)
    streams.send(7, b"next")
    assert subscriber.frame() == b"next"


def test_the_gate_waits_for_a_subscription_that_comes(streams: StreamServer) -> None:
    streams.open(7)
    streams.expect(7)
    come: list[Subscriber] = []
    timer = threading.Timer(0.1, lambda: come.append(Subscriber.to(streams.port, 7)))
    began = time.monotonic()
    timer.start()
    assert streams.wait_for_expected(DEADLINE_S)
    assert 0.05 < time.monotonic() - began < DEADLINE_S
    assert streams.has_subscribers(7)
    timer.join()
    come[0].close()


def test_the_gate_gives_up_once(streams: StreamServer) -> None:
    streams.open(7)
    streams.expect(7)
    began = time.monotonic()
    assert not streams.wait_for_expected(0.1)
    assert 0.05 < time.monotonic() - began < DEADLINE_S
    began = time.monotonic()
    assert streams.wait_for_expected(DEADLINE_S)
    assert time.monotonic() - began < DEADLINE_S


def test_the_gate_does_not_wait_for_a_stream_that_ends(streams: StreamServer) -> None:
    streams.open(7)
    streams.expect(7)
    streams.expect(99)
    threading.Timer(0.05, streams.close, [7]).start()
    began = time.monotonic()
    assert streams.wait_for_expected(DEADLINE_S)
    assert time.monotonic() - began < DEADLINE_S


def test_each_of_two_expected_subscriptions_counts(streams: StreamServer) -> None:
    streams.open(7)
    streams.expect(7)
    streams.expect(7)
    one = Subscriber.to(streams.port, 7)
    until(lambda: streams.has_subscribers(7))
    assert not streams.wait_for_expected(0.05)
    one.close()


def test_asynchronous_drops_for_the_slow_and_only_for_them(streams: StreamServer, subscriber: Subscriber) -> None:
    streams.open(8)
    quick = subscribe(streams, 8)
    began = time.monotonic()
    for _ in range(40):
        streams.send(7, BIG)
        streams.send(8, b"frame")
        assert quick.frame() == b"frame"
    assert time.monotonic() - began < DEADLINE_S
    assert streams.dropped[7] >= 30 and streams.dropped[8] == 0
    assert subscriber.frame() == BIG.tobytes()
    quick.close()


def test_synchronous_waits_within_a_bound_and_once(
    monkeypatch: pytest.MonkeyPatch, streams: StreamServer, subscriber: Subscriber
) -> None:
    monkeypatch.setattr(module, "BLOCK_S", 2.0)
    streams.synchronous = True
    began = time.monotonic()
    for _ in range(20):
        streams.send(7, BIG)
    assert 0.15 < time.monotonic() - began < DEADLINE_S
    assert streams.dropped[7] >= 10


def test_synchronous_loses_nothing_to_a_slow_reader(streams: StreamServer, subscriber: Subscriber) -> None:
    streams.synchronous = True
    sender = threading.Thread(target=lambda: [streams.send(7, bytes([n]), BIG) for n in range(12)])
    sender.start()
    until(lambda: streams._streams[7][0]._sending)
    assert [subscriber.frame()[0] for _ in range(12)] == list(range(12))
    sender.join()
    assert not streams.dropped


def test_a_stream_that_ends_ends_its_subscribers(streams: StreamServer, subscriber: Subscriber) -> None:
    streams.send(7, BIG)
    streams.close(7)
    assert subscriber.is_cut_off()
    assert not streams.has_subscribers(7)
    streams.send(7, b"to nobody")
    streams.close(7)
    until(lambda: not streams._connections)


def test_an_idle_dead_subscriber_is_noticed(streams: StreamServer, subscriber: Subscriber) -> None:
    subscriber.close()
    until(lambda: not streams.has_subscribers(7) and not streams._connections)


def test_a_subscriber_that_dies_in_the_middle_of_a_frame(streams: StreamServer, subscriber: Subscriber) -> None:
    for _ in range(4):
        streams.send(7, BIG)
    subscriber.close()
    until(lambda: not streams.has_subscribers(7) and not streams._connections)


def test_a_stream_that_does_not_exist_is_closed_after_a_rest(streams: StreamServer) -> None:
    began = time.monotonic()
    stranger = Subscriber.to(streams.port, 99)
    assert stranger.is_cut_off()
    # without the rest the real client would connect again, and again
    assert module.REST_S / 2 < time.monotonic() - began < DEADLINE_S
    stranger.close()


def test_whoever_talks_is_sent_away(streams: StreamServer, subscriber: Subscriber) -> None:
    subscriber.sock.sendall(b"x")
    assert subscriber.is_cut_off()
    assert not streams.has_subscribers(7)


def test_half_a_handshake_expires(monkeypatch: pytest.MonkeyPatch, streams: StreamServer) -> None:
    monkeypatch.setattr(module, "HANDSHAKE_S", 0.1)
    half = Subscriber(streams.port, b"\x01\0")
    assert half.is_cut_off()
    half.close()
    until(lambda: not streams._connections)


def test_connections_are_bounded_and_the_silent_make_room(
    monkeypatch: pytest.MonkeyPatch, streams: StreamServer, subscriber: Subscriber
) -> None:
    monkeypatch.setattr(module, "MAX_SUBSCRIBERS", 3)
    silent = [Subscriber(streams.port, b"") for _ in range(6)]
    assert silent[0].is_cut_off()
    until(lambda: len(streams._connections) == 3)
    other = subscribe(streams, 7)
    streams.send(7, b"frame")
    assert subscriber.frame() == other.frame() == b"frame"
    for sock in (*silent, other):
        sock.close()


@pytest.mark.parametrize("stream_id", [0, -1, 1 << 32])
def test_ids_that_are_none(streams: StreamServer, stream_id: int) -> None:
    with pytest.raises(ValueError, match="is none"):
        streams.open(stream_id)


def test_misuse(streams: StreamServer, subscriber: Subscriber) -> None:
    with pytest.raises(ValueError, match="open already"):
        streams.open(7)
    with pytest.raises(ValueError, match="has 0 bytes"):
        streams.send(7, b"")


def test_shutdown_ends_everything_at_once() -> None:
    server = StreamServer()
    server.open(7)
    subscriber = subscribe(server, 7)
    for _ in range(4):
        server.send(7, BIG)
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("carla-stream")]
    began = time.monotonic()
    server.shutdown()
    assert time.monotonic() - began < DEADLINE_S
    assert not any(thread.is_alive() for thread in threads)
    assert subscriber.is_cut_off()
    subscriber.close()
