# SPDX-License-Identifier: MIT
"""What `tests/bench/run` starts: kdhost and the peer scripts. Each is run as a process of its own, and what it did is
returned as one flat record; memory and the processor time of others are measured from here, the same way for all."""
import json
import os
import shutil
import subprocess
import sys
import time

BENCH = os.path.dirname(os.path.abspath(__file__))
BATCH = 64


class Missing(Exception):
    """Something has to be installed or built first."""


class Place:
    """Where programs, data and files of this measurement are."""

    def __init__(self, build, python, data, out):
        self.build, self.python, self.data, self.out = build, python, data, out
        self.program = os.path.join(build, "bin", "kdhost")
        self.weights = os.path.join(out, "weights")
        self.short_cifar = os.path.join(out, "cifar-100-short-test")

    def environment(self, **more):
        own = {k: v for k, v in os.environ.items() if not k.startswith(("KDHOST", "MALLOC_", "OMP_", "GOMP_"))}
        own.update(KDHOST_DATA=self.data, XDG_CACHE_HOME=os.path.join(self.out, "cache"), LC_ALL="C.UTF-8",
                   TORCHINDUCTOR_CACHE_DIR=os.path.join(self.out, "cache", "inductor"), **more)
        return own


def busy_ticks():
    """Ticks of all processors that were not idle, the machine's and those taken from it."""
    with open("/proc/stat", encoding="ascii") as f:
        ticks = [int(word) for word in f.readline().split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4]


def run_process(arguments, environment, folder):
    """Standard output and error of a process that must end well, and a record of what it took."""
    output = os.path.join(folder, "output")
    errors = os.path.join(folder, "errors")
    before, start = busy_ticks(), time.time()
    with open(output, "wb") as out, open(errors, "wb") as err:
        process = subprocess.Popen(arguments, env=dict(environment, PEER_STARTED=repr(start)), stdout=out, stderr=err,
                                   stdin=subprocess.DEVNULL)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:  # stopped by a signal
            process.kill()
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.time() - start
    taken = (busy_ticks() - before) / os.sysconf("SC_CLK_TCK") - usage.ru_utime - usage.ru_stime
    with open(output, encoding="utf-8") as out, open(errors, encoding="utf-8") as err:
        text, complaint = out.read(), err.read()
    if process.returncode != 0:
        raise Missing(f"{' '.join(arguments)}\nended with {process.returncode}:\n{complaint.strip()[-2000:]}")
    return text, complaint, {
        "seconds": seconds,
        "peak_mib": usage.ru_maxrss / 1024,
        "others_percent": max(0.0, taken / seconds * 100),  # 100: one core
    }


def fresh_folder(place):
    folder = os.path.join(place.out, "running")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    return folder


