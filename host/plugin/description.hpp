// SPDX-License-Identifier: MIT
// Turns the live description of a loaded plugin into values, and checks it on the way: after this, the rest of the
// host may trust sizes, strides, names, types and the presence of every required function.
#pragma once

#include <kdhost/abi.h>

#include <filesystem>

#include "plugin/record.hpp"

namespace kdhost {

/// Element `index` of an array whose stride may be larger than the struct this host knows.
template <class T>
const T& element(const T* first, std::uint64_t index, std::uint64_t stride) {
  return *reinterpret_cast<const T*>(reinterpret_cast<const char*>(first) + index * stride);
}

/// Checks the whole description and returns it as values. Throws Error (exit 5) that names `file` and the component,
/// parameter or port at fault. `accepted_minor`: the newest ABI minor this host knows.
Record read_description(const kdh_plugin& plugin, const std::filesystem::path& file, std::uint32_t accepted_minor);

/// Throws Error (exit 5) where the record of the file and the live description contradict each other.
void compare_with_record(const Record& live, const Record& record, const std::filesystem::path& file);

}  // namespace kdhost
