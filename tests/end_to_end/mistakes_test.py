# SPDX-License-Identifier: MIT
"""Mistakes that only a built experiment shows, through the program: the exit code and the full text of the answer,
and that nothing was trained. Mistakes that need no model are tested in tests/config and tests/plugin."""
import difflib
import json
import os
import re
import struct
import subprocess
import sys

from program import Folder, PINNED, content, fail, write_safetensors

ZOO = os.path.abspath(sys.argv[2])
BASE = {
    "": "seeds = [1]",
    "data": """use = "kdhost.synthetic"
batch = 8
params = { classes = 3, samples = 32, test_samples = 8, shape = [6] }""",
    "teacher": """use = "kdhost.mlp"
params = { hidden = [12] }
weights = "teacher.safetensors\"""",
    "student": """use = "kdhost.mlp"
params = { hidden = [8] }""",
    "loss": """use = "kdhost.cross_entropy\"""",
    "loss ": """use = "kdhost.kd\"""",
    "train": "steps = 4",
}


def floats(*values):
    return struct.pack(f"<{len(values)}f", *values)


def linear(name, outputs, inputs, first=0.0):
    values = [first] + [((i * 37 + 11) % 101) / 101 - 0.5 for i in range(1, outputs * inputs)]
    return {f"{name}.weight": ("F32", (outputs, inputs), floats(*values)),
            f"{name}.bias": ("F32", (outputs,), floats(*[0.0] * outputs))}


def teacher_weights(classes=3, first=0.0):
    return {**linear("fc1", 12, 6, first), **linear("fc2", classes, 12)}


def experiment(folder, changes):
    tables = dict(BASE, **changes)
    text = ""
    for name, body in tables.items():
        bare = name.strip()
        text += "[[loss]]\n" if bare == "loss" else f"[{bare}]\n" if bare else ""
        text += body + "\n"
    return folder.write("mistake.toml", text)


def tensors_data(folder, labels):
    inputs = ("F32", (len(labels), 6), floats(*[0.25] * 6 * len(labels)))
    write_safetensors(folder / "data.safetensors",
                      {"input": inputs, "label": ("I64", (len(labels),), struct.pack(f"<{len(labels)}q", *labels))})


ZOO_LOSS = 'use = "zoo.{}"'
TEMPERATURE = """use = "kdhost.kd"
[[schedule]]
target = "loss.kd.{}"
use = "kdhost.linear"
params = {{ from = 2.0, to = -1.0 }}"""
TENSORS = """use = "kdhost.tensors"
batch = 4
params = {{ train = "data.safetensors", test = "data.safetensors", classes = {} }}"""


def digits(root):
    return {"data": f'use = "kdhost.mnist"\nparams = {{ root = "{root}" }}'}


def idx(path, sizes, data):
    with open(path, "wb") as f:
        f.write(struct.pack(f">BBBB{len(sizes)}I", 0, 0, 8, len(sizes), *sizes) + data)


def broken_files(folder):
    """Weights and data files with one fault each."""
    weights = teacher_weights()
    write_safetensors(folder / "teacher.safetensors", weights)
    write_safetensors(folder / "four.safetensors", teacher_weights(4))
    write_safetensors(folder / "nan.safetensors", teacher_weights(3, float("nan")))
    write_safetensors(folder / "infinite.safetensors",
                      {**linear("fc1", 8, 6, float("-inf")), **linear("fc2", 3, 8)})
    write_safetensors(folder / "names.safetensors",
                      {name.replace("fc2.weight", "fc3.weight"): w for name, w in weights.items()})
    write_safetensors(folder / "whole.safetensors", {**weights, "fc2.bias": ("I64", (3,), struct.pack("<3q", 1, 2, 3))})
    entry = {"dtype": "U8", "shape": [4]}
    header = json.dumps({"a": {**entry, "data_offsets": [0, 4]}, "b": {**entry, "data_offsets": [2, 6]}}).encode()
    for name, data in (("cut", content(folder / "teacher.safetensors")[:-1]), ("huge", struct.pack("<Q", 1 << 63)),
                       ("overlap", struct.pack("<Q", len(header)) + header + bytes(6))):
        with open(folder / f"{name}.safetensors", "wb") as f:
            f.write(data)
    tensors_data(folder, [0, 1, 2, 3])
    for root, images, labels in (("cut", 1567, (7, 1)), ("range", 1568, (7, 10))):
        os.mkdir(folder / root)
        for part in ("train", "t10k"):
            idx(folder / f"{root}/{part}-images-idx3-ubyte", (2, 28, 28), bytes(images))
            idx(folder / f"{root}/{part}-labels-idx1-ubyte", (2,), bytes(labels))
    os.mkdir(folder / "cifar")
    with open(folder / "cifar/test_batch.bin", "wb") as f:
        f.write(bytes(3074))


