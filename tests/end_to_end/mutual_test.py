# SPDX-License-Identifier: MIT
"""Two students teach each other, or a moving average of the student teaches it, and the student alone is trained without
either: what the peer is taught is no term of the baseline, and no average is kept there."""
from program import Folder, fail, log_lines

DATA = """
seeds = [1]
[data]
use    = "kdhost.synthetic"
batch  = 16
params = { classes = 4, samples = 160, test_samples = 40, shape = [1, 8, 8], noise = 1.0 }
[student]
use    = "kdhost.mlp"
params = { hidden = [16] }
[optimizer]
use = "adam"
lr  = 1e-2
[train]
epochs    = 6
log_steps = 10
[[loss]]
use = "kdhost.cross_entropy"
[[loss]]
use = "kdhost.kd"
"""
MUTUAL = DATA + """
[[teacher]]
name   = "peer"
use    = "kdhost.mlp"
params = { hidden = [16] }
train  = true
[[loss]]
use    = "kdhost.cross_entropy"
name   = "peer_cross_entropy"
inputs = { student = "peer:logits" }
[[loss]]
use    = "kdhost.kd"
name   = "peer_kd"
inputs = { student = "peer:logits", teacher = "student:logits" }
"""
AVERAGE = DATA + """
[teacher]
ema_of    = "student"
ema_decay = 0.9
"""


def terms_of(folder, run):
    terms = {"distilled": [], "baseline": []}
    for line in log_lines(folder / f"{run}/metrics.jsonl"):
        if "terms" in line:
            terms[line["arm"]].append({name: t["value"] for name, t in line["terms"].items()})
    return terms


def check_terms(terms, distilled):
    found = {arm: list(lines[0]) for arm, lines in terms.items()}
    wanted = {"distilled": distilled, "baseline": ["cross_entropy"]}
    if found != wanted:
        fail(f"the arms have the terms {found}, expected {wanted}")


with Folder() as folder:
    folder.write("mutual.toml", MUTUAL)
    folder.train("mutual.toml", "--out", "mutual")
    terms = terms_of(folder, "mutual")
    check_terms(terms, ["cross_entropy", "kd", "peer_cross_entropy", "peer_kd"])
    for name in ("cross_entropy", "peer_cross_entropy"):
        first, last = terms["distilled"][0][name], terms["distilled"][-1][name]
        if not last < 0.8 * first:
            fail(f"{name} went from {first} to {last}: that network does not learn")
    print(f"both learn: {terms['distilled'][0]} to {terms['distilled'][-1]}")

    folder.write("average.toml", AVERAGE)
    folder.train("average.toml", "--out", "average")
    terms = terms_of(folder, "average")
    check_terms(terms, ["cross_entropy", "kd"])
    first, last = terms["distilled"][0]["cross_entropy"], terms["distilled"][-1]["cross_entropy"]
    if not last < 0.8 * first:
        fail(f"beside its average the student's cross-entropy went from {first} to {last}")
    print("the student learns from its average, and alone without it")
