#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The fastest distillation script we could write in PyTorch without writing kernels. One JSON line.

    pt_best.py --workload mlp|resnet --data FOLDER --weights FOLDER [--steps N] [--warm N] [--threads N] [switches]

Always: data in memory as tensors, batches by indexing, channels_last for convolutions, teacher under inference_mode, no
.item(), zero_grad(set_to_none), the garbage collector off.
The same mathematics:
    --fused 0|1      the optimizer's fused kernel (default 1)
    --heap           glibc keeps freed memory
    --prec medium    float32 matrix products by oneDNN; machine.py tells whether they still are float32
    --fold           batch norms of the teacher folded into its convolutions
    --compile PART   none, teacher, net (student and loss) or all, by torch.compile
    --chunk K        the teacher runs over K batches at once
    --manual         mlp: the student's gradient written out with products into ready tensors, no autograd
Other mathematics, the same accuracy:
    --bf16           the teacher in bfloat16
    --cache          the teacher's logits computed before; resnet: of --views K fixed augmentations of each image
Beside these:
    --losses N       no augmentation, samples in order, and the first N losses are printed instead of times
    --lr RATE        learning rate; default 1e-3 for mlp, 0.05 for resnet
"""
import argparse
import gc
import json
import os
import sys

if "--heap" in sys.argv and "MALLOC_TRIM_THRESHOLD_" not in os.environ:  # read when the process starts
    os.environ.update(MALLOC_TRIM_THRESHOLD_="4294967296", MALLOC_MMAP_THRESHOLD_="4294967296",
                      MALLOC_TOP_PAD_="67108864")
    os.execv(sys.executable, [sys.executable] + sys.argv)

import common
import torch
import torch.nn.functional as F


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--workload", required=True, choices=common.WORKLOADS)
    parser.add_argument("--data", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--warm", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--fused", type=int, default=1)
    parser.add_argument("--heap", action="store_true")
    parser.add_argument("--prec", default="highest")
    parser.add_argument("--fold", action="store_true")
    parser.add_argument("--compile", default="none", choices=("none", "teacher", "net", "all"))
    parser.add_argument("--chunk", type=int, default=1)
    parser.add_argument("--manual", action="store_true")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--cache", action="store_true")
    parser.add_argument("--views", type=int, default=1)
    parser.add_argument("--losses", type=int, default=0)
    parser.add_argument("--lr", type=float)
    return parser.parse_args()


def folded(network):
    from torch.nn.utils.fusion import fuse_conv_bn_eval as fuse

    nothing = torch.nn.Identity()
    network.conv1, network.bn1 = fuse(network.conv1, network.bn1), nothing
    for m in network.modules():
        if isinstance(m, common.Block):
            m.conv1, m.bn1, m.conv2, m.bn2 = fuse(m.conv1, m.bn1), nothing, fuse(m.conv2, m.bn2), nothing
            if m.shortcut is not None:
                m.shortcut = fuse(m.shortcut[0], m.shortcut[1])
    return network


class Crops:
    """Random crops (4 pixels of padding) and mirrored images of a batch by one gather from padded bytes."""

    def __init__(self, images, views, still):
        self.windows = F.pad(images, (4, 4, 4, 4)).unfold(2, 32, 1).unfold(3, 32, 1)  # [N, 3, 9, 9, 32, 32], no copy
        self.mean = torch.tensor(common.CIFAR_MEAN).view(1, 3, 1, 1) * 255
        self.factor = 1 / (torch.tensor(common.CIFAR_STD).view(1, 3, 1, 1) * 255)
        self.still = still
        self.fixed = [self.draw(len(images)) for _ in range(views)]

    def draw(self, n):
        if self.still:
            return torch.full((n,), 4), torch.full((n,), 4), torch.zeros(n, dtype=torch.bool)
        return torch.randint(0, 9, (n,)), torch.randint(0, 9, (n,)), torch.rand(n) < 0.5

    def __call__(self, rows, epoch):
        if self.fixed:
            y, x, mirrored = (values[rows] for values in self.fixed[epoch % len(self.fixed)])
        else:
            y, x, mirrored = self.draw(len(rows))
        batch = self.windows[rows, :, y, x]
        batch = torch.where(mirrored.view(-1, 1, 1, 1), batch.flip(3), batch).float()
        return batch.sub_(self.mean).mul_(self.factor).contiguous(memory_format=torch.channels_last)


class ByHand:
    """The perceptron's step with its gradient written out: no autograd, no allocation of large tensors."""

    def __init__(self, student, temperature):
        layers = [m for m in student if isinstance(m, torch.nn.Linear)]
        self.temperature = temperature
        self.weights, self.biases = [m.weight.data for m in layers], [m.bias.data for m in layers]
        self.values = [v for pair in zip(self.weights, self.biases) for v in pair]
        self.grads = [torch.empty_like(v) for v in self.values]
        self.first, self.second = ([torch.zeros_like(v) for v in self.values] for _ in range(2))
        self.counts = [torch.zeros(()) for _ in self.values]
        self.outputs = [torch.empty(common.BATCH, len(w)) for w in self.weights]
        self.deltas = [torch.empty(common.BATCH, len(w)) for w in self.weights]

    def __call__(self, x, labels, wanted):
        last = len(self.weights) - 1
        inputs = [x] + self.outputs[:-1]
        for i, (weight, bias, out) in enumerate(zip(self.weights, self.biases, self.outputs)):
            torch.addmm(bias, inputs[i], weight.t(), out=out)
            if i < last:
                out.relu_()
        logits, t = self.outputs[last], self.temperature
        delta = torch.softmax(logits, 1)
        delta.scatter_add_(1, labels.unsqueeze(1), torch.full_like(logits[:, :1], -1.0))
        delta.mul_(common.WEIGHT_CE / common.BATCH)
        soft = torch.softmax(logits / t, 1).sub_(torch.softmax(wanted / t, 1))
        delta.add_(soft, alpha=common.WEIGHT_KD * t / common.BATCH)
        for i in range(last, -1, -1):
            torch.mm(delta.t(), inputs[i], out=self.grads[2 * i])
            torch.sum(delta, 0, out=self.grads[2 * i + 1])
            if i > 0:
                torch.mm(delta, self.weights[i], out=self.deltas[i - 1])
                delta = torch.ops.aten.threshold_backward(self.deltas[i - 1], inputs[i], 0)
        torch._foreach_add_(self.counts, 1)
        torch._fused_adam_(self.values, self.grads, self.first, self.second, [], self.counts, lr=1e-3, beta1=0.9,
                           beta2=0.999, weight_decay=0.0, eps=1e-8, amsgrad=False, maximize=False)