def zoo(name):
    return {"": f'seeds = [1]\nplugins = ["{ZOO}/misbehaving.so"]', "loss ": ZOO_LOSS.format(name)}


# name: what to change in the experiment, exit code, text. FOLDER, ZOO and PLUGINS stand for those folders.
CASES = {
    "unknown tap": (
        {"loss ": 'use = "kdhost.hint"\ninputs = { student = ["hiden1"], teacher = ["hidden1"] }'}, 3, """
error: mistake.toml:17:23: loss 'hint', port 'student.features': student has no tap 'hiden1'.
  It has: hidden1, logits. Did you mean 'hidden1'?"""),
    "unknown parameter of a model": (
        {"loss ": 'use = "kdhost.kd"\ninputs = { "student.logits" = "student:param/fc1.wieght" }'}, 3, """
error: mistake.toml:17:31: loss 'kd', port 'student.logits': 'student' has no parameter or buffer 'fc1.wieght'.
  Expected one of those that `kdhost inspect FILE.toml --json` lists. Did you mean 'fc1.weight'?"""),
    "unknown field": (
        {"loss": 'use = "kdhost.cross_entropy"\ninputs = { "batch.label" = "lable" }'}, 3, """
error: mistake.toml:15:28: loss 'cross_entropy', port 'batch.label': the batch has no field 'lable'.
  It has: input, label, index. Did you mean 'label'?"""),
    "unknown component": ({"student": 'use = "kdhost.mpl"'}, 3, """
error: mistake.toml:11:7: no plugin offers 'kdhost.mpl'.
  Known models: kdhost.cifar_resnet, kdhost.lenet5, kdhost.mlp, kdhost.transformer, kdhost.tutorial_deep, kdhost.tutorial_light, kdhost.vgg, kdhost.wrn. Did you mean 'kdhost.mlp'?"""),
    "teacher with other classes": (
        {"teacher": BASE["teacher"].replace("[12]", "[12], classes = 4").replace("teacher.", "four.")}, 3, """
error: mistake.toml:6:1: teacher 'teacher' gives 4 classes.
  Expected 3, as the data set has. Choose a teacher of this data set."""),
    "student with other classes": (
        {"student": BASE["student"].replace("[8]", "[8], classes = 7")}, 3, """
error: mistake.toml:11:7: the student gives 7 classes.
  Expected 3, as the data set has. Leave `classes` out of its params: it is that of the data set then."""),
    "schedule that leaves the range of a parameter": (
        {"loss ": TEMPERATURE.format("params.temperature")}, 3, """
error: mistake.toml:19:7: the schedule of 'loss.kd.params.temperature' gives -0.25 after 3 steps.
  Expected a number, > 0, as the parameter is declared. Change the schedule's parameters so that its values stay there."""),
    "schedule that follows validation values without any": (
        {"loss ": 'use = "kdhost.kd"\n[[schedule]]\ntarget = "optimizer.lr"\nuse = "kdhost.plateau"'}, 3, """
error: mistake.toml:19:7: the schedule of 'optimizer.lr' follows validation values, and this run measures none.
  Expected validation samples and a metric. Set data.validation to a number of training samples, or choose a schedule that follows the steps."""),
    "schedule of a parameter without params": (
        {"loss ": TEMPERATURE.format("temperature")}, 3, """
error: mistake.toml:18:10: target 'loss.kd.temperature' names nothing.
  Expected loss.NAME.weight, loss.NAME.params.P, optimizer.KEY, student.params.P, teacher.params.P, teacher.NAME.params.P or data.transform.NAME.params.P. Did you mean 'loss.kd.params.temperature'?"""),
    "shapes that cannot match": (
        {"loss ": 'use = "kdhost.hint"\nparams = { adaptor = "none" }\n'
                  'inputs = { student = ["hidden1"], teacher = ["hidden1"] }'}, 5, """
error: mistake.toml:16:7: loss 'kdhost.hint' of PLUGINS/kdhost_losses_adaptor.so, in compute: tap 0: 'student.features.0' is [8, 8] and 'teacher.features.0' is [8, 12], expected equal shapes, since adaptor = "none"
"""),
    "loss that does not reach the student": (zoo("without_gradient"), 3, """
error: mistake.toml:17:7: loss 'without_gradient': it never reaches the student: its gradient is zero for every trained parameter.
  Expected a term that depends on what the student computes. It sees student.logits = student:logits. Bind its student ports to taps of the student, or choose another loss."""),
    "loss to which the teacher does not matter": (zoo("ignores_teacher"), 3, """
error: mistake.toml:17:7: loss 'ignores_teacher': the teacher does not matter: other teacher outputs give the student the same gradient.
  Expected a gradient that changes with the teacher. It sees student.logits = student:logits, teacher.logits = teacher:logits. Bind its teacher ports to taps of a teacher, or choose another loss."""),
    "parameters that no loss reaches": (
        {"loss": 'use = "kdhost.hint"\ninputs = { student = ["hidden1"], teacher = ["hidden1"] }',
         "loss ": 'use = "kdhost.kd"\nenabled = false'}, 3, """
error: mistake.toml:11:7: no loss reaches these parameters: fc2.bias, fc2.weight.
  Expected every trained parameter to get a gradient from some loss. Bind a loss to an output that needs them, or freeze them: a [[stage]] with freeze = ["..."]."""),
    "weight 0": ({"loss ": 'use = "kdhost.kd"\nweight = 0.0'}, 3, """
error: mistake.toml:16:7: loss 'kd': its weight is 0 in every step.
  Expected a weight that acts at some time. Give it a weight, or write enabled = false."""),
    "frozen teacher without weights": ({"teacher": 'use = "kdhost.mlp"\nparams = { hidden = [12] }'}, 3, """
error: mistake.toml:6:1: teacher 'teacher' has no trained weights.
  Expected them, since it does not learn. Write weights = "FILE.safetensors", from = "EXPERIMENT.toml" or train = true."""),
    "mixed samples of which some have no label": (
        {"data": BASE["data"] + "\nlabels = 6\n[[data.transform]]\nuse = \"kdhost.mixup\""}, 3, """
error: mistake.toml:6:10: some samples have no label, and a transform mixes samples with their labels.
  Expected a label for every sample, or transforms that treat each sample by itself. Leave out `labels`, or mixup and cutmix."""),
    "no whole batch": ({"data": BASE["data"].replace("batch = 8", "batch = 64\ndrop_last = true")}, 3, """
error: mistake.toml:4:9: there is no whole batch: 32 training samples, batch 64.
  Expected at least one whole batch, since drop_last = true. Choose a smaller batch, or drop_last = false."""),
    "no training samples": (
        {"data": TENSORS.format(4).replace('train = "data.safetensors", ', ""),
         "teacher": BASE["teacher"].replace("teacher.", "four.")}, 3, """
error: mistake.toml:3:7: the data set has no training samples.
  Expected samples to train on. Use `kdhost eval` to judge without training."""),
    "teacher outputs that cannot be kept": (
        {"data": BASE["data"].replace("[6]", "[1, 2, 3]") + '\n[[data.transform]]\nuse = "kdhost.random_flip"',
         "teacher": BASE["teacher"] + '\ncache = "memory"'}, 3, """
error: mistake.toml:12:9: teacher outputs cannot be kept: augmentation is random.
  Expected an experiment in which kept outputs are those that the teacher would give. Use cache = "auto" or "off", or data.views = K for K replayed augmentations."""),
    "missing weights file": ({"teacher": BASE["teacher"].replace("teacher.", "absent.")}, 4, """
error: mistake.toml:9:11: FOLDER/absent.safetensors: cannot be opened: No such file or directory.
  Expected a readable safetensors file."""),
    "weights cut short": ({"teacher": BASE["teacher"].replace("teacher.", "cut.")}, 4, """
error: mistake.toml:9:11: FOLDER/cut.safetensors: tensor 'fc2.bias' lies at bytes 480..492, but the file has only 491 after its header.
  Expected the whole tensor. The file is cut short: copy or download it again."""),
    "weights with a huge header": ({"teacher": BASE["teacher"].replace("teacher.", "huge.")}, 4, """
error: mistake.toml:9:11: FOLDER/huge.safetensors: claims a header of 9223372036854775808 bytes.
  Expected at most 100000000. The file is damaged or not a safetensors file."""),
    "weights that overlap": ({"teacher": BASE["teacher"].replace("teacher.", "overlap.")}, 4, """
error: mistake.toml:9:11: FOLDER/overlap.safetensors: tensor 'b' at bytes 2..6 overlaps tensor 'a'.
  Expected tensors one after another. The file is damaged."""),
    "weights with other names": ({"teacher": BASE["teacher"].replace("teacher.", "names.")}, 4, """
error: mistake.toml:9:11: FOLDER/names.safetensors: missing fc2.weight; unexpected fc3.weight.
  Expected the tensors of teacher 'teacher', by exact name. Map other names with rename = [{ from = "...", to = "..." }]."""),
    "weights of other shapes": ({"teacher": BASE["teacher"].replace("[12]", "[10]")}, 4, "".join(f"""
error: mistake.toml:9:11: FOLDER/teacher.safetensors: '{name}' has shape {found}.
  Expected {wanted} for '{name}' of teacher 'teacher'. Bring weights of the same model, or write its parameters as they were in training."""
        for name, found, wanted in (("fc1.weight", "[12, 6]", "[10, 6]"), ("fc1.bias", "[12]", "[10]"),
                                    ("fc2.weight", "[3, 12]", "[3, 10]")))),
    "weights of another dtype": ({"teacher": BASE["teacher"].replace("teacher.", "whole.")}, 4, """
error: mistake.toml:9:11: FOLDER/whole.safetensors: 'fc2.bias' has dtype int64.
  Expected float32, or another floating-point dtype. Convert the weights."""),
    "teacher weights that are not numbers": ({"teacher": BASE["teacher"].replace("teacher.", "nan.")}, 4, """
error: mistake.toml:9:11: FOLDER/nan.safetensors: 'fc1.weight' holds NaN.
  Expected finite numbers. Bring weights from before that training diverged."""),
    "student weights that are infinite": ({"student": BASE["student"] + '\nweights = "infinite.safetensors"'}, 4, """
error: mistake.toml:13:11: FOLDER/infinite.safetensors: 'fc1.weight' holds an infinite number.
  Expected finite numbers. Bring weights from before that training diverged."""),
    "renamed tensor that is not there": (
        {"teacher": BASE["teacher"] + '\nrename = [["fc1.wieght", "fc1.weight"]]'}, 4, """
error: mistake.toml:10:12: FOLDER/teacher.safetensors: there is no tensor 'fc1.wieght' to rename.
  It holds: fc1.weight, fc1.bias, fc2.weight, fc2.bias. Did you mean 'fc1.weight'?"""),
    "load pattern that matches nothing": (
        {"student": BASE["student"] + '\nweights = "infinite.safetensors"\nload = ["layer1.*"]'}, 4, """
error: mistake.toml:14:9: FOLDER/infinite.safetensors: no part of student matches 'layer1.*' in load.
  Expected a pattern of names such as "layer1.*". Look at the names with `kdhost inspect FILE.toml --json`."""),
    "plugin that throws in create": (zoo("throws_in_create"), 5, """
error: mistake.toml:17:7: loss 'zoo.throws_in_create' of ZOO/misbehaving.so, in create: no instance today"""),
    "plugin that throws": (zoo("throws_in_compute"), 5, """
error: mistake.toml:17:7: loss 'zoo.throws_in_compute' of ZOO/misbehaving.so, in compute: no value today"""),
    "plugin that throws a number": (zoo("throws_number"), 5, """
error: mistake.toml:17:7: loss 'zoo.throws_number' of ZOO/misbehaving.so, in compute: an exception that is not a std::exception"""),
    "plugin with a wrong shape": (zoo("wrong_shape"), 5, """
error: mistake.toml:17:7: loss 'zoo.wrong_shape' of ZOO/misbehaving.so, in compute: returned float32 [8, 3] on cpu.
  Expected a floating-point scalar (shape []) on cpu. This is a mistake in the plugin."""),
    "plugin that returns nothing": (zoo("returns_nothing"), 5, """
error: mistake.toml:17:7: loss 'zoo.returns_nothing' of ZOO/misbehaving.so, in compute: compute() returned no tensor"""),
    "plugin that returns NaN": (zoo("returns_nan"), 3, """
error: mistake.toml:17:7: loss 'returns_nan': its value on the first batch is nan.
  Expected a finite number. Look at the values of what it sees: student.logits = student:logits."""),
    "plugin that asks for an unknown input": (zoo("unknown_input"), 5, """
error: mistake.toml:17:7: loss 'zoo.unknown_input' of ZOO/misbehaving.so, in compute: there is no input 'student.logit'; there is only: student.logits"""),
    "plugin without a record": (
        {"": f'seeds = [1]\nplugins = ["{ZOO}/no_record.so"]'}, 5, """
error: mistake.toml:2:12: ZOO/no_record.so: has no plugin record (ELF section .kdhost).
  Expected a plugin of kdhost. If it is one, end one of its sources with KDHOST_PLUGIN(...) and build it with kdhost_add_plugin."""),
    "label out of range": ({"data": TENSORS.format(3)}, 4, """
error: mistake.toml:3:7: data set 'kdhost.tensors' of PLUGINS/kdhost_datasets.so, in create: FOLDER/data.safetensors: record 3 has label 3; expected 0..2.
    Repair the label, or set params = { classes = ... }."""),
    "missing data": ({"data": TENSORS.format(3).replace('train = "data.', 'train = "absent.')}, 4, """
error: mistake.toml:3:7: data set 'kdhost.tensors' of PLUGINS/kdhost_datasets.so, in create: FOLDER/absent.safetensors: cannot be opened (No such file or directory); expected a readable file.
    Check the path."""),
    "truncated IDX": (digits("cut"), 4, """
error: mistake.toml:3:7: data set 'kdhost.mnist' of PLUGINS/kdhost_datasets.so, in create: FOLDER/cut/train-images-idx3-ubyte: has 1583 bytes; expected 1584 bytes, as its header says ([2, 28, 28] of uint8).
    The file is damaged or incomplete: fetch it again."""),
    "IDX label out of range": (digits("range"), 4, """
error: mistake.toml:3:7: data set 'kdhost.mnist' of PLUGINS/kdhost_datasets.so, in create: FOLDER/range/train-labels-idx1-ubyte: record 1 has label 10; expected 0..9.
    Check that the file belongs to this data set, or fetch it again."""),
    "CIFAR of the wrong length": (
        {"data": 'use = "kdhost.cifar10"\nparams = { root = "cifar" }', "train": "steps = 4"}, 4, """
error: mistake.toml:3:7: data set 'kdhost.cifar10' of PLUGINS/kdhost_datasets.so, in create: FOLDER/cifar/test_batch.bin: has 3074 bytes, which is 1 records and 1 bytes; expected whole records of 3073 bytes, at least one.
    The file is damaged or incomplete, or of another CIFAR version: fetch it again."""),
    "numbers that diverge": ({"optimizer": 'use = "sgd"\nlr = 1e30', "train": "steps = 60"}, 6, """
error: mistake.toml:14:7: seed 1, distilled, step 2: loss 'kdhost.cross_entropy' of PLUGINS/kdhost_losses_supervised.so, in compute: its value is nan, and its input 'student.logits' is not finite.
  Expected a finite number. Lower the learning rate or the loss weight. This step has changed no weight."""),
}


