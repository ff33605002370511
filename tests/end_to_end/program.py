# SPDX-License-Identifier: MIT
"""What the end-to-end tests share: starting the program as a user does, in an empty folder with a cache of its own,
and reading and writing safetensors files. Nothing but Python's own library."""
import json
import math
import os
import shutil
import struct
import subprocess
import sys
import tempfile

PROGRAM = os.path.abspath(sys.argv[1])
ITEM_SIZE = {"F64": 8, "F32": 4, "I64": 8, "I32": 4, "U8": 1}
# One thread and fixed routes: what may look at the machine's load is pinned, so runs can be compared bit by bit.
PINNED = ["--threads", "1", "--device", "cpu", "--set", 'numerics.matrix_route="library"', "--set",
          "numerics.teacher_chunk=1"]


class Folder:
    """An empty folder that is removed again; `with Folder() as f`."""

    def __enter__(self):
        self.path = os.path.realpath(tempfile.mkdtemp(prefix="kdhost-e2e-"))
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)

    def __truediv__(self, name):
        return os.path.join(self.path, name)

    def write(self, name, text):
        with open(self / name, "w", encoding="utf-8") as f:
            f.write(text)
        return self / name

    def environment(self, more=()):
        own = {k: v for k, v in os.environ.items() if not k.startswith(("KDHOST", "OMP_NUM_THREADS"))}
        own.update({"XDG_CACHE_HOME": self / "cache", "LC_ALL": "C.UTF-8", **dict(more)})
        return own

    def start(self, *arguments, more=()):
        """Starts the program; `more`: variables for its environment."""
        return subprocess.Popen([PROGRAM, *arguments], cwd=self.path, env=self.environment(more), text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, *arguments):
        """Exit code, standard output, standard error."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    def train(self, *arguments):
        """A run that must end well; its standard error."""
        code, _, err = self.run("run", *arguments, *PINNED)
        if code != 0:
            fail(f"kdhost run {' '.join(arguments)} ended with {code}\n{err}")
        return err


def fail(text):
    print("FAILED: " + text)
    sys.exit(1)


def content(path):
    with open(path, "rb") as f:
        return f.read()


def log_lines(path, without=("seconds", "samples_per_second")):
    """The lines of a metrics.jsonl, without what a clock decides."""
    with open(path, encoding="utf-8") as f:
        lines = [json.loads(line) for line in f]
    return [{k: v for k, v in line.items() if k not in without} for line in lines]


def write_safetensors(path, tensors):
    """`tensors`: name -> (type such as "F64", shape, bytes)."""
    header, at = {}, 0
    for name, (kind, shape, data) in tensors.items():
        assert len(data) == ITEM_SIZE[kind] * math.prod(shape), name
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in tensors.values()))


def read_safetensors(path):
    data = content(path)
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    return {n: (e["dtype"], e["shape"], data[8 + size + e["data_offsets"][0] : 8 + size + e["data_offsets"][1]])
            for n, e in header.items()}
