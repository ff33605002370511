# SPDX-License-Identifier: MIT
"""What losses train beside the student - regressors, variances, auto-encoders, attention, banks - learns, is saved in every
checkpoint, comes back bit by bit in a resumed run, lives through the stages in which its term stands, and is left out of
the student that a run writes. It is what the loss says that it trains and keeps."""
import json
import os
import signal
import time

from program import Folder, PINNED, fail, log_lines, read_safetensors

DATA = """
seeds = [1]
[data]
use        = "kdhost.synthetic"
batch      = 16
validation = 40
drop_last  = true
params     = { classes = 4, samples = 200, test_samples = 40, shape = [1, 16, 16], noise = 1.0 }
"""
TEACHER = DATA + """
[student]
use    = "kdhost.cifar_resnet"
params = { depth = 8, widths = [8, 8, 16, 24] }
[[loss]]
use = "kdhost.cross_entropy"
[train]
steps = 10
"""
PAIR = DATA + """
[baseline]
enabled = false
[teacher]
from = "teacher.toml"
[student]
use    = "kdhost.cifar_resnet"
params = { depth = 8, widths = [4, 8, 12, 16] }
[optimizer]
use          = "sgd"
lr           = 0.01
momentum     = 0.9
weight_decay = 5e-4
clip_norm    = 5.0
"""
LAST = 'inputs = { student = ["layer3"], teacher = ["layer3"] }'
PRE = 'inputs = { student = ["layer3.pre"], teacher = ["layer3.pre"] }'
STAGES = 'inputs = { student = ["layer1", "layer2"], teacher = ["layer1", "layer2"] }'
EMBEDDING = 'inputs = { student = ["embedding"], teacher = ["embedding"] }'
EXITS = """[stage.loss.inputs]
"student.features" = ["layer1", "layer2"]
"teacher.features" = ["student:layer3"]
"teacher.logits"   = "student:logits\""""
NORMS = """[stage.loss.inputs]
"student.features"    = ["layer2.pre"]
"teacher.features"    = ["layer2.pre"]
"teacher.norm_weight" = ["teacher:param/layer2.0.bn2.weight"]
"teacher.norm_bias"   = ["teacher:param/layer2.0.bn2.bias"]"""
CLASSIFIER = """[stage.loss.inputs]
"student.features"          = ["TAP"]
"teacher.features"          = ["TAP"]
"teacher.classifier.weight" = "teacher:param/linear.weight"
"teacher.classifier.bias"   = "teacher:param/linear.bias\""""
REUSED = PAIR.replace("widths = [4, 8, 12, 16]", "widths = [4, 8, 12, 16], projector = 24").replace("[optimizer]", """
weights = "taught/seed-1/student.safetensors"
load    = ["linear.*"]
[optimizer]""") + """
[[stage]]
steps  = 8
freeze = ["linear.*"]
[[stage.loss]]
use    = "kdhost.simkd"
params = { adaptor = "none" }
inputs = { student = ["projected"], teacher = ["layer3"] }
"""

# Every loss that has trained parts: id, weight, parameters, inputs.
TERMS = [
    ("kdhost.hint", 1.0, "", LAST),
    ("kdhost.vid", 0.1, "", STAGES),
    ("kdhost.ab", 0.1, "", PRE),
    ("kdhost.ofd", 0.001, "", NORMS),
    ("kdhost.mgd", 1.0, "", LAST),
    ("kdhost.ickd", 1.0, "", LAST),
    ("kdhost.srd", 0.1, "exponent = 2.0", LAST),
    ("kdhost.pad_l2", 0.1, "", 'inputs = { student = ["layer1.pre"], teacher = ["layer1.pre"] }'),
    ("kdhost.review", 1.0, "", 'inputs = { student = ["layer1", "layer2", "layer3", "embedding"], '
     'teacher = ["layer1.pre", "layer2.pre", "layer3.pre", "embedding"] }'),
    ("kdhost.semckd", 1.0, "batch_size = 16", STAGES),
    ("kdhost.srrl", 0.1, "", CLASSIFIER.replace("TAP", "embedding")),
    ("kdhost.simkd", 1.0, "", CLASSIFIER.replace("TAP", "layer3")),
    ("kdhost.ft", 1.0, "", LAST),
    ("kdhost.ktaad", 0.1, "", LAST),
    ("kdhost.gram", 0.1, "", LAST),
    ("kdhost.cc", 0.02, "dim = 12", EMBEDDING),
    ("kdhost.crd", 0.5, "dim = 12, negatives = 20", EMBEDDING),
    ("kdhost.byot", 0.1, "", EXITS),
    ("kdhost.ctkd", 0.1, "", ""),
    ("kdhost.uskd", 0.1, "", 'inputs = { "student.features" = "layer3" }'),
    ("kdhost.sskd", 0.1, "", EMBEDDING),
]
# Those on sequences, in a run of their own: the rows of the images are the positions.
ENCODER = DATA + """
[student]
use    = "kdhost.transformer"
params = { layers = 1, width = 24, heads = 2, inner = 24 }
[[loss]]
use = "kdhost.cross_entropy"
[train]
steps = 4
"""
HIDDEN = 'inputs = { student = ["hidden1"], teacher = ["hidden1"] }'
SEQUENCES = DATA + """
[baseline]
enabled = false
[teacher]
from = "encoder.toml"
[student]
use    = "kdhost.transformer"
params = { layers = 1, width = 16, heads = 2, inner = 16 }
[train]
steps = 12
[[loss]]
use = "kdhost.cross_entropy"
"""
ON_SEQUENCES = ("kdhost.hid_mse", "kdhost.hid_cosine", "kdhost.patient")
# Those whose first stage trains an auto-encoder that the second keeps.
TWO_STAGES = ("kdhost.ft", "kdhost.ktaad")


