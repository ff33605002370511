# SPDX-License-Identifier: MIT
"""A short training on a GPU goes the way of the same training on the CPU: convolutions, batch norm, augmentation, a tap
and a trained regressor. A loss that is not finite is named with its step, though nobody reads it before the next line of
the log. Skipped where there is no GPU."""
import json
import os
import sys

from program import Folder, fail

TEACHER = """
seeds = [1]
[data]
use    = "kdhost.synthetic"
params = { samples = 256, shape = [3, 16, 16] }
[student]
use    = "kdhost.cifar_resnet"
params = { depth = 14 }
[[loss]]
use = "kdhost.cross_entropy"
[train]
steps = 4
"""
STUDENT = """
seeds = [1]
[data]
use    = "kdhost.synthetic"
params = { samples = 256, shape = [3, 16, 16] }
batch  = 32
[[data.transform]]
use    = "kdhost.random_crop"
params = { padding = 2 }
[[data.transform]]
use = "kdhost.random_flip"
[teacher]
from = "teacher.toml"
[student]
use    = "kdhost.cifar_resnet"
params = { depth = 8 }
[[loss]]
use    = "kdhost.cross_entropy"
weight = 0.5
[[loss]]
use    = "kdhost.kd"
weight = 0.5
[[loss]]
use    = "kdhost.hint"
inputs = { student = ["layer2"], teacher = ["layer2"] }
[optimizer]
use      = "sgd"
lr       = 0.01
momentum = 0.9
[train]
steps     = 20
precision = "fp64"
log_steps = 1
"""
LATE = """
seeds   = [1]
plugins = ["{zoo}/late.so"]
[data]
use    = "kdhost.synthetic"
batch  = 8
params = {{ classes = 3, samples = 32, shape = [6] }}
[student]
use    = "kdhost.mlp"
params = {{ hidden = [8] }}
[[loss]]
use = "kdhost.cross_entropy"
[[loss]]
use    = "zoo.late"
params = {{ way = "nan", at = 3 }}
[train]
steps     = 10
log_steps = 5
"""
NAN = """
error: late.toml:14:10: seed 1, step 5: loss 'zoo.late' of ZOO/late.so, in compute: its value was nan in step 3.
  Expected a finite number. Mend the plugin if its inputs are usual, else lower the learning rate or the loss weight. Such a step has changed no weight."""


def losses(folder, device):
    code, _, err = folder.run("run", "student.toml", "--out", device, "--device", device)
    if code != 0 and device == "cuda" and "there is no device 'cuda'" in err:
        print("skipped: there is no GPU")
        raise SystemExit(0)
    if code != 0:
        fail(f"--device {device} ended with {code}\n{err}")
    with open(folder / f"{device}/metrics.jsonl", encoding="utf-8") as f:
        logged = [json.loads(line)["terms"] for line in f if "terms" in line]
    return [term["value"] for terms in logged for term in terms.values()]


def nan_is_named(folder):
    zoo = os.path.abspath(sys.argv[2])
    folder.write("late.toml", LATE.format(zoo=zoo))
    code, _, err = folder.run("run", "late.toml", "--out", "late", "--device", "cuda")
    found = err[err.find("error: "):].replace(zoo, "ZOO").strip()
    if code != 6 or found != NAN.strip():
        fail(f"exit code {code}, expected 6\nfound\n{found}\nexpected\n{NAN.strip()}")


with Folder() as folder:
    folder.write("teacher.toml", TEACHER)
    folder.write("student.toml", STUDENT)
    cuda, cpu = losses(folder, "cuda"), losses(folder, "cpu")
    if not cpu or len(cuda) != len(cpu):
        fail(f"{len(cpu)} losses on the CPU, {len(cuda)} on the GPU")
    worst = max(abs(a - b) / max(1.0, abs(b)) for a, b in zip(cuda, cpu))
    if not worst < 1e-8:
        fail(f"the losses differ by {worst}")
    nan_is_named(folder)
print(f"{len(cpu)} losses on the GPU differ from those on the CPU by at most {worst:.1e}")
