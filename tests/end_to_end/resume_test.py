# SPDX-License-Identifier: MIT
"""A run that is killed at any instant and resumed ends with the bits of a run that nobody disturbed, and so does one
that is stopped by a signal. Everything that has state takes part: dropout, augmentation, a loss with a trained
regressor, schedules that follow validation, momentum of Adam, accumulation, a teacher trained on demand, two arms."""
import os
import random
import shutil
import signal
import time

from program import Folder, content, fail, log_lines, PINNED

KILLS = 25
DATA = """
[data]
use        = "kdhost.synthetic"
batch      = 16
validation = 40
params     = { classes = 4, samples = 240, test_samples = 40, shape = [1, 8, 8], noise = 2.0 }
"""
TEACHER = """
seeds = [1]
""" + DATA + """
[student]
use    = "kdhost.mlp"
params = { hidden = [32, 32], dropout = 0.3 }
[[loss]]
use = "kdhost.cross_entropy"
[optimizer]
use = "adam"
lr  = 2e-3
[train]
epochs           = 2
checkpoint_steps = 5
"""
STUDENT = """
seeds = [3]
""" + DATA + """
[[data.transform]]
use    = "kdhost.random_crop"
params = { padding = 1 }
[[data.transform]]
use = "kdhost.shift"
[teacher]
from = "teacher.toml"
[student]
use    = "kdhost.mlp"
params = { hidden = [24, 16], dropout = 0.2 }
[[loss]]
use    = "kdhost.cross_entropy"
weight = 0.5
[[loss]]
use    = "kdhost.kd"
weight = 0.5
[[loss]]
use    = "kdhost.hint"
weight = 0.1
inputs = { student = ["hidden2"], teacher = ["hidden2"] }
[[schedule]]
target = "loss.kd.params.temperature"
use    = "kdhost.linear"
params = { from = 8.0, to = 2.0 }
[[schedule]]
target = "optimizer.lr"
use    = "kdhost.plateau"
params = { factor = 0.5, patience = 0 }
[optimizer]
use = "adam"
lr  = 2e-3
[train]
epochs           = 6
accumulate       = 2
log_steps        = 1
checkpoint_steps = 4
"""
WEIGHTS = [f"seed-3/{arm}{which}.safetensors" for arm in ("", "baseline/") for which in ("student", "last")]


def compare(folder, run, what):
    for name in WEIGHTS:
        if content(folder / f"{run}/{name}") != content(folder / f"whole/{name}"):
            fail(f"{what}: {name} differs from that of the undisturbed run")
    ours, theirs = log_lines(folder / f"{run}/metrics.jsonl"), log_lines(folder / "whole/metrics.jsonl")
    if ours != theirs:
        at = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
        fail(f"{what}: metrics.jsonl differs from that of the undisturbed run in line {at + 1}\n"
             f"{ours[at:at + 1]}\n{theirs[at:at + 1]}")


def begin(folder, run):
    """Starts the run, or goes on with it. One that was killed before its folder is complete has nothing to resume."""
    if os.path.exists(folder / f"{run}/state.json"):
        return folder.start("run", "student.toml", "--out", run, "--resume", *PINNED)
    shutil.rmtree(folder / run, ignore_errors=True)
    return folder.start("run", "student.toml", "--out", run, *PINNED)


def finish(folder, run, what):
    process = begin(folder, run)
    _, err = process.communicate(timeout=120)
    if process.returncode != 0:
        fail(f"{what}: the resumed run ended with {process.returncode}\n{err}")
    compare(folder, run, what)


def kill_test(folder, seconds, seed):
    chance = random.Random(seed)
    kills, runs = 0, 0
    done = {"before the first checkpoint": 0, "in the first arm": 0, "in the second arm": 0}
    while kills < KILLS:
        runs += 1
        run = f"killed-{runs}"
        # Half of the runs begin without a trained teacher, so that it too is killed while it is made.
        if runs % 2 == 1:
            shutil.rmtree(folder / "cache", ignore_errors=True)
        for _ in range(5):
            process = begin(folder, run)
            time.sleep(chance.uniform(0.1, 1.0) * seconds)
            process.kill()
            process.communicate()
            if process.returncode == 0:
                break
            kills += 1
            second, first = (os.path.exists(folder / f"{run}/seed-3/{name}") for name in ("baseline/last.ckpt", "last.ckpt"))
            done["in the second arm" if second else "in the first arm" if first else "before the first checkpoint"] += 1
        if os.path.exists(folder / f"{run}/summary.json"):
            compare(folder, run, f"{run}, after {kills} kills")
        else:
            finish(folder, run, f"{run}, after {kills} kills")
        shutil.rmtree(folder / run)
    print(f"{kills} kills in {runs} runs, each run equal to the undisturbed one: " +
          ", ".join(f"{n} {when}" for when, n in done.items()))


def signal_test(folder, seconds):
    for number in (signal.SIGTERM, signal.SIGINT):
        what = signal.Signals(number).name
        process = folder.start("run", "student.toml", "--out", what, *PINNED)
        while not os.path.exists(folder / f"{what}/seed-3/last.ckpt") and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
        if process.returncode != 7:
            fail(f"{what}: expected exit code 7, found {process.returncode}\n{err}")
        if "stopped by a signal after step" not in err or "go on with --resume" not in err:
            fail(f"{what}: the message does not say how to go on:\n{err}")
        finish(folder, what, what)
    print("SIGTERM and SIGINT: exit code 7, and resumed to the same bits")


seed = int(os.environ.get("KDHOST_TEST_SEED", random.SystemRandom().randrange(1_000_000)))
print(f"instants drawn with KDHOST_TEST_SEED={seed}", flush=True)
with Folder() as folder:
    folder.write("teacher.toml", TEACHER)
    folder.write("student.toml", STUDENT)
    started = time.monotonic()
    folder.train("student.toml", "--out", "whole")
    seconds = time.monotonic() - started
    folder.train("student.toml", "--out", "again")
    compare(folder, "again", "a second undisturbed run")
    signal_test(folder, seconds)
    kill_test(folder, seconds, seed)
