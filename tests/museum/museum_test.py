# SPDX-License-Identifier: MIT
"""The plugins of the museum, as the SDK 1.0 built them and as its headers build them now, in today's host: each passes the check, all of them train together,
the numbers of the loss are those of its formula, and a run with them is resumed bit by bit."""
import json
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "end_to_end"))
from program import Folder, PINNED, content, fail, log_lines, read_safetensors, write_safetensors  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDERS = [os.path.join(place, name) for place in (HERE, os.path.abspath(sys.argv[2])) for name in sorted(os.listdir(place))
           if os.path.exists(os.path.join(place, name, "museum_losses.so"))]


def same(found, expected, what):
    if found != expected:
        fail(f"{what} is {found}, expected {expected}")


def test(plugins):
    version = os.path.basename(plugins)
    found_here = ["--plugin-dir", plugins]
    files = sorted(f for f in os.listdir(plugins) if f.endswith(".so"))
    size = sum(os.path.getsize(os.path.join(plugins, f)) for f in files)
    if plugins.startswith(HERE) and size > 200 * 1024:
        fail(f"{version} has {size} bytes")
    with Folder() as folder:
        for name in ("museum.toml", "teacher.toml"):
            folder.write(name, open(os.path.join(HERE, name), encoding="utf-8").read())

        code, out, err = folder.run("plugins", "--json", *found_here)
        same(code, 0, "the exit code of kdhost plugins")
        listed = [p for p in json.loads(out) if p["found"] == "--plugin-dir"]
        same([(os.path.basename(p["file"]), p["abi"], p["tier"], p.get("refused")) for p in listed],
             [("museum_kinds.so", version, "portable", None), ("museum_losses.so", version, "portable", None)],
             "what is listed")
        same([c["id"] for p in listed for c in p["components"]],
             ["museum.patches", "museum.dim", "museum.net", "museum.ramp", "museum.margin", "museum.gap",
              "museum.aligned"], "the list of components")
        for name in files:
            code, out, err = folder.run("check", os.path.join(plugins, name), "--level", "5")
            if code != 0:
                fail(f"kdhost check {name} ended with {code}\n{out}{err}")

        # museum.gap is mean over N of sum (s - t)^2 / T^2 times T times the mean of the weights, 2.
        student, teacher = [1.0, 2.0, 4.0, 0.5], [0.0, 1.5, 5.0, 0.5]
        pack = lambda values: ("F64", [2, 2], struct.pack("<4d", *values))  # noqa: E731
        write_safetensors(folder / "in.safetensors", {"student.logits": pack(student), "teacher.logits": pack(teacher)})
        code, out, err = folder.run("loss", "museum.gap", "--inputs", "in.safetensors", "--set", "temperature=4",
                                    "--grads", "out.safetensors", "--json", "--threads", "1", *found_here)
        same(code, 0, "the exit code of kdhost loss (" + err + ")")
        gaps = [s - t for s, t in zip(student, teacher)]
        value = sum(g * g for g in gaps) / 16 / 2 * 4 * 2
        if abs(json.loads(out)["value"] - value) > 1e-14:
            fail(f"museum.gap is {out}, expected {value}")
        gradient = struct.unpack("<4d", read_safetensors(folder / "out.safetensors")["student.logits"][2])
        expected = [2 * g / 16 / 2 * 4 * 2 for g in gaps]
        if max(abs(a - b) for a, b in zip(gradient, expected)) > 1e-14:
            fail(f"the gradient of museum.gap is {gradient}, expected {expected}")

        folder.train("museum.toml", "--out", "run", *found_here)
        lines = [line for line in log_lines(folder / "run/metrics.jsonl") if line["arm"] == "distilled" and "terms" in line]
        same(len(lines), 6, "the number of steps")
        same([line["schedules"]["loss.gap.params.temperature"] for line in lines], [4.0 - 0.5 * i for i in range(6)],
             "the temperature")
        for line in lines:
            same(sorted(line["terms"]), ["aligned", "cross_entropy", "gap"], "the terms")
        manifest = json.loads(content(folder / "run/manifest.json"))
        same(sorted(os.path.basename(f) for f in manifest["plugins"] if f.startswith(plugins)), files,
             "the museum's files in the manifest")
        exported = sorted(read_safetensors(folder / "run/seed-1/student.safetensors"))
        same([name for name in exported if "projection" in name or "mean" == name], [], "what the student took along")

        # The same in two halves.
        code, _, err = folder.run("run", "museum.toml", "--out", "halves", *found_here, *PINNED, "--set",
                                  "train.checkpoint_steps=1")
        same(code, 0, "the exit code of the second run (" + err + ")")
        same(read_safetensors(folder / "halves/seed-1/last.safetensors"),
             read_safetensors(folder / "run/seed-1/last.safetensors"), "the student of a repeated run")


same([os.path.basename(f) for f in FOLDERS], ["1.0", "1.0"], "the list of folders")
for f in FOLDERS:
    test(f)
print(f"plugins of {len(FOLDERS)} folders load, pass the check and train")