def term(use, weight, params, inputs):
    lines = ["[[stage.loss]]", f'use = "{use}"', f"weight = {weight}"]
    return "\n".join(lines + ([f"params = {{ {params} }}"] if params else []) + [inputs, ""])


def experiment():
    text = PAIR + '[[stage]]\nname = "first"\nsteps = 12\n'
    text += "".join(term(use, 1.0, 'phase = "reconstruct"', LAST) for use in TWO_STAGES)
    text += '[[stage]]\nname = "second"\nsteps = 20\n[[stage.loss]]\nuse = "kdhost.cross_entropy"\n'
    return text + "".join(term(*t) for t in TERMS)


def sequences():
    return SEQUENCES + "".join(f'[[loss]]\nuse = "{use}"\n{HIDDEN}\n' for use in ON_SEQUENCES)


def tensors(checkpoint):
    """All tensors but the digest, which covers the seconds that the run took."""
    return {name: t for name, t in read_safetensors(checkpoint).items() if name != "kdhost.digest"}


def parts(checkpoint):
    """The tensors of each loss term, without what the optimizer remembers."""
    return {name: t for name, t in tensors(checkpoint).items() if name.startswith("loss.")}


def check_same(one, other, what):
    if one.keys() != other.keys():
        fail(f"{what}: {sorted(one.keys() ^ other.keys())} stand in one of them only")
    different = [name for name in one if one[name] != other[name]]
    if different:
        fail(f"{what}: these tensors differ: {different[:10]}")


def learned(name):
    return not name.endswith(("running_mean", "running_var", "num_batches_tracked", "z_student", "z_teacher"))


def state(name):
    return name.endswith(("running_mean", "running_var", "num_batches_tracked", "z_student", "z_teacher", "bank_student",
                          "bank_teacher"))


def compare_claims(folder, found):
    """The last line of each loss's details, "Trained: a. State: b.", against the parts found in checkpoints."""
    code, out, _ = folder.run("plugins", "--json")
    losses = [c["id"] for plugin in json.loads(out) for c in plugin["components"] if c["kind"] == "loss"]
    if code != 0 or not {use for use, *_ in TERMS} < set(losses):
        fail(f"kdhost plugins does not list the losses: {losses}")
    wrong = []
    for use in losses:
        names = [name for name in found if name.startswith("loss." + use.split(".")[1] + "/")]
        last = json.loads(folder.run("describe", use, "--json")[1])["details"].rstrip().rsplit("\n", 1)[-1]
        claim = ("Trained: " in last, "State: " in last)
        measured = (any(not state(name) for name in names), any(state(name) for name in names))
        if claim != measured:
            wrong.append(f"{use}: its details end with '{last}', and its parts are {names}")
    if wrong:
        fail("\n".join(wrong))


def run_until(folder, file, run, steps, *more):
    """Starts a run, and kills it once its log holds so many lines."""
    process = folder.start("run", file, "--out", run, *PINNED, *more)
    log = folder / f"{run}/metrics.jsonl"
    while process.poll() is None:
        if os.path.exists(log) and len(log_lines(log)) >= steps:
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.01)
    process.communicate()