def answer(err, folder):
    """The message alone, from its first line on: the plan before it is not looked at."""
    text = err.replace(folder.path, "FOLDER").replace(ZOO, "ZOO")
    text = re.sub(r"/\S+/(kdhost_\w+\.so)", r"PLUGINS/\1", text)
    return text[text.find("error: "):].strip()


def check(name, found, err, folder, code, text):
    """True when exit code and text are as promised."""
    given = answer(err, folder)
    if found == code and given == text.strip():
        return True
    print(f"{name}: exit code {found}, expected {code}")
    print("\n".join(difflib.unified_diff(text.strip().splitlines(), given.splitlines(), "expected", "found", lineterm="")))
    return False


def unwritable(folder):
    """The run's folder would lie below a file, where nobody may write, not even root."""
    experiment(folder, {})
    found, _, err = folder.run("run", "mistake.toml", "--out", "teacher.safetensors/run", *PINNED)
    return check("no place to write", found, err, folder, 4, """
error: teacher.safetensors/run: the folder cannot be made: Not a directory.
  Expected a place for the files of the run. Choose another with --out, or permit writing there.""")


def no_permission(folder):
    """A folder that may be read only: by its mode, or for root, who may write everywhere, by its file system."""
    os.mkdir(folder / "locked")
    reason = "Permission denied"
    if os.geteuid() == 0:
        reason = "Read-only file system"
        mount = ["mount", "-t", "tmpfs", "-o", "ro", "kdhost-test", folder / "locked"]
        if subprocess.run(mount, capture_output=True).returncode != 0:
            print("no write permission: left out, it needs the right to mount")
            return True
    else:
        os.chmod(folder / "locked", 0o555)
    try:
        experiment(folder, {})
        found, _, err = folder.run("run", "mistake.toml", "--out", "locked/run", *PINNED)
        return check("no write permission", found, err, folder, 4, f"""
error: locked/run: the folder cannot be made: {reason}.
  Expected a place for the files of the run. Choose another with --out, or permit writing there.""")
    finally:
        if os.geteuid() == 0:
            subprocess.run(["umount", folder / "locked"], check=False)


