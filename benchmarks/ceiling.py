"""What this machine can do at best, measured: convolution in fp32, bf16 and int8, copying memory, loopback.

    python -m benchmarks.ceiling [--json FILE]

One thread; CPU time, but for the loopback. The ceiling is the best of all calls, not their median: whatever else the
machine does only takes away from it. Convolutions are of the sizes that a U-Net spends its time in.
"""

from __future__ import annotations

import argparse
import socket
import threading
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch

from benchmarks import rows
from trainer.hardware import bf16_pays

CONVOLUTIONS = ((64, 64, 128), (128, 64, 64), (256, 32, 32))
"""(channels in and out, height, width)."""
CALLS = 12
COPY_BYTES = 256_000_000
LOOPBACK_BYTES = 400_000_000


def convolutions() -> dict[str, float]:
    """GFLOP/s (multiply + add = 2) of a 3x3 convolution, by type; bf16 only where the hardware has it."""
    found = {"conv_fp32_gflops": _best(lambda size: _floating(size, torch.float32))}
    if bf16_pays("cpu"):
        found["conv_bf16_gflops"] = _best(lambda size: _floating(size, torch.bfloat16))
    if "onednn" in torch.backends.quantized.supported_engines:
        found["conv_int8_gflops"] = _best(_integer)
    return found


def memory_copy_gb_s() -> float:
    """GB/s that a copy of a large array moves: bytes read and bytes written."""
    source, target = np.ones(COPY_BYTES, np.uint8), np.zeros(COPY_BYTES, np.uint8)
    return 2 * COPY_BYTES / min(rows.cpu_s(lambda: np.copyto(target, source)) for _ in range(5)) / 1e9


def loopback_mb_s() -> float:
    """MB/s through a TCP connection to this machine itself, both ends in Python; wall time."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sender = socket.create_connection(listener.getsockname())
        receiver, _ = listener.accept()

    def send() -> None:
        piece = bytes(1 << 20)
        with sender:
            for _ in range(LOOPBACK_BYTES // len(piece)):
                sender.sendall(piece)

    thread = threading.Thread(target=send)
    started_s = time.perf_counter()
    thread.start()
    buffer, received = bytearray(1 << 20), 0
    with receiver:
        while count := receiver.recv_into(buffer):
            received += count
    took_s = time.perf_counter() - started_s
    thread.join()
    return received / took_s / 1e6


def _best(prepare: Callable[[tuple[int, int, int]], Callable[[], object]]) -> float:
    """The fastest of all sizes and calls, at one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        best = 0.0
        with torch.inference_mode(), warnings.catch_warnings():
            # torch's own quantised layers are on their way out; as a measure of the processor they still serve.
            warnings.simplefilter("ignore")
            for size in CONVOLUTIONS:
                channels, height, width = size
                call = prepare(size)
                call()
                took_s = min(rows.cpu_s(call) for _ in range(CALLS))
                best = max(best, 2 * 9 * channels**2 * height * width / took_s / 1e9)
        return best
    finally:
        torch.set_num_threads(threads)


def _floating(size: tuple[int, int, int], dtype: torch.dtype) -> Callable[[], object]:
    channels, height, width = size
    layer = torch.nn.Conv2d(channels, channels, 3, padding=1).to(dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    picture = torch.rand(1, channels, height, width).to(dtype).contiguous(memory_format=torch.channels_last)
    return lambda: layer(picture)


def _integer(size: tuple[int, int, int]) -> Callable[[], object]:
    from torch.ao.nn.quantized import Conv2d

    torch.backends.quantized.engine = "onednn"
    channels, height, width = size
    picture = torch.rand(1, channels, height, width).contiguous(memory_format=torch.channels_last)
    quantised = torch.quantize_per_tensor(picture, 0.01, 0, torch.quint8)
    layer = Conv2d(channels, channels, 3, padding=1)
    return lambda: layer(quantised)


def measure(arguments: argparse.Namespace) -> rows.Measured:
    found = convolutions() | {"memory_copy_gb_s": memory_copy_gb_s(), "loopback_mb_s": loopback_mb_s()}
    return [], found


if __name__ == "__main__":
    rows.run("ceiling", measure, rows.arguments_of(__doc__))