class WithAutograd:
    def __init__(self, student, temperature, a):
        self.student, self.temperature = student, temperature
        if a.workload == "mlp":
            self.optimizer = torch.optim.Adam(student.parameters(), lr=a.lr or 1e-3, fused=bool(a.fused))
        else:
            self.optimizer = torch.optim.SGD(student.parameters(), lr=a.lr or 0.05, momentum=0.9, weight_decay=5e-4,
                                             fused=bool(a.fused))
        self.loss = torch.compile(self.eager_loss, dynamic=False) if a.compile in ("net", "all") else self.eager_loss

    def eager_loss(self, x, labels, wanted):
        logits, t = self.student(x), self.temperature
        soft = F.kl_div(F.log_softmax(logits / t, 1), F.softmax(wanted / t, 1), reduction="batchmean")
        return common.WEIGHT_CE * F.cross_entropy(logits, labels) + common.WEIGHT_KD * t * t * soft

    def __call__(self, x, labels, wanted):
        loss = self.loss(x, labels, wanted)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return loss.detach()


def frozen(teacher, a):
    """The teacher as a function images -> logits."""
    teacher = teacher.eval().requires_grad_(False)
    if a.fold:
        teacher = folded(teacher)
    if a.bf16:
        teacher = teacher.to(torch.bfloat16)
    call = teacher
    if a.compile in ("teacher", "all"):
        import torch._inductor.config as inductor

        inductor.freezing = True
        call = torch.compile(teacher, dynamic=False)

    @torch.inference_mode()
    def run(x):
        return call(x.to(torch.bfloat16)).float() if a.bf16 else call(x)

    return run


def main():
    a = arguments()
    torch.set_num_threads(a.threads)
    torch.set_float32_matmul_precision(a.prec)
    torch.manual_seed(1)
    images, labels = common.images_of(a.workload, a.data, "train")
    test = common.images_of(a.workload, a.data, "test")  # noqa: F841: held, as a script does that tests its student
    teacher, student = common.load_networks(a.workload, a.weights)
    if a.workload == "mlp":
        flat = common.normalized(a.workload, images).view(len(images), -1)

        def batch(rows, epoch):
            return flat[rows]

    else:
        teacher, student = (network.to(memory_format=torch.channels_last) for network in (teacher, student))
        batch = Crops(images, a.views if a.cache else 0, bool(a.losses))
    run = frozen(teacher, a)
    temperature = common.TEMPERATURE[a.workload]
    step = ByHand(student, temperature) if a.manual else WithAutograd(student, temperature, a)
    stored = None
    if a.cache and a.workload == "mlp":
        stored = [torch.cat([run(rows) for rows in flat.split(1000)])]
    elif a.cache:  # their values do not matter for speed, and computing them takes minutes
        stored = [torch.randn(len(labels), 100) for _ in range(a.views)]

    def stream():
        """Images, labels and teacher's logits of whole batches, epoch after epoch."""
        epoch = 0
        while True:
            order = torch.arange(len(labels)) if a.losses else torch.randperm(len(labels))
            for many in order.split(common.BATCH * a.chunk):
                x, y = batch(many, epoch), labels[many]
                wanted = stored[epoch % len(stored)][many] if stored else run(x).clone()
                for k in range(0, len(many) - common.BATCH + 1, common.BATCH):
                    yield tuple(values[k : k + common.BATCH] for values in (x, y, wanted))
            epoch += 1

    student.train()
    if a.losses:
        losses = [step(*fed).item() for fed, _ in zip(stream(), range(a.losses))]
        print(json.dumps({"losses": losses}), flush=True)
        return
    clock = common.Clock(a.warm, a.steps)
    gc.collect()
    gc.freeze()
    gc.disable()
    for fed in stream():
        step(*fed)
        if clock.done():
            break
    print(json.dumps(clock.result()), flush=True)


main()
