"""Bit-equal gradients, statistics and figures on 1, 2, 3 and 4 workers: real processes over gloo."""

import multiprocessing

import pytest
import torch
import torch.distributed as dist

from trainer.ordered import OrderedGradients, shards_of
from trainer.unet import UNet, UNetConfig

NETWORK = UNetConfig(
    preset="test", widths=(8, 8), classes=5, norm="batch", instance_levels=1, dropout=0.2, dropout_levels=(1,)
)
SHARDS = 4


def train(rank, workers, steps=3):
    """Some optimizer steps; everything that must be the same on any number of workers."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net = UNet(NETWORK).to(memory_format=torch.channels_last).train()
    pictures = torch.rand(steps, SHARDS, 3, 3, 16, 16)
    ordered = OrderedGradients(net, rank, workers, SHARDS)
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01, fused=True)
    seen = []
    for step in range(steps):

        def one_shard(shard, step=step):
            torch.manual_seed(step * 10 + shard)
            loss = net(pictures[step, shard]).square().mean()
            loss.backward()
            return loss, loss.detach() * 2

        seen.append(ordered.step(one_shard))
        optimizer.step()
    return [*seen, *net.state_dict().values()]


def worker(rank, folder, results):
    """Take part in groups of two, three and four workers, one after another."""
    for workers in range(max(2, rank + 1), SHARDS + 1):
        meeting = f"file://{folder}/meeting-{workers}"
        dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=workers)
        got = [t.numpy().tobytes() for t in train(rank, workers)]
        dist.destroy_process_group()
        results.put((workers, rank, got))


def test_all_shards_are_somebodys_and_in_order():
    for workers in range(1, 9):
        dealt = [shard for rank in range(workers) for shard in shards_of(rank, workers, 8)]
        assert dealt == list(range(8))


def test_more_workers_than_shards_are_refused():
    with pytest.raises(ValueError, match="4 virtual shards can't occupy 5 workers"):
        OrderedGradients(UNet(NETWORK), 0, 5, 4)


def test_one_step_is_the_mean_over_shards():
    torch.manual_seed(0)
    net = UNet(NETWORK).train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    pictures = torch.rand(SHARDS, 3, 3, 16, 16)

    def backward(shard):
        torch.manual_seed(shard)
        loss = net(pictures[shard]).square().mean()
        loss.backward()
        return loss, loss.detach()

    figures = OrderedGradients(net, 0, 1, SHARDS).step(backward)
    got = {k: p.grad.clone() for k, p in net.named_parameters()}
    after = {k: v.clone() for k, v in net.named_buffers()}
    grads, buffers, losses = [], [], []
    for shard in range(SHARDS):
        net.load_state_dict(before)
        net.zero_grad()
        losses.append(backward(shard)[0].detach())
        grads.append({k: p.grad.clone() for k, p in net.named_parameters()})
        buffers.append({k: v.clone().float() for k, v in net.named_buffers()})
    assert torch.allclose(figures, torch.stack(losses).mean().expand(2))
    for name, grad in got.items():
        assert torch.allclose(grad, torch.stack([g[name] for g in grads]).mean(0), atol=1e-7), name
    for name, value in after.items():
        assert torch.allclose(value.float(), torch.stack([b[name] for b in buffers]).mean(0), atol=1e-7), name
        assert not torch.equal(value, before[name])


@pytest.mark.slow
def test_every_number_of_workers_gives_the_same_bits(tmp_path):
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [context.Process(target=worker, args=(rank, tmp_path, results)) for rank in range(SHARDS)]
    for process in processes:
        process.start()
    alone = [t.numpy().tobytes() for t in train(0, 1)]
    same = {
        (workers, rank): got == alone for workers, rank, got in (results.get(timeout=300) for _ in range(2 + 3 + 4))
    }
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert same == {(workers, rank): True for workers in (2, 3, 4) for rank in range(workers)}
