#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Where published codes of one method disagree, and what each disagreement means: a table whose figures are measured by
`kdhost loss ID --compare OTHER`. It is a section of plugins/README.md (plugins/catalogue puts it there).

    plugins/disagreements.py [PROGRAM]         prints the table; PROGRAM is build/bin/kdhost unless given
    plugins/disagreements.py --inputs FOLDER   writes the tensors on which it is measured, one file for each name
"""
import concurrent.futures
import json
import math
import pathlib
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent

# ---- the tensors


def generated(shape, seed, scale=1.0):
    """The numbers of the golden values: a linear congruential generator, the same in any language."""
    state, numbers = seed, []
    for _ in range(math.prod(shape)):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        numbers.append(scale * ((state >> 33) / 2**31 * 2 - 1))
    return "F64", list(shape), numbers


def mapped(tensor, function):
    """A function of each number."""
    kind, shape, numbers = tensor
    return kind, shape, [function(x) for x in numbers]


def relu(tensor):
    """What lies behind an activation."""
    return mapped(tensor, lambda x: max(x, 0.0))


def by_batch_statistics(tensor):
    """A map [N, C, H, W] as a batch norm in training mode gives it: each channel with mean 0 and variance 1."""
    kind, (n, c, h, w), numbers = tensor
    size, out = h * w, list(numbers)
    for channel in range(c):
        places = [(i * c + channel) * size + k for i in range(n) for k in range(size)]
        mean = sum(numbers[p] for p in places) / len(places)
        variance = sum((numbers[p] - mean) ** 2 for p in places) / len(places)
        for p in places:
            out[p] = (numbers[p] - mean) / math.sqrt(variance + 1e-5)
    return kind, [n, c, h, w], out


def unit_rows(tensor):
    """Each row with length 1."""
    kind, (rows, width), x = tensor
    lengths = [math.sqrt(sum(v * v for v in x[r * width : (r + 1) * width])) for r in range(rows)]
    return kind, [rows, width], [v / lengths[i // width] for i, v in enumerate(x)]


def integers(shape, numbers):
    """Labels and indices."""
    return "I64", list(shape), numbers


def taps(*pairs):
    """student.features.i and teacher.features.i"""
    return {f"{side}.features.{i}": pair[k] for i, pair in enumerate(pairs) for k, side in enumerate(("student", "teacher"))}


def files():
    """Every file of inputs: its name, what it holds in words, its tensors."""
    z = {"student.logits": generated((4, 10), 1, 3.0), "teacher.logits": generated((4, 10), 2, 5.0)}
    y = {"batch.label": integers((4,), [0, 3, 7, 9])}
    p = generated((4, 8, 6, 6), 3), generated((4, 8, 6, 6), 4)
    f = relu(p[0]), relu(p[1])
    g = relu(generated((4, 8, 3, 3), 7)), relu(generated((4, 8, 3, 3), 8))
    e = generated((4, 16), 5), generated((4, 16), 6)
    words = {"student.logits": generated((4, 5, 10), 41, 3.0), "teacher.logits": generated((4, 5, 10), 42, 5.0)}
    kept = [0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 0, 1, 1, 0, 1, 1, 0, 0]
    shifted = [kept[i + 1] if i % 5 < 4 else 0 for i in range(20)]
    crd = dict(taps(e))
    crd["batch.index"] = integers((4,), [0, 1, 2, 3])
    crd["batch.contrast_index"] = integers((4, 4), [0, 4, 5, 6, 1, 5, 6, 7, 2, 6, 7, 0, 3, 7, 0, 1])
    crd["state.bank_student"] = unit_rows(generated((8, 16), 31))
    crd["state.bank_teacher"] = unit_rows(generated((8, 16), 32))
    return [
        ("z", "logits [4, 10], labels", {**z, **y}),
        ("z4", "the same logits divided by 4", {**{k: mapped(v, lambda x: x / 4) for k, v in z.items()}, **y}),
        ("p", "maps [4, 8, 6, 6] before their ReLU", taps(p)),
        ("pn", "the same, the teacher's by the statistics of the batch", taps((p[0], by_batch_statistics(p[1])))),
        ("f", "maps [4, 8, 6, 6] behind their ReLU", taps(f)),
        ("fn", "the same, the teacher's by the statistics of the batch", taps((f[0], relu(by_batch_statistics(p[1]))))),
        ("fg", "f and maps [4, 8, 3, 3] behind it", taps(f, g)),
        ("zp", "z and p", {**z, **y, **taps(p)}),
        ("e", "embeddings [4, 16]", taps(e)),
        ("u", "z and the student's f", {**z, **y, "student.features": f[0]}),
        ("svd", "maps [4, 8, 6, 6] and [4, 8, 4, 6]",
         taps((generated((4, 8, 6, 6), 13), generated((4, 8, 6, 6), 14)),
              (generated((4, 8, 4, 6), 17), generated((4, 8, 4, 6), 18)))),
        ("crd", "e with banks of 8 samples and 3 negatives", crd),
        ("w", "logits [4, 5, 10] of sequences, the mask of the labels", {**words, "batch.mask": integers((4, 5), kept)}),
        ("ws", "the same, the mask moved to the predictions", {**words, "batch.mask": integers((4, 5), shifted)}),
    ]


def write(path, tensors):
    """A safetensors file."""
    header, data = {}, b""
    for name, (kind, shape, numbers) in tensors.items():
        packed = struct.pack(f"<{len(numbers)}{'d' if kind == 'F64' else 'q'}", *numbers)
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(data), len(data) + len(packed)]}
        data += packed
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def write_inputs(folder):
    """All of them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, _, tensors in files():
        write(folder / f"{name}.safetensors", tensors)


