"""A fault in one rank alone ends a run with a sentence that names it, and is not retried without end.

Where the fault tests of the job are, by what is done to it:

 1. a worker of rank 0 or 1 is killed            test_job: workers_that_are_killed_or_stand_still
 2. ... right after a checkpoint                 the same: each fault comes when a checkpoint has just appeared
 3. the driver is killed                         test_job: driver_is_killed; amid an upload: test_bucket_run
 4. a node is lost                               test_nodes: (a) replaced, (b) elastic, (c) lost for good; by its network:
                                                 test_namespaces
 5. 2 -> 1 -> 2 workers, the same bits           test_nodes: elastic; test_job: deterministic_weights; dataset/test_sampler
 6. a node is about to be taken away             test_nodes: preempted
 7. a worker stands still                        test_job: workers_that_are_killed_or_stand_still
 8. a damaged store                              test_checkpoint; test_job: deterministic_weights
 9. S3: busy, gone, closed                       test_bucket, test_bucket_run
10. too few cores, a storage that is not shared  test_job: more_workers_than_cores; test_preflight, test_namespaces
11. SIGINT and SIGTERM                           test_job: driver_is_killed_interrupted_and_terminated
12. Ray Jobs                                     test_submit
13. one rank's exception or NaN                  here
14. another data, batch or seed on resume        test_job: another_seed_data_or_batch
"""

import json
import time
from pathlib import Path

import pytest

from trainer.hardware import available_cpus

CLIENT = Path(__file__).parent / "clients" / "rank_fault.py"


@pytest.mark.slow
@pytest.mark.skipif(available_cpus() < 2, reason="needs two cores")
@pytest.mark.parametrize("kind", ["raise", "nan"])
def test_a_fault_of_one_rank_ends_the_run_and_names_it(kind, command_line, recording, recovery):
    begun = time.monotonic()
    done = command_line.run(kind, recording, command_line.folder / "runs", program=CLIENT)
    recovery(f"{kind} in rank 1", ended_s=time.monotonic() - begun)
    assert done.returncode == 0, (done.stdout, done.stderr)
    run = command_line.folder / "runs" / "fault"
    starts = [json.loads(line) for line in (run / "attempt-001" / "starts.jsonl").read_text().splitlines()]
    said = done.stdout.splitlines()[-1]
    if kind == "raise":
        assert said.startswith("ended: worker 1 failed: ") and "the sensor of rank 1 is on fire" in said
        assert len(starts) == 2  # the one failure that this run bears, and the one that ends it
    else:
        assert "the loss is no longer a number at step 3" in said
        assert len(starts) == 1  # the same weights and pictures would give it again
        saved = sorted(file.name for file in (run / "nonfinite").glob("*.safetensors"))
        assert saved == ["step_00000003_rank_0.safetensors", "step_00000003_rank_1.safetensors"]
    assert not (run / "summary.json").exists()
