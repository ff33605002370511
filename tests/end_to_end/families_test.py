# SPDX-License-Identifier: MIT
"""One shipped experiment of each family of losses, cut down to a few hundred samples of its data: it trains to the end,
every term that the file names is in the log with finite values, what the terms train is in the checkpoint, and the
student that is written holds its own tensors alone. Where Fashion-MNIST is installed its first images are used, else
made-up ones; the questions are always made up."""
import gzip
import math
import os
import random
import re
import struct
import time
import tomllib

from program import PINNED, Folder, fail, log_lines, read_safetensors

EXPERIMENTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "experiments")
TRAIN, TEST = 448, 64
PAIR, PERCEPTRONS, ENCODERS = "fashion-mnist/pair/teacher.toml", "fashion-mnist/teacher-mlp.toml", "trec/teacher.toml"
FEW_LABELS = ["--set", "data.labels=128"]
# The experiment, its teacher, settings, and the terms that train parts of their own.
RUNS = [
    ("fashion-mnist/logit/dkd.toml", PAIR, FEW_LABELS, []),
    ("fashion-mnist/feature/review.toml", PAIR, FEW_LABELS, ["review"]),
    ("fashion-mnist/relation/fsp-stages.toml", PAIR, FEW_LABELS, []),
    ("fashion-mnist/contrastive/sskd.toml", PAIR, FEW_LABELS, ["sskd"]),
    ("fashion-mnist/self/byot.toml", None, [], ["byot"]),
    ("fashion-mnist/tasks/several.toml", PERCEPTRONS, [], []),
    ("trec/tinybert.toml", ENCODERS, [], ["hid_mse"]),
]
# Names of a student's own tensors, by the folder of the experiment.
RESIDUAL = r"(conv1|bn1|layer\d\.\d\.(conv|bn)\d|linear)\.\w+"
TENSORS = {"tasks": r"fc\d\.\w+", "trec": r"(embedding|positions|norm|classifier|encoder\.layers\.\d)\.[\w.]+"}


def images(kind):
    """The first images and labels of Fashion-MNIST, or random ones."""
    count = TRAIN if kind == "train" else TEST
    for place in (os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share").split(":"):
        path = os.path.join(place, "datasets", "fashion-mnist", kind)
        if os.path.exists(path + "-images-idx3-ubyte.gz"):
            with gzip.open(path + "-images-idx3-ubyte.gz") as x, gzip.open(path + "-labels-idx1-ubyte.gz") as y:
                return x.read(16 + count * 784)[16:], y.read(8 + count)[8:]
    r = random.Random(kind)
    return r.randbytes(count * 784), bytes(i % 10 for i in range(count))


def write_images(folder):
    os.makedirs(folder / "data/fashion-mnist")
    for kind, count in (("train", TRAIN), ("t10k", TEST)):
        pixels, labels = images(kind)
        for name, sizes, data in (("images-idx3", (count, 28, 28), pixels), ("labels-idx1", (count,), labels)):
            with open(folder / f"data/fashion-mnist/{kind}-{name}-ubyte", "wb") as f:
                f.write(struct.pack(f">BBBB{len(sizes)}I", 0, 0, 8, len(sizes), *sizes) + data)


def write_questions(folder):
    os.makedirs(folder / "data/trec")
    r = random.Random(3)
    words = [f"word{i}" for i in range(60)]
    for name, count in (("train", TRAIN), ("test", TEST)):
        lines = []
        for i in range(count):
            kind = i % 6
            lines.append(f"{kind} " + " ".join([f"kind{kind}"] + r.choices(words, k=r.randint(1, 40))))
        folder.write(f"data/trec/TREC.{name}.all", "\n".join(lines) + "\n")


def short_teacher(folder, teacher):
    """A teacher's file that trains it for one epoch of the data of this test."""
    name = teacher.replace("/", "-")
    folder.write(name, f'include = "{os.path.join(EXPERIMENTS, teacher)}"\n[data]\nvalidation = 64\n[train]\nepochs = 1\n')
    return folder / name


def terms_of(experiment):
    with open(os.path.join(EXPERIMENTS, experiment), "rb") as f:
        file = tomllib.load(f)
    losses = file.get("loss", []) + [term for stage in file.get("stage", []) for term in stage.get("loss", [])]
    return {term.get("name", term["use"].split(".")[-1]) for term in losses}


def check_log(folder, run, experiment):
    values = {}
    for line in log_lines(folder / f"{run}/metrics.jsonl"):
        for name, term in line.get("terms", {}).items():
            if term is not None:  # its weight is 0 in this step
                values.setdefault(name, []).append(term["value"])
    if set(values) != terms_of(experiment):
        fail(f"{experiment}: the log has the terms {sorted(values)}, the file {sorted(terms_of(experiment))}")
    for name, list_of in values.items():
        if not all(isinstance(v, (int, float)) and math.isfinite(v) for v in list_of):
            fail(f"{experiment}: the values of {name} are {list_of}")
    return len(next(iter(values.values())))


def check_weights(folder, run, experiment, trained):
    parts = experiment.split("/")
    pattern = TENSORS.get(parts[-2], TENSORS.get(parts[0], RESIDUAL))
    for file in ("student", "last"):
        names = list(read_safetensors(folder / f"{run}/seed-1/{file}.safetensors"))
        foreign = [n for n in names if not re.fullmatch(pattern, n)]
        if foreign or not names:
            fail(f"{experiment}: {file}.safetensors holds {foreign or 'nothing'}")
    checkpoint = read_safetensors(folder / f"{run}/seed-1/last.ckpt")
    found = {n.split("/")[0].removeprefix("loss.") for n in checkpoint if n.startswith("loss.")}
    if found != set(trained):
        fail(f"{experiment}: the checkpoint has parts of {sorted(found)}, expected those of {trained}")


with Folder() as folder:
    write_images(folder)
    write_questions(folder)
    for experiment, teacher, settings, trained in RUNS:
        start = time.monotonic()
        run = experiment.replace("/", "-").removesuffix(".toml")
        with open(os.path.join(EXPERIMENTS, experiment), "rb") as f:
            staged = "stage" in tomllib.load(f)
        settings = [*settings, *([] if staged else ["--set", "train.epochs=1"])]
        # A teacher of a few steps has large features: clipped, so that a step of the recipe's length stays one.
        settings += ["--set", "seeds=[1]", "--set", "data.validation=64", "--set", "train.log_steps=1", "--set",
                     "optimizer.clip_norm=1.0"]
        if experiment.startswith("fashion-mnist"):
            settings += ["--set", "data.train=256"]
        if teacher:
            settings += ["--set", f'teacher.from="{short_teacher(folder, teacher)}"', "--set", "baseline.enabled=false"]
        process = folder.start("run", os.path.join(EXPERIMENTS, experiment), "--out", run, *PINNED, *settings,
                               more={"KDHOST_DATA": folder / "data"}.items())
        _, err = process.communicate(timeout=120)
        if process.returncode != 0:
            fail(f"{experiment} ended with {process.returncode}\n{err}")
        steps = check_log(folder, run, experiment)
        check_weights(folder, run, experiment, trained)
        print(f"{experiment}: {steps} lines, {time.monotonic() - start:.1f} s")
