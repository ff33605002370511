# SPDX-License-Identifier: MIT
"""Losses name the view of a sample that a model shall see, as in "logits@kept": student and teacher see it, the others
stay as they were; what is no view is refused with the fields there are."""
import math

from program import Folder, PINNED, fail, log_lines

DATA = """
seeds = [1]
[data]
use    = "kdhost.synthetic"
batch  = 16
params = { classes = 4, samples = 64, test_samples = 16, shape = [1, 8, 8], noise = 1.0 }
[student]
use    = "kdhost.mlp"
params = { hidden = [16] }
[train]
steps     = 4
log_steps = 1
"""
TEACHER = DATA + """
[[loss]]
use = "kdhost.cross_entropy"
"""
VIEWS = DATA + """
[[data.transform]]
use    = "kdhost.view"
on     = "train"
params = { name = "kept" }
[[data.transform]]
use = "kdhost.rotations"
on  = "train"
CHANGE
[teacher]
SOURCE
[[loss]]
use    = "kdhost.cross_entropy"
inputs = { student = "logits@kept" }
[[loss]]
use = "kdhost.kd"
[[loss]]
use    = "kdhost.kd"
name   = "kept"
inputs = { student = "logits@kept", teacher = "logits@kept" }
[[loss]]
use    = "kdhost.kd"
name   = "turned"
inputs = { student = "logits@rotations", teacher = "logits@rotations" }
[[loss]]
use    = "kdhost.rkd"
inputs = { student = ["hidden1@rotations"], teacher = ["hidden1@rotations"] }
"""
CUTOUT = '[[data.transform]]\nuse = "kdhost.cutout"\nparams = { size = 5 }\n'
FROM = 'from = "teacher.toml"'
PEER = """use    = "kdhost.mlp"
params = { hidden = [16] }
train  = true
"""
PEER_LEARNS = """
[[loss]]
use    = "kdhost.cross_entropy"
name   = "peer"
inputs = { student = "teacher:logits@kept" }
"""


def write(folder, change="", source=FROM, text=VIEWS):
    folder.write("views.toml", text.replace("CHANGE", change).replace("SOURCE", source))


def first_step(folder, run):
    lines = [line["terms"] for line in log_lines(folder / f"{run}/metrics.jsonl")
             if "terms" in line and line["arm"] == "distilled"]
    values = {name: term["value"] for name, term in lines[0].items()}
    if not all(math.isfinite(v) for line in lines for v in (t["value"] for t in line.values())):
        fail(f"{run}: not all values are finite: {lines}")
    return values


def refusal(folder, name, text):
    write(folder, text=VIEWS.replace('student = "logits@kept", teacher = "logits@kept"', name))
    code, _, err = folder.run("check", "views.toml", *PINNED[:4])
    if code != 3 or text not in err:
        fail(f"{name} ended with {code} and\n{err}\ninstead of\n{text}")


with Folder() as folder:
    folder.write("teacher.toml", TEACHER)
    write(folder)
    folder.train("views.toml", "--out", "plain")
    plain = first_step(folder, "plain")
    if plain["kept"] != plain["kd"]:
        fail(f"a view that is the input itself has another loss: {plain}")
    if plain["turned"] in (plain["kd"], 0.0):
        fail(f"the rotations have the loss of the plain images: {plain}")

    write(folder, CUTOUT)
    folder.train("views.toml", "--out", "cut")
    cut = first_step(folder, "cut")
    for name in ("cross_entropy", "kept", "turned"):
        if cut[name] != plain[name]:
            fail(f"{name} looks at a view, yet what is done to the input changes it: {plain} {cut}")
    if cut["kd"] == plain["kd"]:
        fail(f"kd looks at the input, yet what is done to that does not change it: {cut}")

    for run, source, more in (("average", 'ema_of = "student"', ""), ("peer", PEER, PEER_LEARNS)):
        write(folder, CUTOUT, source, VIEWS + more)
        folder.train("views.toml", "--out", run)
        first_step(folder, run)
    print(f"each term sees its view: {plain} {cut}")

    refusal(folder, 'student = "logits@keep"',
            "loss 'kept', port 'student.logits': the batch has no field 'keep'.\n"
            "  It has: input, label, index, kept, rotations.")
    refusal(folder, 'student = "logit@kept"', "loss 'kept', port 'student.logits': student has no tap 'logit'.")
    refusal(folder, 'student = "logits@label"',
            "loss 'kept', port 'student.logits': the field 'label', int64 [16] on cpu, is no view of the input.\n"
            "  Expected a field like 'input', float32 [16, 1, 8, 8] on cpu, or with a second dimension before the others for "
            "several views of each sample. Let a transform write it, such as kdhost.view or kdhost.rotations.")
    print("what is no view is refused")
