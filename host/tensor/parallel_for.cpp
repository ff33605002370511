// SPDX-License-Identifier: MIT
// kdh_host.parallel_for. In a file of its own because it must be compiled with OpenMP: LibTorch's loop is a header
// template that runs on one thread in a file compiled without.
#include <ATen/Parallel.h>

#include <algorithm>

#include "tensor/host_table.hpp"

namespace kdhost {

void parallel_for(const kdh_host*, int64_t begin, int64_t end, int64_t grain, kdh_range_fn fn, void* ctx) {
  if (end <= begin) return;
  at::parallel_for(begin, end, std::max<int64_t>(grain, 1), [&](int64_t first, int64_t last) { fn(ctx, first, last); });
}

}  // namespace kdhost
