# SPDX-License-Identifier: MIT
"""One student learns several tasks at once: each term binds a tap and a field of the batch of its own, and each value is
that of its formula on the field it names."""
import random
import struct

from program import Folder, PINNED, fail, log_lines, write_safetensors

SAMPLES = 96
EXPERIMENT = """
seeds = [1]
[data]
use     = "kdhost.tensors"
batch   = 96
shuffle = false
params  = { train = "train.safetensors", test = "train.safetensors" }
[student]
use    = "kdhost.mlp"
params = { hidden = [16, 3] }
[[loss]]
use = "kdhost.cross_entropy"
[[loss]]
use    = "kdhost.smooth_l1"
name   = "size"
inputs = { "student.logits" = "hidden2", "batch.label" = "size" }
[[loss]]
use    = "kdhost.bce"
name   = "flags"
inputs = { "student.logits" = "hidden2", "batch.label" = "flags" }
[optimizer]
use = "adam"
lr  = 1e-2
[train]
steps     = 200
log_steps = 1
"""


def floats(numbers):
    return struct.pack(f"<{len(numbers)}f", *numbers)


def tensors():
    r = random.Random(5)
    inputs = [[r.uniform(-1, 1) for _ in range(8)] for _ in range(SAMPLES)]
    sizes = [abs(x[0] + x[k]) for x in inputs for k in range(3)]
    flags = [float(x[k] > 0) for x in inputs for k in range(3)]
    labels = [int(x[0] > 0) + int(x[1] > 0) for x in inputs]
    return {"input": ("F32", [SAMPLES, 8], floats([v for x in inputs for v in x])),
            "label": ("I64", [SAMPLES], struct.pack(f"<{SAMPLES}q", *labels)),
            "size": ("F32", [SAMPLES, 3], floats(sizes)),
            "flags": ("F32", [SAMPLES, 3], floats(flags))}


def terms(folder, run):
    return [{name: t["value"] for name, t in line["terms"].items()}
            for line in log_lines(folder / f"{run}/metrics.jsonl") if "terms" in line]


with Folder() as folder:
    data = tensors()
    write_safetensors(folder / "train.safetensors", data)
    folder.write("tasks.toml", EXPERIMENT)
    folder.train("tasks.toml", "--out", "run")
    lines = terms(folder, "run")
    if list(lines[0]) != ["cross_entropy", "size", "flags"]:
        fail(f"the log holds the terms {list(lines[0])}")
    for name in lines[0]:
        if not lines[-1][name] < 0.95 * lines[0][name]:
            fail(f"the term {name} went from {lines[0][name]} to {lines[-1][name]}: it is not learned")

    # Another field under the same port is another value of the first step; the other terms keep theirs to the bit.
    folder.train("tasks.toml", "--out", "swapped", "--set", 'loss.size.inputs={"student.logits"="hidden2", '
                 '"batch.label"="flags"}')
    swapped = terms(folder, "swapped")[0]
    if swapped["size"] == lines[0]["size"]:
        fail("the term 'size' has the same value with another field")
    for name in ("cross_entropy", "flags"):
        if swapped[name] != lines[0][name]:
            fail(f"the term {name} has another first value: {swapped[name]}, {lines[0][name]}")

    folder.write("wrong.toml", EXPERIMENT.replace('"batch.label" = "size"', '"batch.label" = "sizes"'))
    code, _, err = folder.run("run", "wrong.toml", *PINNED)
    if code != 3 or "the batch has no field \"sizes\"" not in err.replace("'", '"') or "size" not in err:
        fail(f"a wrong field ended with {code}\n{err}")
    print(f"three tasks learned: {lines[0]} to {lines[-1]}")
