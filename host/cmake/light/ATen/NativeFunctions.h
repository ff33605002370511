// SPDX-License-Identifier: MIT
// Found before LibTorch's header of this name, in our own files only. <ATen/ATen.h>, which headers of torch include,
// brings with it the kernels behind all operators, which only LibTorch's own sources call: 1,500 files that take
// seconds to read.
#pragma once
