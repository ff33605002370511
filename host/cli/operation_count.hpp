// SPDX-License-Identifier: MIT
// Multiply-accumulate operations of a piece of work, counted while it runs: convolutions, matrix products, attention.
// Element-wise work is not counted, as usual.
#pragma once

#include <cstdint>
#include <functional>

namespace kdhost {

/// Runs `work` on this thread and returns how many multiply-accumulates it asked LibTorch for.
std::int64_t count_operations(const std::function<void()>& work);

}  // namespace kdhost