def folders(folder):
    """--out and --resume that name no place, or no run, to go on with."""
    experiment(folder, {})
    good = True
    os.mkdir(folder / "taken")
    folder.write("taken/notes.txt", "mine")
    found, _, err = folder.run("run", "mistake.toml", "--out", "taken", *PINNED)
    good &= check("a folder that is taken", found, err, folder, 2, """
error: --out taken: it exists and is not empty.
  Expected a new or empty folder. Choose another.""")
    found, _, err = folder.run("run", "mistake.toml", "--resume", *PINNED)
    good &= check("nothing to resume", found, err, folder, 2, """
error: --resume: there is no unfinished run of this experiment.
  Expected one that was interrupted, in runs/mistake. Leave --resume out to start a new run.""")
    folder.train("mistake.toml", "--out", "finished")
    found, _, err = folder.run("run", "mistake.toml", "--out", "finished", *PINNED)
    good &= check("a folder with a run", found, err, folder, 2, """
error: --out finished: it exists and is not empty.
  Expected a new or empty folder. Add --resume to go on with the run in it.""")
    found, _, err = folder.run("run", "mistake.toml", "--out", "finished", "--resume", *PINNED)
    good &= check("a finished run", found, err, folder, 2, """
error: --resume: there is no unfinished run of this experiment.
    finished: finished
  Expected one that was interrupted, in finished. Leave --resume out to start a new run.""")
    return good