# ---- the disagreements


class Pair:
    """Two losses on the same tensors, or on those of two files."""

    def __init__(self, inputs, loss, default="", other="", other_loss=None, other_inputs=None, times=1.0):
        self.inputs, self.loss, self.default, self.other = inputs, loss, default, other
        self.other_loss, self.other_inputs = other_loss or loss, other_inputs
        self.times = times  # a factor of the other side that is no parameter of the loss

    def arguments(self, folder):
        """As one types them."""
        made = ["loss", f"kdhost.{self.loss}", "--inputs", str(folder / f"{self.inputs}.safetensors"),
                "--compare", f"kdhost.{self.other_loss}"]
        for option, text in (("--set", self.default), ("--other-set", self.other)):
            for one in filter(None, text.split("; ")):
                made += [option, one.replace(" = ", "=")]
        if self.other_inputs:
            made += ["--other-inputs", str(folder / f"{self.other_inputs}.safetensors")]
        return made

    def cells(self, run, folder):
        """Inputs, value, gradient, angle."""
        answer = run(self.arguments(folder))
        both = answer["all_gradients"]
        names = self.inputs + (f", {self.other_inputs}" if self.other_inputs else "")
        return names, factor(answer["ratio"] * self.times), factor(both["ratio"] * self.times), f"{both['angle']:.1f}°"


class Number:
    """Where there is one side to measure: a number of one evaluation."""

    def __init__(self, inputs, loss, settings, path, words):
        self.inputs, self.loss, self.settings, self.path, self.words = inputs, loss, settings, path, words

    def cells(self, run, folder):
        """The number in the column of the values."""
        made = ["loss", f"kdhost.{self.loss}", "--inputs", str(folder / f"{self.inputs}.safetensors")]
        for one in self.settings.split("; "):
            made += ["--set", one.replace(" = ", "=")]
        found = run(made)
        for key in self.path:
            found = found[key]
        return self.inputs, self.words.format(f"{found:.4g}"), "–", "–"


class Words:
    """Where the loss is not concerned: nothing is evaluated."""

    def __init__(self, value, angle="–"):
        self.value, self.angle = value, angle

    def cells(self, _run, _folder):
        """What is true whatever the tensors."""
        return "any", self.value, self.value, self.angle


NONE = 'adaptor = "none"'

