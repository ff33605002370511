# SPDX-License-Identifier: MIT
"""Plugins that break their word while they train: each is named with function, component, file, line and step, and the
run goes on from its checkpoint to the bits of a run that nothing disturbed. Crashes keep their signal; a plugin that
hangs is named, and a run that is told to stop ends though its plugin does not come back."""
import os
import re
import signal
import sys
import threading

from program import Folder, PINNED, content, fail, log_lines

ZOO = os.path.abspath(sys.argv[2])
LATE = """
seeds   = [1]
plugins = ["{zoo}/late.so"]
[data]
use    = "kdhost.synthetic"
batch  = 8
params = {{ classes = 3, samples = 32, test_samples = 8, shape = [6] }}
[student]
use    = "{student}"
params = {{ {student_params} }}
[[loss]]
use = "kdhost.cross_entropy"
[[loss]]
use    = "zoo.late"
params = {{ way = "{way}" }}
[train]
steps            = 6
log_steps        = 1
checkpoint_steps = 2
[baseline]
enabled = false
"""
AT = "error: late.toml:14:10: seed 1, step 3: loss 'zoo.late' of ZOO/late.so, in "
IN_MODEL = "error: late.toml:9:10: seed 1, step 3: model 'zoo.late_model' of ZOO/late.so, in forward: "
WHOLE = "The checkpoint of step 2 is whole: "
GOES_ON = WHOLE + "with the plugin mended, the same command with --resume --allow-changes goes on from it."
RESUMES = WHOLE + "the same command with --resume goes on from it."
MISTAKE = "This is a mistake in the plugin. " + GOES_ON
CRASHED = GOES_ON + " This is a mistake in the plugin: `kdhost check PLUGIN.so` tries it by itself."
NAN_STEP = " This step has changed no weight."

# way: exit code (negative: signal), text.
LOSSES = {
    "throw": (5, AT + "compute: no value today\n  " + GOES_ON),
    "throw_in_backward": (5, AT + "backward of 'zoo.slope': no slope today\n  " + GOES_ON),
    "vector": (5, AT + "compute: returned float32 [8] on cpu.\n  Expected a floating-point scalar (shape []) on cpu. "
               + MISTAKE),
    "whole_number": (5, AT + "compute: returned int64 [] on cpu.\n  Expected a floating-point scalar (shape []) on cpu. "
                     + MISTAKE),
    "no_gradient": (5, AT + "compute: returned a value without a gradient, though its input 'student.logits' has one.\n"
                    "  Expected a value that operators compute from its inputs; 0 times an input where it is nothing. "
                    + MISTAKE),
    "change_input": (5, AT + "compute: changed its input 'student.logits' in place.\n"
                     "  Expected a new tensor instead: others use the same memory. " + MISTAKE),
    "nan": (6, AT + "compute: its value is nan, though all its inputs are finite.\n  Expected a finite number. Mend the "
            "plugin, or lower the learning rate if its inputs are extreme." + NAN_STEP),
    "crash": (-signal.SIGSEGV, AT + "compute: crashed with SIGSEGV (segmentation fault).\n  " + CRASHED),
    "overflow": (-signal.SIGSEGV, AT + "compute: crashed with SIGSEGV (segmentation fault).\n  " + CRASHED),
    "abort": (-signal.SIGABRT, AT + "compute: crashed with SIGABRT (aborted).\n  " + CRASHED),
    "exit": (5, AT + "compute: called exit.\n  " + CRASHED),
}
MODELS = {
    "throw": (5, IN_MODEL + "no logits today\n  " + GOES_ON),
    "fewer_rows": (5, IN_MODEL + "emitted 'logits' as float32 [7, 3] on cpu.\n"
                   "  Expected float32 [N, 3] as in its first call, with N = 8. " + MISTAKE),
    "more_classes": (5, IN_MODEL + "emitted 'logits' as float32 [8, 6] on cpu.\n"
                     "  Expected float32 [N, 3] as in its first call, with N = 8. " + MISTAKE),
    "no_gradient": (5, IN_MODEL + "gave results without a gradient, though parts of it are trained.\n"
                    "  Expected results that are computed from its parts by operators. " + MISTAKE),
    "change_input": (5, IN_MODEL + "changed its input 'batch.input' in place.\n"
                     "  Expected a new tensor instead: others use the same memory. " + MISTAKE),
}
RESUMED = ("throw", "throw_in_backward", "nan", "crash", "exit")
WEIGHTS = "seed-1/student.safetensors"


def write(folder, way, model=False):
    student = ("zoo.late_model", f'way = "{way}"') if model else ("kdhost.mlp", "hidden = [8]")
    folder.write("late.toml", LATE.format(zoo=ZOO, student=student[0], student_params=student[1],
                                          way="nothing" if model else way))


def run(folder, out, *more, environment=()):
    process = folder.start("run", "late.toml", "--out", out, *PINNED, *more, more=environment)
    _, err = process.communicate(timeout=120)
    return process.returncode, err.replace(ZOO, "ZOO")


def check(name, found, err, code, text):
    if "AddressSanitizer" in err:
        return  # which has handlers of its own
    at = err.find("error: ")
    if found != code or err[at:].strip() != text:
        fail(f"{name}: exit code {found}, expected {code}\nfound\n{err[at:].strip()}\nexpected\n{text}")


def resume(folder, out, name, whole):
    code, err = run(folder, out, "--resume", environment={"KDHOST_ZOO_MENDED": "1"})
    if code != 0:
        fail(f"{name}: mended and resumed it ended with {code}\n{err}")
    if content(folder / f"{out}/{WEIGHTS}") != content(folder / f"{whole}/{WEIGHTS}"):
        fail(f"{name}: mended and resumed it has other weights than a run that nothing disturbed")


