# SPDX-License-Identifier: MIT
"""Agreement with plain PyTorch: the same initial weights, the same samples in the same order, float64. Every logged
loss and every final weight must be equal to 1e-9: 200 steps of a pair of perceptrons, 20 of a pair of CIFAR ResNets.
Left out where the torch package cannot be imported."""
import sys

try:
    import torch
    import torch.nn.functional as F
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(0)

from program import Folder, PINNED, fail, log_lines, read_safetensors, write_safetensors

TOLERANCE = 1e-9
CLASSES, BATCH, TEMPERATURE = 5, 16, 4.0
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


class Mlp(torch.nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.depth = len(sizes) - 1
        for i in range(self.depth):
            self.add_module(f"fc{i + 1}", torch.nn.Linear(sizes[i], sizes[i + 1]))

    def forward(self, x):
        x = x.flatten(1)
        for i in range(1, self.depth):
            x = F.relu(getattr(self, f"fc{i}")(x))
        return getattr(self, f"fc{self.depth}")(x)


class Block(torch.nn.Module):
    def __init__(self, width_in, width, stride):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(width_in, width, 3, stride, 1, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(width)
        self.conv2 = torch.nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = torch.nn.BatchNorm2d(width)
        self.stride, self.more = stride, width - width_in

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.stride > 1:  # option A: every second pixel, zeros for the new channels
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more // 2, self.more - self.more // 2))
        return F.relu(y + x)


class ResNet(torch.nn.Module):
    def __init__(self, depth):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(16)
        n, width_in = (depth - 2) // 6, 16
        for stage, width in enumerate((16, 32, 64)):
            blocks = []
            for i in range(n):
                blocks.append(Block(width_in, width, 2 if stage > 0 and i == 0 else 1))
                width_in = width
            self.add_module(f"layer{stage + 1}", torch.nn.Sequential(*blocks))
        self.linear = torch.nn.Linear(64, CLASSES)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        return self.linear(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))


KINDS = {torch.float64: "F64", torch.int64: "I64"}
TYPES = {"F64": torch.float64, "I64": torch.int64}


def stored(tensor):
    tensor = tensor.detach().contiguous()
    return KINDS[tensor.dtype], tuple(tensor.shape), bytes(tensor.reshape(-1).view(torch.uint8).tolist())


def write(path, tensors):
    write_safetensors(path, {name: stored(t) for name, t in tensors.items()})


def read(path):
    return {name: torch.frombuffer(bytearray(data), dtype=TYPES[kind]).reshape(shape)
            for name, (kind, shape, data) in read_safetensors(path).items()}


EXPERIMENT = """
seeds = [1]
[data]
use     = "kdhost.tensors"
batch   = {batch}
shuffle = false
params  = {{ train = "train.safetensors", test = "test.safetensors", classes = {classes} }}
[teacher]
use     = "{model}"
params  = {teacher}
weights = "teacher.safetensors"
[student]
use     = "{model}"
params  = {student}
weights = "student.safetensors"
[[loss]]
use    = "kdhost.cross_entropy"
weight = 0.3
[[loss]]
use    = "kdhost.kd"
weight = 0.7
params = {{ temperature = {temperature} }}
[optimizer]
{optimizer}
[train]
steps     = {steps}
log_steps = 1
precision = "fp64"
[baseline]
enabled = false
"""
OPTIMIZERS = {
    "sgd": ('use = "sgd"\nlr = 0.05\nmomentum = 0.9\nweight_decay = 5e-4',
            lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=5e-4)),
    "adam": ('use = "adam"\nlr = 1e-3\nweight_decay = 1e-4',
             lambda p: torch.optim.Adam(p, lr=1e-3, weight_decay=1e-4)),
}


def train(student, teacher, data, label, optimizer, steps):
    """The plain loop: what every tutorial writes. Losses of each step: cross-entropy, kd."""
    teacher.eval()
    student.train()
    losses = []
    batches = len(data) // BATCH
    for step in range(steps):
        at = (step % batches) * BATCH
        x, y = data[at : at + BATCH], label[at : at + BATCH]
        with torch.no_grad():
            t = F.softmax(teacher(x) / TEMPERATURE, 1)
        z = student(x)
        cross_entropy = F.cross_entropy(z, y)
        kd = F.kl_div(F.log_softmax(z / TEMPERATURE, 1), t, reduction="batchmean") * TEMPERATURE**2
        optimizer.zero_grad()
        (0.3 * cross_entropy + 0.7 * kd).backward()
        optimizer.step()
        losses.append({"cross_entropy": cross_entropy.item(), "kd": kd.item()})
    return losses


def compare(name, model, params, make, shape, steps, optimizer):
    torch.manual_seed(7)
    teacher, student = make[0](), make[1]()
    # A fresh batch norm has running statistics 0 and 1; a used one does not.
    for key, value in teacher.state_dict().items():
        if key.endswith("running_mean"):
            value.normal_(0, 0.1)
        elif key.endswith("running_var"):
            value.uniform_(0.5, 1.5)
    data = torch.rand(4 * BATCH, *shape)
    label = torch.arange(4 * BATCH) * 7 % CLASSES
    text, make_optimizer = OPTIMIZERS[optimizer]
    with Folder() as folder:
        write(folder / "train.safetensors", {"input": data, "label": label})
        write(folder / "test.safetensors", {"input": data[:BATCH], "label": label[:BATCH]})
        write(folder / "teacher.safetensors", teacher.state_dict())
        write(folder / "student.safetensors", student.state_dict())
        folder.write("pair.toml", EXPERIMENT.format(
            batch=BATCH, classes=CLASSES, model=model, teacher=params[0], student=params[1], temperature=TEMPERATURE,
            optimizer=text, steps=steps))
        folder.train("pair.toml", "--out", "run")
        logged = [line["terms"] for line in log_lines(folder / "run/metrics.jsonl") if "terms" in line]
        weights = read(folder / "run/seed-1/last.safetensors")
    losses = train(student, teacher, data, label, make_optimizer(student.parameters()), steps)
    if len(logged) != steps:
        fail(f"{name}: {len(logged)} steps are logged, expected {steps}")
    worst = 0.0
    for step, (ours, theirs) in enumerate(zip(logged, losses)):
        for term, value in theirs.items():
            difference = abs(ours[term]["value"] - value)
            if not difference <= TOLERANCE:
                fail(f"{name}: step {step + 1}, {term}: {ours[term]['value']!r}, PyTorch {value!r}")
            worst = max(worst, difference)
    worst_weight = 0.0
    for key, value in student.state_dict().items():
        difference = (weights[key] - value).abs().max().item()
        if not difference <= TOLERANCE:
            fail(f"{name}: {key} differs by {difference} from PyTorch's")
        worst_weight = max(worst_weight, difference)
    print(f"{name}: {steps} steps, largest difference of a loss {worst:.1e}, of a weight {worst_weight:.1e}")


for optimizer in OPTIMIZERS:
    compare(f"mlp pair, {optimizer}", "kdhost.mlp", ("{ hidden = [48, 48] }", "{ hidden = [16, 16] }"),
            (lambda: Mlp((36, 48, 48, CLASSES)), lambda: Mlp((36, 16, 16, CLASSES))), (1, 6, 6), 200, optimizer)
    compare(f"CIFAR ResNet pair, {optimizer}", "kdhost.cifar_resnet", ("{ depth = 14 }", "{ depth = 8 }"),
            (lambda: ResNet(14), lambda: ResNet(8)), (3, 16, 16), 20, optimizer)
