# SPDX-License-Identifier: MIT
"""A run that is killed at any instant and resumed ends with the bits of a run that nobody disturbed, and so does one
that is stopped by a signal. Everything that has state takes part: dropout, augmentation, a loss with a trained
regressor, schedules that follow validation, momentum of Adam, accumulation, a teacher trained on demand, two arms."""
import glob
import json
import os
import random
import shutil
import signal
import struct
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


# Eight batches at a time through the teacher: of the 13 batches of an epoch, those of steps 1-4 and of steps 5-7.
CHUNKED = [value.replace("teacher_chunk=1", "teacher_chunk=8") for value in PINNED]


def compare(folder, run, what, whole="whole"):
    for name in WEIGHTS:
        if content(folder / f"{run}/{name}") != content(folder / f"{whole}/{name}"):
            fail(f"{what}: {name} differs from that of the undisturbed run")
    ours, theirs = log_lines(folder / f"{run}/metrics.jsonl"), log_lines(folder / f"{whole}/metrics.jsonl")
    if ours != theirs:
        at = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
        fail(f"{what}: metrics.jsonl differs from that of the undisturbed run in line {at + 1}\n"
             f"{ours[at:at + 1]}\n{theirs[at:at + 1]}")


def begin(folder, run, pinned=PINNED):
    """Starts the run, or goes on with it. One that was killed before it had begun is started again in its folder."""
    resume = ["--resume"] if os.path.exists(folder / f"{run}/state.json") else []
    return folder.start("run", "student.toml", "--out", run, *resume, *pinned)


def finish(folder, run, what, pinned=PINNED, whole="whole"):
    process = begin(folder, run, pinned)
    _, err = process.communicate(timeout=120)
    if process.returncode != 0:
        fail(f"{what}: the resumed run ended with {process.returncode}\n{err}")
    compare(folder, run, what, whole)


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
        if "stopped by a signal after step" not in err or "the same command with --resume goes on" not in err:
            fail(f"{what}: the message does not say how to go on:\n{err}")
        # Without the flags it began with: the run has recorded what they chose.
        finish(folder, what, what, pinned=())
    print("SIGTERM and SIGINT: exit code 7, and resumed to the same bits")


def steps_saved(checkpoint):
    """The steps that a checkpoint has behind it, 0 without one."""
    try:
        data = content(checkpoint)
    except FileNotFoundError:
        return 0
    (size,) = struct.unpack("<Q", data[:8])
    return json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["kdhost.checkpoint"])["total_steps"]


def chunk_test(folder):
    """Killed while outputs of the teacher for later steps were at hand: the resumed run asks for the same chunks."""
    process = begin(folder, "chunked", CHUNKED)
    if process.wait(timeout=120) != 0:
        fail(f"a run with teacher_chunk = 8 ended with {process.returncode}\n{process.stderr.read()}")
    if "teacher over 8 batches at once" not in process.stderr.read():
        fail("the plan does not say that the teacher sees 8 batches at once")
    every_step = [*CHUNKED, "--set", "train.checkpoint_steps=1"]
    within = 0
    for _ in range(20):
        process = begin(folder, "cut", every_step)
        saved = steps_saved(folder / "cut/seed-3/last.ckpt")
        while process.poll() is None and steps_saved(folder / "cut/seed-3/last.ckpt") < saved + 2:
            time.sleep(0.001)
        process.kill()
        process.communicate()
        within += steps_saved(folder / "cut/seed-3/last.ckpt") % 7 not in (0, 4)
        if within == 3:
            break
    if within == 0:
        fail("no kill came between two chunks")
    finish(folder, "cut", f"teacher_chunk = 8, {within} kills inside a chunk", every_step, "chunked")
    print(f"teacher_chunk = 8: {within} kills inside a chunk, resumed to the same bits")


def teacher_test(folder):
    """Killed while its teacher is trained, before it has a step of its own, the run is resumed like any other."""
    shutil.rmtree(folder / "cache", ignore_errors=True)
    process = begin(folder, "early")
    while not glob.glob(folder / "cache/kdhost/teachers/*/seed-1/last.ckpt") and process.poll() is None:
        time.sleep(0.001)
    process.kill()
    process.communicate()
    if not os.path.exists(folder / "early/state.json") or os.path.exists(folder / "early/resolved.toml"):
        fail(f"killed while the teacher is trained, the run's folder holds {os.listdir(folder / 'early')}")
    finish(folder, "early", "killed while its teacher was trained")
    print("killed while its teacher was trained: resumed to the same bits")


def start_test(folder):
    """Killed in the instant in which its folder was made, the run is started again in the same place."""
    os.mkdir(folder / "begun")
    for name in ("lock", "state.json.tmp-99999999-0"):
        folder.write(f"begun/{name}", "")
    finish(folder, "begun", "killed before it had begun")


def thread_test(folder):
    """The thin program prepares the environment for the threads that the run began with, whatever is free now."""
    free = [value for value in PINNED if value not in ("--threads", "1")]
    began = folder.start("run", "student.toml", "--out", "threads", *free, more={"OMP_NUM_THREADS": "1"})
    while not os.path.exists(folder / "threads/seed-3/last.ckpt") and began.poll() is None:
        time.sleep(0.002)
    began.send_signal(signal.SIGTERM)
    began.communicate(timeout=60)
    engine = folder.write("engine", "#!/bin/sh\necho \"$KDHOST_LAUNCH\"\n")
    os.chmod(engine, 0o755)
    resumed = folder.start("run", "student.toml", "--out", "threads", "--resume", *free, more={"KDHOST_ENGINE": engine})
    out, err = resumed.communicate(timeout=60)
    if out != "threads: 1 (as asked)\n":
        fail(f"begun with 1 thread, resumed with {out}{err}")
    print("a resumed run gets the threads it began with")


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
    start_test(folder)
    thread_test(folder)
    signal_test(folder, seconds)
    chunk_test(folder)
    teacher_test(folder)
    kill_test(folder, seconds, seed)
