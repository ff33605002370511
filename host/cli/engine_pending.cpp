// SPDX-License-Identifier: MIT
#include "cli/engine.hpp"
namespace kdhost {
void inspect_file(const Options&) {}
void evaluate_loss(const Options&) {}
void evaluate(const Options&) {}
void compare_runs(const Options&) {}
void export_student(const Options&) {}
}
