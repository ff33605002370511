// SPDX-License-Identifier: MIT
// The plugin kdhost.datasets: everything in this folder. Step 2 in the life of a batch: a data set hands over samples
// by number.
#include "cifar.hpp"
#include "idx_data.hpp"
#include "mnist.hpp"
#include "synthetic.hpp"
#include "tensor_files.hpp"
#include "trec.hpp"

using namespace kdhost::plugins;

KDHOST_PLUGIN("kdhost.datasets", "1.0.0", Mnist, FashionMnist, Idx, Cifar10, Cifar100, TensorFiles, Synthetic, Trec)
