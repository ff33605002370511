# SPDX-License-Identifier: MIT
"""A checkpoint with one wrong byte, or cut short, is refused by name with exit code 4, wherever the damage is. Every
byte of the header's length and a sample of all the others; the format itself is tested in tests/tensor."""
import random
import signal

from program import Folder, PINNED, content, fail

EXPERIMENT = """
seeds = [1]
[data]
use    = "kdhost.synthetic"
batch  = 8
params = { classes = 2, samples = 16, test_samples = 4, shape = [3] }
[student]
use    = "kdhost.mlp"
params = { hidden = [8] }
[[loss]]
use = "kdhost.cross_entropy"
[train]
steps            = 100000
checkpoint_steps = 10
"""
RESUME = ("run", "small.toml", "--out", "run", "--resume", *PINNED)

with Folder() as folder:
    folder.write("small.toml", EXPERIMENT)
    checkpoint = folder / "run/seed-1/last.ckpt"
    process = folder.start("run", "small.toml", "--out", "run", *PINNED)
    while process.poll() is None:
        try:
            content(checkpoint)
            break
        except FileNotFoundError:
            pass
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    if process.returncode != 7:
        fail(f"the run that makes the checkpoint ended with {process.returncode}, expected 7\n{err}")
    whole = content(checkpoint)

    chance = random.Random(1)
    offsets = list(range(8)) + sorted(chance.sample(range(8, len(whole)), 24)) + [len(whole) - 1]
    damaged = []
    for at in offsets:
        wrong = bytes([whole[at] ^ 1 << chance.randrange(8)])
        damaged.append((f"byte {at} of {len(whole)} changed", whole[:at] + wrong + whole[at + 1 :]))
    lengths = [0, 1, 7, 8, 9, len(whole) // 2, len(whole) - 8, len(whole) - 1]
    damaged += [(f"cut to {length} of {len(whole)} bytes", whole[:length]) for length in lengths]
    damaged += [("one byte too many", whole + b"\0")]
    for what, data in damaged:
        with open(checkpoint, "wb") as f:
            f.write(data)
        code, out, err = folder.run(*RESUME)
        message = err[err.find("error: ") :]
        if code != 4 or out or "run/seed-1/last.ckpt: " not in message:
            fail(f"{what}: exit code {code}, expected 4 and a message that names last.ckpt, found\n{err}")
        if content(checkpoint) != data:
            fail(f"{what}: the refused file was written over")
    with open(checkpoint, "wb") as f:
        f.write(whole)
    process = folder.start(*RESUME)
    while content(checkpoint) == whole and process.poll() is None:
        pass
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    if process.returncode != 7:
        fail(f"the undamaged checkpoint is not resumed\n{err}")
print(f"{len(damaged)} damaged checkpoints refused by name, the whole one resumed")