def dead_units(folder):
    """Units that are never active on the first batch are no mistake: the run says so and goes on."""
    weights = {**linear("fc1", 8, 6), **linear("fc2", 3, 8)}
    weights["fc1.bias"] = ("F32", (8,), floats(*[-1000.0] * 8))
    write_safetensors(folder / "dead.safetensors", weights)
    experiment(folder, {"student": BASE["student"] + '\nweights = "dead.safetensors"'})
    found, _, err = folder.run("run", "mistake.toml", "--out", "dead", *PINNED)
    note = ("warning: the first batch moves these parameters not at all: fc1.bias, fc1.weight, fc2.weight "
            "(units that are never active, for one)\n")
    if found == 0 and note in err:
        return True
    print(f"dead units: exit code {found}, expected 0 and\n{note}found\n{err}")
    return False


def full_disk(folder):
    """A file system with room for the start of a run but not for all of it; with more room the run goes on."""
    os.mkdir(folder / "small")
    mount = ["mount", "-t", "tmpfs", "-o", "size=28k", "kdhost-test", folder / "small"]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        print("disk full: left out, it needs the right to mount")
        return True
    try:
        experiment(folder, {"train": "steps = 400\nlog_steps = 1\ncheckpoint_steps = 50"})
        found, _, err = folder.run("run", "mistake.toml", "--out", "small/run", *PINNED)
        good = check("disk full", found, err, folder, 4, """
error: small/run/metrics.jsonl: cannot be written: No space left on device.
  Make room or permit writing there, then go on with --resume.""")
        subprocess.run(["mount", "-o", "remount,size=16m", folder / "small"], check=True)
        found, _, err = folder.run("run", "mistake.toml", "--out", "small/run", "--resume", *PINNED)
        if found != 0:
            print(f"disk full: with more room, --resume ended with {found}\n{err}")
        return good and found == 0
    finally:
        subprocess.run(["umount", folder / "small"], check=False)


with Folder() as folder:
    broken_files(folder)
    results = []
    for name, (changes, code, text) in CASES.items():
        experiment(folder, changes)
        run = f"run-{len(results)}"
        found, out, err = folder.run("run", "mistake.toml", "--out", run, *PINNED)
        results.append(check(name, found, err, folder, code, text))
        if out:
            fail(f"{name}: standard output is not empty:\n{out}")
        if code != 6 and os.path.exists(folder / run):
            fail(f"{name}: a run that was refused leaves {os.listdir(folder / run)}")
    results += [unwritable(folder), no_permission(folder), full_disk(folder), folders(folder), dead_units(folder)]
if not all(results):
    fail(f"{results.count(False)} of {len(results)} mistakes")
print(f"{len(results)} mistakes, each with its exit code and full text")