def faults(folder):
    for name, (code, text) in LOSSES.items():
        write(folder, name)
        found, err = run(folder, name)
        check(name, found, err, code, text)
        if name in RESUMED:
            resume(folder, name, name, "whole")
    for name, (code, text) in MODELS.items():
        write(folder, name, model=True)
        found, err = run(folder, "model-" + name)
        check("model " + name, found, err, code, text)
    print(f"{len(LOSSES) + len(MODELS)} faults named, {len(RESUMED)} runs resumed to the same bits")


def wrong_slope(folder):
    """LibTorch finds it; its words are its own, but the component is named."""
    write(folder, "wrong_slope")
    found, err = run(folder, "wrong_slope")
    begin = "error: seed 1, step 3: backward: Function zoo.slope of loss 'zoo.late' of ZOO/late.so returned"
    if found != 5 or begin not in err:
        fail(f"wrong_slope: exit code {found}, expected 5 and\n{begin}\nfound\n{err}")


def written_through_a_pointer(folder):
    """Found before training, where the contents of inputs are compared."""
    write(folder, "nothing")
    found, err = run(folder, "pointer", "--trust", environment={"KDHOST_ZOO": "write_through_pointer"})
    check("written through a pointer", found, err, 5,
          "error: late.toml:14:10: loss 'zoo.late' of ZOO/late.so, in compute: changed its input 'student.logits' in place."
          "\n  Expected a new tensor instead: others use the same memory. This is a mistake in the plugin.")


def end_hanging(folder, out, *more, environment=()):
    """Exit code and text of a run that hangs, is waited for until it says so, and is then told to stop."""
    process = folder.start("run", "late.toml", "--out", out, *PINNED, "--patience", "1", *more, more=environment)
    lines = []
    named = threading.Event()

    def read():
        for line in process.stderr:
            lines.append(line.replace(ZOO, "ZOO"))
            if line.startswith("  The run goes on waiting."):
                named.set()

    reader = threading.Thread(target=read)
    reader.start()
    if not named.wait(60):
        process.kill()
        fail(f"{out}: nobody was named within 60 s\n" + "".join(lines))
    process.send_signal(signal.SIGTERM)
    code = process.wait(timeout=60)
    reader.join()
    return code, "".join(lines)


def check_hang(name, found, where, kept, otherwise):
    code, text = found
    warning = (f"warning: {where}no progress for 1 s.\n  The run goes on waiting. If this is expected, choose a larger "
               f"--patience; else stop it with Ctrl-C or SIGTERM.{kept}\n")
    if warning not in text:
        fail(f"{name}: expected\n{warning}\nfound\n{text}")
    check(name, code, text, 7, f"error: {where}did not come back after SIGTERM, and the run ends without it.\n"
          f"  {otherwise}")


def hang(folder):
    """Named after the time that the user gave, and ended by SIGTERM; also before there is anything to save."""
    write(folder, "hang")
    check_hang("hang", end_hanging(folder, "hang"), AT[len("error: "):] + "compute: ", " " + RESUMES, RESUMES)
    resume(folder, "hang", "hang", "whole")
    early = end_hanging(folder, "early", "--trust", environment={"KDHOST_ZOO": "hang_in_create"})
    check_hang("hang in create", early, "late.toml:14:10: loss 'zoo.late' of ZOO/late.so, in create: ", "",
               "Nothing was trained yet: start the run again.")
    print("a plugin that hangs is named, and the run ends by SIGTERM and is resumed to the same bits")


def other_plugin(folder):
    """A mended plugin is another file: the checkpoint is taken only when the user says so, and the log says it too."""
    write(folder, "throw")
    for name in ("mended.so", "late.so"):
        with open(os.path.join(ZOO, "late.so"), "rb") as f:
            data = f.read()
        with open(folder / name, "wb") as f:
            f.write(data + (b"mended" if name == "mended.so" else b""))
    text = content(folder / "late.toml").decode().replace(ZOO, folder.path)
    folder.write("late.toml", text)
    if run(folder, "other")[0] != 5:
        fail("other plugin: it was meant to throw")
    os.replace(folder / "mended.so", folder / "late.so")
    mended = {"KDHOST_ZOO_MENDED": "1"}
    code, err = run(folder, "other", "--resume", environment=mended)
    err = re.sub(r"\b[0-9a-f]{32}\b", "HASH", err.replace(folder.path, "DIR"))
    check("other plugin", code, err, 4,
          "error: other/seed-1/last.ckpt: it was made under other conditions: then plugin DIR/late.so HASH, now plugin "
          "DIR/late.so HASH.\n  Expected the same, for the same bits. Resume on the machine and with the programs that "
          "began the run, or start a new run; --allow-changes goes on all the same, with other bits.")
    code, err = run(folder, "other", "--resume", "--allow-changes", environment=mended)
    err = re.sub(r"\b[0-9a-f]{32}\b", "HASH", err.replace(folder.path, "DIR"))
    told = ("warning: seed 1, step 2: goes on under other conditions: then plugin DIR/late.so HASH, now plugin "
            "DIR/late.so HASH; its bits are not those of an undisturbed run\n")
    changes = [line["step"] for line in log_lines(folder / "other/metrics.jsonl") if "changes" in line]
    if code != 0 or told not in err or changes != [2]:
        fail(f"other plugin: with --allow-changes exit code {code}, changes logged at {changes}\n{err}")
    print("a run goes on with a mended plugin when the user allows it")


with Folder() as folder:
    write(folder, "nothing")
    folder.train("late.toml", "--out", "whole")
    faults(folder)
    wrong_slope(folder)
    written_through_a_pointer(folder)
    hang(folder)
    other_plugin(folder)
