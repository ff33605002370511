// SPDX-License-Identifier: MIT
// Reads the plugin record out of a shared library without loading it. Every offset and size is checked against the
// file, because the file may be anything at all: it is looked at only since it lies in a plugin folder.
#pragma once

#include <filesystem>
#include <string>

namespace kdhost {

/// The text of ELF section .kdhost up to its first zero byte. Throws Error (exit 5) for a file that cannot be read, is
/// no shared library for this machine, is cut off, or has no such section.
std::string read_record_text(const std::filesystem::path& file);

}  // namespace kdhost
