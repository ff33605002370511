# SPDX-License-Identifier: MIT
"""What the peer scripts share: data, networks, weights, the clock. The networks are the plain ones, with the names that
kdhost gives their parameters, so that both programs read the same weights."""
import collections
import gzip
import json
import math
import os
import struct
import sys
import time

STARTED = float(os.environ.get("PEER_STARTED", "0")) or time.time()  # the clock of whoever started this process

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

MNIST_MEAN, MNIST_STD = 0.1307, 0.3081
CIFAR_MEAN, CIFAR_STD = (0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)
BATCH = 64
WEIGHT_CE, WEIGHT_KD = 0.1, 0.9
TEMPERATURE = {"mlp": 5.0, "resnet": 4.0}
WORKLOADS = tuple(TEMPERATURE)


def idx(folder, name):
    for path in (os.path.join(folder, name + ".gz"), os.path.join(folder, name)):
        if os.path.exists(path):
            with gzip.open(path) if path.endswith(".gz") else open(path, "rb") as f:
                raw = f.read()
            sizes = struct.unpack(f">{raw[3]}I", raw[4 : 4 + 4 * raw[3]])
            return torch.from_numpy(np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(sizes).copy())
    sys.exit(f"{name} is not in {folder}")


def images_of(workload, data, split):
    """Images as bytes and labels as int64 of "train" or "test"."""
    if workload == "mlp":
        folder, name = os.path.join(data, "mnist"), {"train": "train", "test": "t10k"}[split]
        return idx(folder, name + "-images-idx3-ubyte"), idx(folder, name + "-labels-idx1-ubyte").long()
    rows = np.fromfile(os.path.join(data, "cifar-100-binary", split + ".bin"), np.uint8).reshape(-1, 3074)
    return torch.from_numpy(rows[:, 2:].reshape(-1, 3, 32, 32).copy()), torch.from_numpy(rows[:, 1].astype(np.int64))


def perceptron(*widths):
    layers = [("flatten", nn.Flatten())]
    for i, (before, behind) in enumerate(zip(widths, widths[1:]), 1):
        layers.append((f"fc{i}", nn.Linear(before, behind)))
        if i < len(widths) - 1:
            layers.append((f"relu{i}", nn.ReLU()))
    return nn.Sequential(collections.OrderedDict(layers))


class Block(nn.Module):
    def __init__(self, before, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut = None
        if stride != 1 or before != width:
            self.shortcut = nn.Sequential(nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        y += x if self.shortcut is None else self.shortcut(x)
        return F.relu(y, inplace=True)


class ResNet(nn.Module):
    """CIFAR ResNet of 6n + 2 layers with 1x1 shortcuts (option B)."""

    def __init__(self, depth, classes=100):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        before = 16
        for stage, width in enumerate((16, 32, 64)):
            blocks = []
            for i in range((depth - 2) // 6):
                blocks.append(Block(before, width, 2 if stage and not i else 1))
                before = width
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        self.linear = nn.Linear(64, classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(F.adaptive_avg_pool2d(x, 1).flatten(1))


def networks(workload):
    """Teacher and student."""
    if workload == "mlp":
        return perceptron(784, 1200, 1200, 10), perceptron(784, 200, 200, 10)
    return ResNet(56), ResNet(20)


def normalized(workload, images):
    """float32, in torchvision's order: divide by 255, subtract the mean, divide by the deviation."""
    x = images.float().div_(255)
    if workload == "mlp":
        return x.sub_(MNIST_MEAN).div_(MNIST_STD)
    return x.sub_(torch.tensor(CIFAR_MEAN).view(3, 1, 1)).div_(torch.tensor(CIFAR_STD).view(3, 1, 1))


def write_weights(path, network):
    """A safetensors file: length of the header, the header as JSON, the bytes of all tensors."""
    header, data = {}, b""
    for name, tensor in network.state_dict().items():
        if tensor.dtype != torch.float32:
            continue  # batch norm's counter of batches
        raw = tensor.contiguous().numpy().tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def load_networks(workload, folder):
    """Teacher and student with the weights that kdhost gets too."""
    pair = networks(workload)
    for network, name in zip(pair, ("teacher", "student")):
        with open(os.path.join(folder, f"{workload}-{name}.safetensors"), "rb") as f:
            raw = f.read()
        (length,) = struct.unpack("<Q", raw[:8])
        state = network.state_dict()
        for key, entry in json.loads(raw[8 : 8 + length]).items():
            at, count = 8 + length + entry["data_offsets"][0], math.prod(entry["shape"])
            values = np.frombuffer(raw, np.float32, count, at).reshape(entry["shape"])
            state[key].copy_(torch.from_numpy(values.copy()))
    return pair


class Clock:
    """Times steps: the first `warm` are left out, `count` are measured."""

    def __init__(self, warm, count):
        self.warm, self.count = warm, count
        self.first, self.stamps = None, []

    def done(self):
        """To be called after each step; true at the end."""
        now = time.perf_counter()
        if self.first is None:
            self.first = time.time() - STARTED
        self.stamps.append(now)
        return len(self.stamps) >= self.warm + self.count

    def result(self):
        steps = np.diff(self.stamps[self.warm - 1 :])
        return {
            "images_per_second": BATCH * len(steps) / float(steps.sum()),
            "step_ms": float(np.median(steps)) * 1e3,
            "p99_ms": float(np.percentile(steps, 99)) * 1e3,
            "first_step_seconds": self.first,
        }