with Folder() as folder:
    folder.write("teacher.toml", TEACHER)
    folder.write("losses.toml", experiment())
    folder.write("alone.toml", PAIR + '[[loss]]\nuse = "kdhost.cross_entropy"\n[train]\nsteps = 1\n')
    every_step = ["--set", "train.checkpoint_steps=1", "--set", "train.log_steps=1"]
    folder.train("losses.toml", "--out", "whole", *every_step)
    folder.train("alone.toml", "--out", "alone")

    whole = tensors(folder / "whole/seed-1/last.ckpt")
    for use, *_ in TERMS:
        name = "loss." + use.split(".")[1] + "/"
        if not any(t.startswith(name) for t in whole):
            fail(f"{use} has no parts in the checkpoint")
    lines = [line.get("terms", {}) for line in log_lines(folder / "whole/metrics.jsonl")]
    logged = [terms["byot"] for terms in lines if "byot" in terms]
    if len(logged) != 20:
        fail(f"kdhost.byot is in {len(logged)} lines of the log, not in the 20 of the second stage")
    for term in logged:
        # What kdhost.byot names of its value is without the weights of its parameters.
        parts_of_value = {"label": 0.7, "kd": 0.3, "feature": 0.03}
        if term.get("parts", {}).keys() != parts_of_value.keys():
            fail(f"the log does not have the parts of kdhost.byot: {term}")
        total = sum(weight * term["parts"][name] for name, weight in parts_of_value.items())
        if abs(total - term["value"]) > 1e-5 * abs(term["value"]):
            fail(f"the logged parts of kdhost.byot make {total}: {term}")
    print(f"{len(TERMS)} losses with {len(parts(folder / 'whole/seed-1/last.ckpt'))} parts in the checkpoint")

    # Killed in the first stage, at its end, and in the second.
    for steps in (5, 12, 20):
        run = f"killed-{steps}"
        run_until(folder, "losses.toml", run, steps, *every_step)
        stopped = parts(folder / f"{run}/seed-1/last.ckpt")
        code, _, err = folder.run("run", "losses.toml", "--out", run, "--resume", *PINNED, *every_step)
        if code != 0:
            fail(f"{run}: the resumed run ended with {code}\n{err}")
        check_same(whole, tensors(folder / f"{run}/seed-1/last.ckpt"), f"{run}, the checkpoint at the end")
        if log_lines(folder / f"{run}/metrics.jsonl") != log_lines(folder / "whole/metrics.jsonl"):
            fail(f"{run}: metrics.jsonl differs from that of the undisturbed run")
        now = parts(folder / f"{run}/seed-1/last.ckpt")
        if steps == 20:  # in the second stage: auto-encoders are kept, everything else learns
            kept = [n for n in now if n.startswith(("loss.ft/", "loss.ktaad/")) and "coder." in n]
            moved = [n for n in kept if now[n] != stopped[n]]
            if not kept or moved:
                fail(f"the second stage changed what the first has trained: {moved}")
            still = [n for n in now if n not in kept and learned(n) and now[n] == stopped[n]]
            if still:
                fail(f"these parts do not learn: {still}")
        if steps == 5:
            still = [n for n in now if "coder." in n and learned(n) and now[n] == stopped[n]]
            if still:
                fail(f"the first stage does not train {still}")
    print("killed in the first stage, between the stages and in the second: resumed to the same bits")

    student, alone = (read_safetensors(folder / f"{run}/seed-1/student.safetensors") for run in ("whole", "alone"))
    if student.keys() != alone.keys():
        fail(f"the student has tensors of its losses: {sorted(student.keys() ^ alone.keys())}")
    code, out, err = folder.run("export", "whole", "--out", "exported.safetensors")
    if code != 0:
        fail(f"kdhost export ended with {code}\n{out}{err}")
    check_same(student, read_safetensors(folder / "exported.safetensors"), "the exported student")
    print(f"the student and its export hold {len(student)} tensors, none of a loss")

    folder.write("reused.toml", REUSED)
    folder.train("teacher.toml", "--out", "taught")
    folder.train("reused.toml", "--out", "reused")
    teacher, student = (read_safetensors(folder / f"{run}/seed-1/student.safetensors") for run in ("taught", "reused"))
    for name in ("linear.weight", "linear.bias"):
        if student[name] != teacher[name]:
            fail(f"the student with the teacher's classifier has another {name}")
    if "projector.conv3.weight" not in student:
        fail(f"the student has no projector: {sorted(student)}")
    print("a student with a projector keeps the teacher's classifier")

    folder.write("encoder.toml", ENCODER)
    folder.write("sequences.toml", sequences())
    folder.train("sequences.toml", "--out", "sequences", *every_step)
    run_until(folder, "sequences.toml", "killed", 5, *every_step)
    code, _, err = folder.run("run", "sequences.toml", "--out", "killed", "--resume", *PINNED, *every_step)
    if code != 0:
        fail(f"sequences: the resumed run ended with {code}\n{err}")
    of_sequences = tensors(folder / "sequences/seed-1/last.ckpt")
    check_same(of_sequences, tensors(folder / "killed/seed-1/last.ckpt"), "losses on sequences, the checkpoint at the end")
    compare_claims(folder, [*whole, *of_sequences])
    print("losses on sequences are resumed to the same bits; every loss has the parts that the catalogue says")
