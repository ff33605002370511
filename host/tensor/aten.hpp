// SPDX-License-Identifier: MIT
// ATen for the host and its tests: tensors with all their functions. <ATen/ATen.h> would bring as much again, above all
// IValue, which a file that needs it names itself; host/cmake/light keeps it out of the headers of the functions. Lists
// of tensors are joined by at::concat, since the argument of at::cat is made of it.
#pragma once

#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
