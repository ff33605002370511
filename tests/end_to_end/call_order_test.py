# SPDX-License-Identifier: MIT
"""The life of a batch: components that say when they are called, and the calls of two steps as a list. Also what must
not be called: a teacher whose outputs are kept, and a term whose weight is 0 at that step."""
import os
import struct
import sys

from program import Folder, PINNED, fail, write_safetensors

RECORDING = os.path.abspath(sys.argv[2])
EXPERIMENT = """
seeds   = [1]
plugins = ["{plugin}"]
[data]
use    = "kdhost.synthetic"
batch  = 8
params = {{ classes = 3, samples = 16, test_samples = 0, shape = [6] }}
{transform}
[teacher]
use     = "recording.model"
params  = {{ name = "teacher" }}
weights = "teacher.safetensors"
cache   = "{cache}"
[student]
use    = "recording.model"
params = {{ name = "student" }}
[[loss]]
use    = "{loss}"
name   = "first"
params = {params}
[[loss]]
use    = "recording.loss"
name   = "second"
weight = 0.5
params = {{ name = "second loss" }}
{schedule}
[train]
steps = 2
[baseline]
enabled = false
"""
TRANSFORM = '[[data.transform]]\nuse = "recording.transform"'
# The second loss has weight 0 in the first step and 0.5 in the second.
SCHEDULE = '[[schedule]]\ntarget = "loss.second.weight"\nuse = "kdhost.linear"\nparams = { from = 0.0, to = 1.0 }'


def calls(transform="", cache="off", schedule=""):
    with Folder() as folder:
        write(folder, "recording.loss", '{ name = "first loss" }', transform, cache, schedule)
        err = folder.train("order.toml", "--out", "run")
    # The steps lie between these lines of the plan and the report; before and after them the models are tried and timed.
    lines = err.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("folder    "))
    last = next(i for i, line in enumerate(lines) if line.startswith("seed 1, distilled: "))
    return [line[len("call ") :] for line in lines[first:last] if line.startswith("call ")]


def write(folder, loss, params, transform="", cache="off", schedule=""):
    numbers = [0.1 * i for i in range(18)]
    write_safetensors(folder / "teacher.safetensors", {"fc1.weight": ("F32", (3, 6), struct.pack("<18f", *numbers)),
                                                       "fc1.bias": ("F32", (3,), struct.pack("<3f", 0, 0, 0))})
    folder.write("order.toml", EXPERIMENT.format(plugin=RECORDING, loss=loss, params=params, transform=transform,
                                                 cache=cache, schedule=schedule))


def check(what, found, expected):
    if found != expected:
        fail(f"{what}\nfound    {found}\nexpected {expected}")
    print(f"{what}: {'; '.join(found)}")


TRANSFORMED, TEACHER, STUDENT = "transform", "teacher, evaluation", "student, training"
BOTH = ["first loss", "second loss"]
check("with a teacher that runs", calls(TRANSFORM), 2 * [TRANSFORMED, TEACHER, STUDENT, *BOTH])
check("with kept teacher outputs", calls(cache="memory"), 2 * [STUDENT, *BOTH])
check("with weight 0 in the first step", calls(schedule=SCHEDULE),
      [TEACHER, STUDENT, "first loss", TEACHER, STUDENT, *BOTH])

with Folder() as folder:
    write(folder, "recording.deaf", "{}")
    code, _, err = folder.run("run", "order.toml", "--out", "run", *PINNED)
    message = err[err.find("error: ") :].strip()
    expected = """
error: order.toml:18:10: loss 'first': the teacher does not matter: other teacher outputs give the student the same gradient.
  Expected a gradient that changes with the teacher. It sees student.logits = student:logits, teacher.logits = teacher:logits. Bind its teacher ports to taps of a teacher, or choose another loss.
""".strip()
    if code != 3 or message != expected:
        fail(f"a loss that ignores its teacher: exit code {code}, expected 3\nfound\n{message}\nexpected\n{expected}")
    print("a loss that ignores its teacher is refused")
