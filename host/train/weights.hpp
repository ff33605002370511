// SPDX-License-Identifier: MIT
// Bringing trained weights from a safetensors file into a model's parts: by exact name, after renaming, or only those
// that match patterns. Every missing, unexpected and misshapen tensor is listed before anything is copied.
#pragma once

#include <string>
#include <vector>

#include "config/experiment.hpp"
#include "tensor/parts.hpp"

namespace kdhost {

/// `load` empty: every part must be in the file and every tensor of the file must be a part. Otherwise only parts whose
/// names match a pattern (* and ?) are taken, and those must be there. A `num_batches_tracked` that is absent is no
/// missing name: older files have none, and nothing depends on it. Error (data) at `path.place` otherwise; then no part
/// was changed.
void load_weights(Parts& parts, const Path& path, const std::vector<Rename>& rename, const std::vector<Text>& load,
                  const std::string& owner);

/// True when `text` matches `pattern`, in which * stands for any characters and ? for one.
bool matches(const std::string& pattern, const std::string& text);

}  // namespace kdhost