class Kdhost:
    def __init__(self, workload, name="kdhost", whole=False, **settings):
        """`settings`: values of the file, with '__' for '.' in their names. `whole`: with all test images."""
        self.workload, self.name, self.whole = workload, name, whole
        self.settings = {key.replace("__", "."): value for key, value in settings.items()}

    def command(self, place, steps, log_steps, more=()):
        settings = {"teacher.weights": os.path.join(place.weights, f"{self.workload}-teacher.safetensors"),
                    "train.steps": steps, "train.log_steps": log_steps, **self.settings, **dict(more)}
        if self.workload == "resnet" and not self.whole:
            settings["data.params.root"] = place.short_cifar
        command = [place.program, "run", os.path.join(BENCH, self.workload + ".toml")]
        for key, value in settings.items():
            command += ["--set", f"{key}={json.dumps(value)}"]
        return command

    def execute(self, place, command):
        folder = fresh_folder(place)
        run = os.path.join(folder, "run")
        _, log, record = run_process(command + ["--device", "cpu", "--out", run], place.environment(), folder)
        with open(os.path.join(run, "metrics.jsonl"), encoding="utf-8") as f:
            lines = [line for line in map(json.loads, f) if "terms" in line]
        with open(os.path.join(run, "summary.json"), encoding="utf-8") as f:
            summary = json.load(f)
        shutil.rmtree(run)
        record["decisions"] = [line for line in log.splitlines() if line.startswith(("device ", "launch ", "teacher "))]
        return lines, summary, record

    def measure(self, place, warm, steps):
        every = max(1, min(50, warm, steps // 10))
        warm, steps = -(-warm // every) * every, -(-steps // every) * every
        lines, summary, record = self.execute(place, self.command(place, warm + steps, every))
        lines = [line for line in lines if line["step"] >= warm]
        pieces = sorted((b["seconds"] - a["seconds"]) / (b["step"] - a["step"]) for a, b in zip(lines, lines[1:]))
        done, spent = lines[-1]["step"] - lines[0]["step"], lines[-1]["seconds"] - lines[0]["seconds"]
        record.update(images_per_second=BATCH * done / spent, step_ms=pieces[len(pieces) // 2] * 1e3,
                      first_step_seconds=summary["first_step_seconds"])
        return record

    def losses(self, place, count, rate):
        """The first losses, of samples in order and without augmentation, from the common weights of the student."""
        more = {"student.weights": os.path.join(place.weights, f"{self.workload}-student.safetensors"),
                "data.shuffle": False, "optimizer.lr": rate}
        if self.workload == "resnet":
            more.update({"data.transform.random_crop.params.padding": 0, "data.transform.random_flip.params.p": 0.0})
        lines, _, _ = self.execute(place, self.command(place, count, 1, more))
        return [sum(term["weighted"] for term in line["terms"].values()) for line in lines]


class Peer:
    def __init__(self, workload, name, script, *switches):
        self.workload, self.name, self.script, self.switches = workload, name, script, switches

    def execute(self, place, *more):
        folder = fresh_folder(place)
        command = [place.python, os.path.join(BENCH, "peers", self.script), "--workload", self.workload, "--data",
                   place.data, "--weights", place.weights, *self.switches, *more]
        text, _, record = run_process(command, place.environment(), folder)
        return {**json.loads(text.splitlines()[-1]), **record}

    def measure(self, place, warm, steps):
        return self.execute(place, "--warm", str(warm), "--steps", str(steps))

    def losses(self, place, count, rate):
        return self.execute(place, "--losses", str(count), "--lr", str(rate))["losses"]


class Neighbour:
    """A process that keeps one processor busy; `with Neighbour():`."""

    def __enter__(self):
        self.process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        time.sleep(1.0)  # the start of Python is not what a busy neighbour looks like
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def machine_facts(place):
    """What peers/machine.py prints, and the processor's name."""
    try:
        text = subprocess.run([place.python, os.path.join(BENCH, "peers", "machine.py")], env=place.environment(),
                              stdout=subprocess.PIPE, check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise Missing(f"{place.python} cannot be run: {error}") from error
    facts = json.loads(text.splitlines()[-1])
    if "missing" in facts:
        raise Missing(f"The peers need the Python packages torch and numpy; {place.python} lacks {facts['missing']}.\n"
                      f"Install them (python3 -m venv FOLDER; FOLDER/bin/pip install torch numpy), or name a Python "
                      f"that has them by KDHOST_PYTHON.")
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        text = f.read()
    names = [line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name")]
    facts["processor"] = names[0] if names else "unknown processor"
    facts["bf16"] = "avx512_bf16" in text or "amx_bf16" in text
    return facts


def make_inputs(place):
    """Weights for both programs; and CIFAR-100 with 128 test images, since kdhost tests each student that it has
    trained, and only the training is to be measured."""
    if not os.path.exists(os.path.join(place.weights, "resnet-student.safetensors")):
        subprocess.run([place.python, os.path.join(BENCH, "peers", "weights.py"), place.data, place.weights],
                       env=place.environment(), check=True)
    folder = os.path.join(place.data, "cifar-100-binary")
    shutil.rmtree(place.short_cifar, ignore_errors=True)
    os.makedirs(place.short_cifar)
    os.symlink(os.path.join(folder, "train.bin"), os.path.join(place.short_cifar, "train.bin"))
    with open(os.path.join(folder, "test.bin"), "rb") as f:
        some = f.read(128 * 3074)
    with open(os.path.join(place.short_cifar, "test.bin"), "wb") as f:
        f.write(some)
