// SPDX-License-Identifier: MIT
// KDHOST_FOR_VECTORS before a function of plain loops: it is compiled once for any x86-64 and once for AVX2, and the
// better one that the processor has is chosen when the program starts. Lowest layer.
#pragma once

// Sanitizers are not ready yet when the choice is made.
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define KDHOST_FOR_VECTORS __attribute__((target_clones("avx2", "default")))
#else
#define KDHOST_FOR_VECTORS
#endif
