// SPDX-License-Identifier: MIT
// The JSON header of a safetensors file: read strictly, without building a tree, so that hostile headers cost no more
// memory than honest ones.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/safetensors.hpp"

namespace kdhost {

struct SafetensorsHeader {
  std::vector<StoredTensor> tensors;  ///< in the order of their bytes
  Metadata metadata;
};

/// Parses the header and checks it against the number of bytes that follow it. Error (data) at `path`.
SafetensorsHeader parse_header(const std::string& path, std::string_view text, uint64_t data_bytes);

/// "F32" … for a dtype, or "" where the format has no name for it.
std::string_view stored_dtype_name(at::ScalarType dtype);

/// Throws Error (data) at `path`.
[[noreturn]] void refuse_file(const std::string& path, std::string what, std::string expected, std::string mend = {});

}  // namespace kdhost
