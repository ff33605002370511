# SPDX-License-Identifier: MIT
"""weights.py DATA FOLDER: untrained weights of both pairs, once, for all programs that are compared; a teacher's values
do not matter for its speed. The batch norms of the ResNet teacher see a few batches: with the statistics they start
with, what goes through 56 layers grows without bound."""
import os
import sys

import common
import torch

data, folder = sys.argv[1:]
os.makedirs(folder, exist_ok=True)
torch.manual_seed(1)
for workload in common.WORKLOADS:
    teacher, student = common.networks(workload)
    if workload == "resnet":
        for module in teacher.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None  # the mean over all batches
        images = common.normalized(workload, common.images_of(workload, data, "train")[0][: 4 * common.BATCH])
        with torch.no_grad():
            for batch in images.split(common.BATCH):
                teacher(batch)
    common.write_weights(os.path.join(folder, f"{workload}-teacher.safetensors"), teacher)
    common.write_weights(os.path.join(folder, f"{workload}-student.safetensors"), student)
