#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Distillation as a careful readme-style PyTorch script does it: torchvision transforms on PIL images, DataLoader,
torch.optim, F.kl_div, a teacher under no_grad in evaluation mode, loss.item() at each step. One JSON line.

    pt_default.py --workload mlp|resnet --data FOLDER --weights FOLDER [--steps N] [--warm N] [--threads N]
"""
import argparse
import json

import common
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

# A torchvision built for another torch looks for two operators that nothing here uses, and cannot be imported without
# them. Where it does match torch, it brings them itself.
library = torch.library.Library("torchvision", "DEF")
for name in ("nms", "qnms"):
    try:
        library.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    except RuntimeError:
        pass

from PIL import Image
from torchvision import transforms


class Images(Dataset):
    """What torchvision.datasets.MNIST and CIFAR100 do for a sample: array, PIL image, transform."""

    def __init__(self, images, labels, transform):
        last = images if images.dim() == 3 else images.permute(0, 2, 3, 1).contiguous()
        self.images, self.labels, self.transform = last.numpy(), labels.tolist(), transform

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return self.transform(Image.fromarray(self.images[i])), self.labels[i]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--workload", required=True, choices=common.WORKLOADS)
    parser.add_argument("--data", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--warm", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    if a.workload == "mlp":
        steps = [transforms.ToTensor(), transforms.Normalize((common.MNIST_MEAN,), (common.MNIST_STD,))]
    else:
        steps = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(), transforms.ToTensor(),
                 transforms.Normalize(common.CIFAR_MEAN, common.CIFAR_STD)]
    train_data = common.images_of(a.workload, a.data, "train")
    test_data = common.images_of(a.workload, a.data, "test")
    train = Images(*train_data, transforms.Compose(steps))
    test = Images(*test_data, transforms.Compose(steps[-2:]))  # noqa: F841: held, as in a script that tests its student
    loader = DataLoader(train, batch_size=common.BATCH, shuffle=True, drop_last=True)
    teacher, student = common.load_networks(a.workload, a.weights)
    teacher.eval()
    student.train()
    if a.workload == "mlp":
        optimizer = torch.optim.Adam(student.parameters(), lr=1e-3)
    else:
        optimizer = torch.optim.SGD(student.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    t = common.TEMPERATURE[a.workload]
    clock, done = common.Clock(a.warm, a.steps), False
    while not done:
        for x, y in loader:
            with torch.no_grad():
                wanted = teacher(x)
            logits = student(x)
            hard = F.cross_entropy(logits, y)
            soft = F.kl_div(F.log_softmax(logits / t, 1), F.softmax(wanted / t, 1), reduction="batchmean") * t * t
            loss = common.WEIGHT_CE * hard + common.WEIGHT_KD * soft
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()
            done = clock.done()
            if done:
                break
    print(json.dumps(clock.result()), flush=True)


main()
