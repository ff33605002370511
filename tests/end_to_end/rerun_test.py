# SPDX-License-Identifier: MIT
"""The resolved.toml of a run is a whole experiment: run again from another folder it finds the same data, weights and
plugins, though the experiment and a file that it includes named them by relative paths, and gives the same bits.
`kdhost eval` of the run, which reads the same file, prints what the run found."""
import json
import os
import struct

from program import Folder, PINNED, content, fail, write_safetensors

EXPERIMENT = """
seeds   = [1]
[data]
use    = "kdhost.tensors"
batch  = 8
params = { train = "data/train.safetensors", test = "../work/data/test.safetensors", classes = 3 }
[teacher]
use     = "kdhost.mlp"
params  = { hidden = [12] }
weights = "teacher.safetensors"
[student]
use    = "kdhost.mlp"
params = { hidden = [8] }
[[loss]]
use    = "kdhost.cross_entropy"
weight = 0.5
[[loss]]
use    = "kdhost.kd"
weight = 0.5
[train]
steps = 12
"""
DIGITS_DATA = """
[data]
use    = "kdhost.mnist"
batch  = 4
params = { root = "../digits" }
"""
DIGITS = """
seeds   = [1]
include = "data/digits-data.toml"
[student]
use    = "kdhost.mlp"
params = { hidden = [8] }
[[loss]]
use = "kdhost.cross_entropy"
[train]
steps = 3
"""
WEIGHTS = ("seed-1/student.safetensors", "seed-1/last.safetensors")


def numbers(count, step):
    return struct.pack(f"<{count}f", *[(i * step % 101) / 101 - 0.5 for i in range(count)])


def write_data(folder):
    for split, samples in (("train", 48), ("test", 16)):
        write_safetensors(folder / f"work/data/{split}.safetensors", {
            "input": ("F32", (samples, 6), numbers(samples * 6, 37)),
            "label": ("I64", (samples,), struct.pack(f"<{samples}q", *[i % 3 for i in range(samples)]))})
    write_safetensors(folder / "work/teacher.safetensors", {
        "fc1.weight": ("F32", (12, 6), numbers(72, 13)), "fc1.bias": ("F32", (12,), numbers(12, 17)),
        "fc2.weight": ("F32", (3, 12), numbers(36, 19)), "fc2.bias": ("F32", (3,), numbers(3, 23))})
    for part in ("train", "t10k"):
        with open(folder / f"work/digits/{part}-images-idx3-ubyte", "wb") as f:
            f.write(struct.pack(">4B3I", 0, 0, 8, 3, 12, 28, 28) + bytes(i * 7 % 256 for i in range(12 * 784)))
        with open(folder / f"work/digits/{part}-labels-idx1-ubyte", "wb") as f:
            f.write(struct.pack(">4BI", 0, 0, 8, 1, 12) + bytes(i % 10 for i in range(12)))


def rerun(folder, name):
    folder.train(f"work/{name}.toml", "--out", f"work/{name}-first")
    os.makedirs(folder / f"elsewhere/{name}", exist_ok=True)
    os.rename(folder / f"work/{name}-first/resolved.toml", folder / f"elsewhere/{name}/again.toml")
    folder.train(f"elsewhere/{name}/again.toml", "--out", f"elsewhere/{name}/second")
    for weights in WEIGHTS:
        if content(folder / f"work/{name}-first/{weights}") != content(folder / f"elsewhere/{name}/second/{weights}"):
            fail(f"{name}: {weights} of the second run differs")


with Folder() as folder:
    os.makedirs(folder / "work/data")
    os.makedirs(folder / "work/digits")
    write_data(folder)
    folder.write("work/tensors.toml", EXPERIMENT)
    folder.write("work/data/digits-data.toml", DIGITS_DATA)
    folder.write("work/digits.toml", DIGITS)
    rerun(folder, "tensors")
    rerun(folder, "digits")
    code, out, err = folder.run("eval", "elsewhere/tensors/second", "--json", "--threads", "1")
    if code != 0:
        fail(f"kdhost eval ended with {code}\n{err}")
    with open(folder / "elsewhere/tensors/second/summary.json", encoding="utf-8") as f:
        legs = json.load(f)["legs"]
    expected = {round(leg["test_best"]["accuracy"], 6) for leg in legs}
    if not all(str(value)[:6] in out for value in expected):
        fail(f"kdhost eval does not print {expected}:\n{out}")
print("resolved files run again from another folder give the same bits")
