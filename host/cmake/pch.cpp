// SPDX-License-Identifier: MIT
// Carries the precompiled header that every target using LibTorch shares; it has no code of its own.
