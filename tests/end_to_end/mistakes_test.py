# SPDX-License-Identifier: MIT
"""Mistakes that only a built experiment shows, through the program: the exit code and the full text of the answer,
and that nothing was trained. Mistakes that need no model are tested in tests/config and tests/plugin."""
import difflib
import os
import re
import struct
import subprocess
import sys

from program import Folder, PINNED, fail, write_safetensors

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
TENSORS = """use = "kdhost.tensors"
batch = 4
params = {{ train = "data.safetensors", test = "data.safetensors", classes = {} }}"""


def zoo(name):
    return {"": f'seeds = [1]\nplugins = ["{ZOO}/misbehaving.so"]', "loss ": ZOO_LOSS.format(name)}


# name: what to change in the experiment, exit code, text. FOLDER, ZOO and PLUGINS stand for those folders.
CASES = {
    "unknown tap": (
        {"loss ": 'use = "kdhost.hint"\ninputs = { student = ["hiden1"], teacher = ["hidden1"] }'}, 3, """
error: mistake.toml:17:23: loss 'hint', port 'student.features': student has no tap 'hiden1'
  taps: hidden1, logits Did you mean 'hidden1'?"""),
    "unknown component": ({"student": 'use = "kdhost.mpl"'}, 3, """
error: mistake.toml:11:7: no plugin offers 'kdhost.mpl'.
  Known models: kdhost.cifar_resnet, kdhost.lenet5, kdhost.mlp, kdhost.tutorial_deep, kdhost.tutorial_light, kdhost.vgg, kdhost.wrn. Did you mean 'kdhost.mlp'?"""),
    "teacher with other classes": (
        {"teacher": BASE["teacher"].replace("[12]", "[12], classes = 4").replace("teacher.", "four.")}, 3, """
error: mistake.toml:6:1: teacher 'teacher' gives 4 classes
  the data set has 3 choose a teacher of this data set"""),
    "shapes that cannot match": (
        {"loss ": 'use = "kdhost.hint"\nparams = { adaptor = "none" }\n'
                  'inputs = { student = ["hidden1"], teacher = ["hidden1"] }'}, 5, """
error: mistake.toml:16:7: loss 'kdhost.hint' of PLUGINS/kdhost_losses_feature.so, in compute: tap 0: 'student.features.0' is [8, 8] and 'teacher.features.0' is [8, 12], expected equal shapes, since adaptor = "none"
"""),
    "loss that does not reach the student": (zoo("without_gradient"), 3, """
error: mistake.toml:17:7: loss 'without_gradient': it never reaches the student: its gradient is zero for every trained parameter
  a term that depends on what the student computes it sees student.logits = student:logits; bind its student ports to taps of the student"""),
    "weight 0": ({"loss ": 'use = "kdhost.kd"\nweight = 0.0'}, 3, """
error: mistake.toml:16:7: loss 'kd': its weight is 0 in every step
  a weight that acts at some time give it a weight, or say enabled = false"""),
    "frozen teacher without weights": ({"teacher": 'use = "kdhost.mlp"\nparams = { hidden = [12] }'}, 3, """
error: mistake.toml:6:1: teacher 'teacher' has no trained weights
  a frozen teacher needs them add weights = "FILE.safetensors", from = "EXPERIMENT.toml", or train = true"""),
    "missing weights file": ({"teacher": BASE["teacher"].replace("teacher.", "absent.")}, 4, """
error: FOLDER/absent.safetensors: cannot be opened: No such file or directory.
  Expected a readable safetensors file."""),
    "weights with other names": ({"teacher": BASE["teacher"].replace("teacher.", "names.")}, 4, """
error: mistake.toml:9:11: FOLDER/names.safetensors: FOLDER/names.safetensors: missing fc2.weight; unexpected fc3.weight
  the tensors of teacher 'teacher', by exact name map other names with rename = [{ from = "...", to = "..." }]"""),
    "weights of other shapes": ({"teacher": BASE["teacher"].replace("[12]", "[10]")}, 4, """
error: mistake.toml:9:11: FOLDER/teacher.safetensors: FOLDER/teacher.safetensors: 'fc1.weight' has shape [12, 6]
  expected [10, 6] for 'fc1.weight' of teacher 'teacher'
error: mistake.toml:9:11: FOLDER/teacher.safetensors: FOLDER/teacher.safetensors: 'fc1.bias' has shape [12]
  expected [10] for 'fc1.bias' of teacher 'teacher'
error: mistake.toml:9:11: FOLDER/teacher.safetensors: FOLDER/teacher.safetensors: 'fc2.weight' has shape [3, 12]
  expected [3, 10] for 'fc2.weight' of teacher 'teacher'"""),
    "weights that are not numbers": ({"teacher": BASE["teacher"].replace("teacher.", "nan.")}, 3, """
error: mistake.toml:16:7: loss 'kd': its value on the first batch is nan
  a finite number look at the values of student.logits = student:logits, teacher.logits = teacher:logits"""),
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
error: mistake.toml:17:7: loss 'returns_nan': its value on the first batch is nan
  a finite number look at the values of student.logits = student:logits"""),
    "plugin that asks for an unknown input": (zoo("unknown_input"), 5, """
error: mistake.toml:17:7: loss 'zoo.unknown_input' of ZOO/misbehaving.so, in compute: no input 'student.logit' of type tensor"""),
    "label out of range": ({"data": TENSORS.format(3)}, 4, """
error: mistake.toml:3:7: data set 'kdhost.tensors' of PLUGINS/kdhost_datasets.so, in create: data.safetensors: record 3 has label 3; expected 0..2.
    Repair the label, or set params = { classes = ... }."""),
    "missing data": ({"data": TENSORS.format(3).replace('train = "data.', 'train = "absent.')}, 4, """
error: mistake.toml:3:7: data set 'kdhost.tensors' of PLUGINS/kdhost_datasets.so, in create: absent.safetensors: cannot be opened (No such file or directory); expected a readable file.
    Check the path."""),
    "numbers that diverge": ({"optimizer": 'use = "sgd"\nlr = 1e30', "train": "steps = 60"}, 6, """
error: mistake.toml:14:7: step 2, loss 'cross_entropy': its value is nan.
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
error: teacher.safetensors/run: the folder cannot be made: Not a directory
  choose another with --out, or permit writing there""")


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
error: small/run/state.json: cannot be written: No space left on device.
  Free some space or choose another folder with --out; what was on disk before is whole.""")
        subprocess.run(["mount", "-o", "remount,size=16m", folder / "small"], check=True)
        found, _, err = folder.run("run", "mistake.toml", "--out", "small/run", "--resume", *PINNED)
        if found != 0:
            print(f"disk full: with more room, --resume ended with {found}\n{err}")
        return good and found == 0
    finally:
        subprocess.run(["umount", folder / "small"], check=False)


with Folder() as folder:
    write_safetensors(folder / "teacher.safetensors", teacher_weights())
    write_safetensors(folder / "four.safetensors", teacher_weights(4))
    write_safetensors(folder / "nan.safetensors", teacher_weights(3, float("nan")))
    names = teacher_weights()
    names["fc3.weight"] = names.pop("fc2.weight")
    write_safetensors(folder / "names.safetensors", names)
    tensors_data(folder, [0, 1, 2, 3])
    results = []
    for name, (changes, code, text) in CASES.items():
        experiment(folder, changes)
        found, out, err = folder.run("run", "mistake.toml", "--out", f"run-{len(results)}", *PINNED)
        results.append(check(name, found, err, folder, code, text))
        if out:
            fail(f"{name}: standard output is not empty:\n{out}")
    results += [unwritable(folder), full_disk(folder)]
if not all(results):
    fail(f"{results.count(False)} of {len(results)} mistakes")
print(f"{len(results)} mistakes, each with its exit code and full text")
