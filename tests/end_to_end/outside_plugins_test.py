# SPDX-License-Identifier: MIT
"""The two plugins of the author's guide, as built out of tree against an installed SDK, are loaded by `plugins =
[...]` and train beside a shipped relation loss; the schedule of one of them drives the temperature of the other."""
import os
import sys

from program import Folder, fail, log_lines

BUILT = os.path.abspath(sys.argv[2])
EXPERIMENT = """
seeds   = [1]
plugins = ["{built}/soft_kl.so", "{built}/polynomial.so"]
[data]
use    = "kdhost.synthetic"
batch  = 16
params = {{ classes = 3, samples = 64, test_samples = 32, shape = [6] }}
[teacher]
from = "teacher.toml"
[student]
use    = "kdhost.mlp"
params = {{ hidden = [8] }}
[[loss]]
use    = "kdhost.cross_entropy"
[[loss]]
use    = "example.soft_kl"
[[loss]]
use    = "kdhost.sp"
inputs = {{ student = ["hidden1"], teacher = ["hidden1"] }}
[[schedule]]
target = "loss.soft_kl.params.temperature"
use    = "example.polynomial"
params = {{ from = 8.0, to = 2.0, power = 2.0 }}
[train]
epochs    = 1
log_steps = 1
"""
TEACHER = """
[data]
use    = "kdhost.synthetic"
batch  = 16
params = { classes = 3, samples = 64, test_samples = 32, shape = [6] }
[student]
use    = "kdhost.mlp"
params = { hidden = [12] }
[[loss]]
use = "kdhost.cross_entropy"
[train]
epochs = 2
"""
for plugin in ("soft_kl.so", "polynomial.so"):
    if not os.path.exists(os.path.join(BUILT, plugin)):
        print(f"skipped: {plugin} is not built; the test sdk_outside builds it")
        sys.exit(0)
with Folder() as folder:
    folder.write("teacher.toml", TEACHER)
    folder.write("student.toml", EXPERIMENT.format(built=BUILT))
    folder.train("student.toml", "--out", "run")
    lines = [line for line in log_lines(folder / "run/metrics.jsonl") if line["arm"] == "distilled" and "terms" in line]
temperatures = [line["schedules"]["loss.soft_kl.params.temperature"] for line in lines]
expected = [2.0 + 6.0 * (1.0 - step / 4) ** 2 for step in range(4)]
if temperatures != expected:
    fail(f"the temperature is {temperatures}, expected {expected}")
for line in lines:
    if set(line["terms"]) != {"cross_entropy", "soft_kl", "sp"} or not all(t["value"] > 0 for t in line["terms"].values()):
        fail(f"expected a positive value of each of the three terms, found {line['terms']}")
print("soft_kl and polynomial, built out of tree, trained one epoch beside kdhost.sp")