# Number, what disagrees, our default and why, how one gets the other, what is measured. Numbers without a letter stand
# for findings about published code; those from 22 on are the other variants that the losses offer.
ROWS = [
    ("1", "SP: rows of the similarity matrix have L2 length 1 (RepDistiller, mdistiller) or L1 length 1 (torchdistill: the "
     "second positional argument of its `normalize` is the order)", "L2: confirmed by the author",
     '`variant = "torchdistill"`', Pair("f", "sp", other='variant = "torchdistill"')),
    ("2", "DKD: mean over samples (mdistiller) or their sum (MMRazor, though its configuration says `mean`)",
     "mean: the paper, and no learning rate that depends on the batch", '`reduction = "sum"`',
     Pair("z", "dkd", other='reduction = "sum"')),
    ("3", "VID: the variances are trained (paper, RepDistiller) or lie in a plain list that nobody trains, moves or saves "
     "(mdistiller)", "trained: they are the method", "none: a declared part is always trained",
     Number("f", "vid", NONE, ("gradients", "param/tap0.alpha", "norm"), "gradient by the variances {}, there 0")),
    ("4", "DIST+: the term over channels enters as 1 − ρ or as +ρ (torchdistill)",
     "1 − ρ: +ρ drives the channels apart", '`variant = "torchdistill"`',
     Pair("zp", "dist_plus", other='variant = "torchdistill"')),
    ("5", "KD and LSKD: T² is a factor always, or left out where there are no labels or their weight is 0 (torchdistill)",
     "always: the gradient keeps its size when T changes",
     '`scale = "none"`; LSKD: the same on `kdhost.kd` with `standardize = true`', Pair("z", "kd", other='scale = "none"')),
    ("6", "CRD: its weight is applied, or ignored (MMRazor)", "applied: weights belong to the host, for all losses alike",
     "none", Words("1 / weight", "0.0°")),
    ("7", "CRD: the sampler draws negatives, or raises since its attribute has two names (torchdistill)",
     "the loss draws them itself", "none", Number("crd", "crd", NONE, ("value",), "{}, there an exception")),
    ("8", "RKD: embeddings as they are (authors, RepDistiller, mdistiller, torchdistill) or first scaled to length 1 (MMRazor)",
     "as they are: the paper", '`variant = "mmrazor"`', Pair("e", "rkd", other='variant = "mmrazor"')),
    ("9", "FSP: average pooling and mean square (RepDistiller), or maximum pooling and column norms (torchdistill); TextBrewer's "
     "is the first for sequences (`variant = \"sequence\"`)", "RepDistiller: the paper's squared distance",
     '`variant = "torchdistill"`', Pair("fg", "fsp", other='variant = "torchdistill"')),
    ("10", "FT: the mean square over channels is scaled to length 1 (RepDistiller), or the whole sample (torchdistill, MMRazor)",
     "RepDistiller: its numbers are those that papers quote", '`variant = "torchdistill"`',
     Pair("p", "ft", NONE, NONE + '; variant = "torchdistill"')),
    ("11", "AB: 3/1000 and weights of the taps are part of the loss (RepDistiller, MMRazor) or not (torchdistill)",
     "part of it: published weights assume them", '`variant = "torchdistill"`',
     Pair("p", "ab", NONE, NONE + '; variant = "torchdistill"')),
    ("12", "AT: mean square of the maps' difference (authors' code, RepDistiller, mdistiller, MMRazor) or its L2 norm (paper, "
     "torchdistill)", "the authors' code: the weight 1000 belongs to it", '`variant = "paper"`',
     Pair("f", "attention", other='variant = "paper"')),
    ("13a", "CC: neighbours in the batch (authors' code) or a Gaussian kernel (paper, torchdistill)",
     "the authors' code: the published results are its", '`variant = "gaussian"`',
     Pair("e", "cc", NONE, NONE + '; variant = "gaussian"')),
    ("13b", "CC: the same, or a bilinear kernel (paper)", "as above", '`variant = "bilinear"`',
     Pair("e", "cc", NONE, NONE + '; variant = "bilinear"')),
    ("14", "KDSVD: the map is a matrix HW × C (RepDistiller) or (C·H) × W (mdistiller)",
     "HW × C: singular vectors over channels, the paper", '`variant = "mdistiller"`',
     Pair("svd", "kdsvd", other='variant = "mdistiller"')),
    ("15", "KD: sum over classes, or PyTorch's `mean`, which divides by them too (several repositories, three configurations of "
     "MMRazor; DeiT on purpose)", "sum: it is the divergence", '`reduction = "mean"`', Pair("z", "kd", other='reduction = "mean"')),
    ("16", "KD: KL(teacher ‖ student), or its arguments swapped, and targets given as logarithms; batch norm frozen after the first "
     "epoch (KD_Lib)", "from the teacher's side: the paper; the mode of a model is the host's", "`kdhost.reverse_kl`",
     Pair("z", "kd", "temperature = 1", other_loss="reverse_kl")),
    ("17", "MLKD: all three levels of both views (paper), or masks that halve what is averaged already, and of the strong view only "
     "soft targets, two of five temperatures of the wrong view (public code)", "the paper: published results are the code's",
     "`class_weight` and `batch_weight` = 1/3, 3/4 of the weight (both views alike)",
     Pair("z", "mlkd", other="class_weight = 0.3333333333333333; batch_weight = 0.3333333333333333", times=0.75)),
    ("18", "OFD wants the teacher's batch norm in training mode, everything else in evaluation mode",
     "as the author: the loss asks for it, the run logs it", "none: the teacher's mode is part of the method",
     Pair("p", "ofd", NONE + "; margin = -0.5", NONE + "; margin = -0.5", other_inputs="pn")),
    ("19", "GKD: no temperature in the loss, or one that serves the sampling only (TRL)", "none: the paper's loss has none",
     "logits divided by T", Pair("z", "jsd", other_inputs="z4")),
    ("20", "Masked KD of language models: the mask of the labels moved by one position, as predictions are, or not (DistillKit)",
     "the mask that is bound: one of predictions", "bind the mask of the labels",
     Pair("ws", "masked_kd", other_inputs="w")),
    ("21", "The teacher in evaluation mode, or in training mode, so that its statistics drift (torchdistill's example since May 2023)",
     "evaluation mode; a frozen teacher that changes stops the run", "none", Pair("f", "hint", NONE, NONE, other_inputs="fn")),
    ("22", "KD: divergence, or cross-entropy without the teacher's entropy (TextBrewer)", "divergence: 0 at equality",
     '`form = "ce"`', Pair("z", "kd", other='form = "ce"')),
    ("23", "FitNets: mean square (RepDistiller, mdistiller) or squares of samples scaled to length 1 (MMRazor)",
     "mean square: the weight 100 belongs to it", '`variant = "mmrazor_l2"`',
     Pair("f", "hint", NONE, NONE + '; variant = "mmrazor_l2"')),
    ("24", "DIST: 1e-8 is added to the product of norms (authors) or bounds each norm (torchdistill)", "the authors' code",
     '`variant = "torchdistill"`', Pair("z", "dist", other='variant = "torchdistill"')),
    ("25", "OFD: weights 2^−k of the taps, 1/1000 in the weight of the loss (mdistiller), or 1/1000 in the loss and no weights "
     "(MMRazor)", "mdistiller: 1/1000 is a learning rate", '`variant = "mmrazor"`',
     Pair("p", "ofd", NONE + "; margin = -0.5", NONE + '; margin = -0.5; variant = "mmrazor"')),
    ("26", "MGD: 2e-5 times the sum by samples (MMRazor) or the mean square (ModelOpt)",
     "MMRazor: the authors' constant, which everybody copies", '`variant = "modelopt"`',
     Pair("f", "mgd", NONE, NONE + '; variant = "modelopt"')),
    ("27", "ICKD: divided by N twice (authors) or once, a mean over the batch", "the authors' code", '`variant = "batch_mean"`',
     Pair("f", "ickd", NONE, NONE + '; variant = "batch_mean"')),
    ("28", "Skew KL, forward: divergence (paper) or without the teacher's entropy (authors' code)",
     "divergence: 0 at equality, like the reverse one", '`form = "ce"`', Pair("z", "skew_kl", other='form = "ce"')),
    ("29", "USKD: ranks of the other classes from probabilities (paper), or of all classes from probabilities and logarithms "
     "(authors' code)", "the paper", '`variant = "author"`', Pair("u", "uskd", other='variant = "author"')),
]

