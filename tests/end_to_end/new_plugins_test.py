# SPDX-License-Identifier: MIT
"""A plugin that was never used before is tried in a process of its own: whatever it does while it is loaded or makes a
component is exit code 5 with its name. What passed is remembered by content."""
import os
import shutil
import signal
import sys

from program import Folder, PINNED, fail, write_safetensors

ZOO = os.path.abspath(sys.argv[2])
EXPERIMENT = """
seeds   = [1]
plugins = ["{plugin}.so"]
[data]
use    = "kdhost.synthetic"
batch  = 8
params = {{ classes = 3, samples = 16, test_samples = 8, shape = [6] }}
[student]
use    = "kdhost.mlp"
params = {{ hidden = [8] }}
[[loss]]
use = "kdhost.cross_entropy"
[[loss]]
use = "zoo.{plugin}"
[train]
steps = 1
[baseline]
enabled = false
"""
WHERE = "error: new.toml:14:7: DIR/{plugin}.so: "
TRIED = ("\n  Expected a plugin that can be loaded and makes its components: a new one is tried in a process of its own "
         "first. See all that is wrong with `kdhost check DIR/{plugin}.so`; --trust leaves the trial out.")
LOADING = ", in the loading of the file (dlopen)."
CREATE = ", in the function create of 'zoo.late'."
HUNG = "did not end within 1 s"
KILLED = "; the process was killed."
# Loaded all the same, in the process that trains.
TRUSTED = "error: DIR/unruly.so: the plugin, in its static initialisers: "
IN_PROCESS = "\n  This is a mistake in the plugin: `kdhost check PLUGIN.so` tries it by itself."
# What KDHOST_ZOO says, plugin: what is found.
NEW = {
    ("segfault", "unruly"): "crashed with SIGSEGV (Segmentation fault)" + LOADING,
    ("abort", "unruly"): "crashed with SIGABRT (Aborted)" + LOADING,
    ("exit", "unruly"): "ended the process with exit code 0" + LOADING,
    ("sleep", "unruly"): HUNG + LOADING[:-1] + KILLED,
    ("query_crashes", "unruly"): "crashed with SIGSEGV (Segmentation fault), in the function kdh_plugin_query.",
    ("crash_in_create", "late"): "crashed with SIGSEGV (Segmentation fault)" + CREATE,
    ("abort_in_create", "late"): "crashed with SIGABRT (Aborted)" + CREATE,
    ("exit_in_create", "late"): "ended the process with exit code 0" + CREATE,
    ("hang_in_create", "late"): HUNG + CREATE[:-1] + KILLED,
}


def run(folder, way, plugin, *more, command=("run", "new.toml"), environment=()):
    folder.write("new.toml", EXPERIMENT.format(plugin=plugin))
    shutil.rmtree(folder / "runs", ignore_errors=True)
    pinned = PINNED if command[0] == "run" else []
    process = folder.start(*command, *pinned, *more, more={"KDHOST_ZOO": way, **dict(environment)})
    _, err = process.communicate(timeout=120)
    return process.returncode, err.replace(folder.path, "DIR")


def check(name, found, code, text):
    err = found[1][found[1].find("error: "):].strip()
    if "AddressSanitizer" not in err and (found[0] != code or err != text):
        fail(f"{name}: exit code {found[0]}, expected {code}\nfound\n{err}\nexpected\n{text}")


def remembered(folder):
    return len(os.listdir(folder / "cache/kdhost/plugins")) if os.path.exists(folder / "cache/kdhost/plugins") else 0


with Folder() as folder:
    for plugin in ("unruly", "late"):
        shutil.copy(os.path.join(ZOO, plugin + ".so"), folder / (plugin + ".so"))
    for (way, plugin), what in NEW.items():
        text = (WHERE + what + TRIED).format(plugin=plugin)
        check(way, run(folder, way, plugin, "--patience", "1"), 5, text)
        if os.path.exists(folder / "runs") or remembered(folder):
            fail(f"{way}: a plugin that was refused leaves a run, or is remembered")

    # Without the trial, and where the linker comes back with an exception, the process itself names it.
    thrown = ("error: new.toml:14:7: DIR/unruly.so: threw an exception while it was loaded: not today.\n"
              "  Let static initialisers do nothing that can fail; work in create.")
    check("throw", run(folder, "throw", "unruly"), 5, thrown)
    check("throw, trusted", run(folder, "throw", "unruly", "--trust"), 5, thrown)
    check("exit, trusted", run(folder, "exit", "unruly", "--trust"), 5, TRUSTED + "called exit." + IN_PROCESS)
    check("abort, trusted", run(folder, "abort", "unruly", "--trust"), -signal.SIGABRT,
          TRUSTED + "crashed with SIGABRT (aborted)." + IN_PROCESS)
    write_safetensors(folder / "in.safetensors", {"student.logits": ("F32", (1, 2), bytes(8))})
    loss = ("loss", "zoo.unruly", "--inputs", "in.safetensors", "--plugin-dir", ".")
    check("loss", run(folder, "throw", "unruly", command=loss), 5,
          thrown.replace("new.toml:14:7", "kdhost loss").replace("DIR/", "./"))
    check("loss, abort", run(folder, "abort", "unruly", command=loss), 5,
          ("error: kdhost loss: ./{plugin}.so: " + NEW["abort", "unruly"] + TRIED).format(plugin="unruly")
          .replace("DIR/", "./"))

    # What is only bad manners is told, at each start, and the run goes on.
    for _ in range(2):
        code, err = run(folder, "print", "unruly")
        manners = ("warning: DIR/unruly.so: wrote 20 bytes to standard output or error while it was loaded: 'hello from a "
                   "plugin'.\n  Remove the output, or write it with the host's log when a component works.\n")
        if code != 0 or manners not in err or remembered(folder):
            fail(f"print: exit code {code}, expected 0, no memory of it, and\n{manners}found\n{err}")

    # Remembered once it has passed: then it is not tried again, and dies like any program.
    code, err = run(folder, "", "unruly", environment={"XDG_CACHE_HOME": "/dev/null"})
    note = ("note      DIR/unruly.so is fine, but that cannot be remembered, so it is tried at each start: "
            "/dev/null/kdhost/plugins: cannot be written: Not a directory.\n")
    if code != 0 or note not in err:
        fail(f"an unwritable cache: exit code {code}, expected 0 and\n{note}\nfound\n{err}")
    code, err = run(folder, "", "unruly")
    if code != 0 or "note      " in err or remembered(folder) != 1:
        fail(f"a whole plugin: exit code {code}, {remembered(folder)} remembered\n{err}")
    check("remembered", run(folder, "abort", "unruly"), -signal.SIGABRT,
          TRUSTED + "crashed with SIGABRT (aborted)." + IN_PROCESS)
    with open(folder / "unruly.so", "ab") as f:
        f.write(b"another")
    check("another content", run(folder, "abort", "unruly"), 5,
          (WHERE + NEW["abort", "unruly"] + TRIED).format(plugin="unruly"))
    print(f"{len(NEW)} new plugins refused by name, one remembered by its content")
