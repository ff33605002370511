// SPDX-License-Identifier: MIT
// Carries a precompiled header that several targets share; it has no code of its own.