INTRODUCTION = """Two codes of one name often give two numbers. A constant factor between them is a learning rate: a weight from
one paper means something else in another's code. An angle between their gradients makes them two methods. Each row below
is such a place: what the published codes do (versions: torchdistill 1.1.4, mdistiller a08d46f, RepDistiller b84f547, MMRazor
1.0.0, TextBrewer 2c105fa, KD_Lib a94d236, TRL 1.9.0, DistillKit a61c2e7), what is the default here and why, which parameter
selects the other, and our measurement: value and gradient of the other in multiples of the default's, and the angle between
the gradients by the student's tensors. Anyone can repeat it:

```sh
plugins/disagreements.py --inputs golden
kdhost loss kdhost.sp --inputs golden/f.safetensors --compare kdhost.sp --other-set 'variant="torchdistill"'
```
"""


def factor(ratio):
    """Four digits; what is nearly 1 by its distance from 1."""
    near = ratio - 1
    if 1e-12 < abs(near) < 1e-3:
        return f"1 {'+' if near > 0 else '−'} {abs(near):.1e}"
    return f"{ratio:.4g}"


def section(program):
    """The section as Markdown, without its title."""
    def run(arguments):
        done = subprocess.run([program, *arguments, "--json", "--quiet", "--threads", "1", "--device", "cpu"],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{program} {' '.join(arguments)} ended with exit code {done.returncode}:\n{done.stderr}")
        return json.loads(done.stdout)

    with tempfile.TemporaryDirectory() as folder:
        write_inputs(pathlib.Path(folder))
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            measured = list(pool.map(lambda row: row[4].cells(run, pathlib.Path(folder)), ROWS))
    lines = [INTRODUCTION]
    lines += [f"* `{name}`: {words}" for name, words, _ in files()] + [""]
    lines += ["| | published | default | the other by | inputs | value × | gradient × | angle |", "|---|---|---|---|---|---|---|---|"]
    for (number, what, default, other, _), cells in zip(ROWS, measured):
        lines.append("| " + " | ".join((number, what, default, other, *cells)) + " |")
    return "\n".join(lines) + "\n"


def main():
    arguments = sys.argv[1:]
    if len(arguments) == 2 and arguments[0] == "--inputs":
        write_inputs(pathlib.Path(arguments[1]))
    elif len(arguments) > 1 or any(argument.startswith("-") for argument in arguments):
        sys.exit(__doc__)
    else:
        print(section(arguments[0] if arguments else str(HERE.parent / "build" / "bin" / "kdhost")), end="")


if __name__ == "__main__":
    main()
