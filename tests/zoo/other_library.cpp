// SPDX-License-Identifier: MIT
// A library that no plugin may need: needs_library.so of the zoo does.
extern "C" int zoo_other_library() { return 1; }
