// SPDX-License-Identifier: MIT
//
// Safetensors files as kdhost.tensors reads them. Every claim of the header is checked against the file before memory
// is taken for it, and nothing in a file is ever executed.
//
//   8 bytes     length of the header, least significant byte first
//   header      JSON: {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...},
//               and "__metadata__" with an object of texts
//   then        the elements of all tensors, without gap or overlap
#pragma once
#include "resident_data.hpp"

namespace kdhost::plugins {

struct SafetensorsEntry {
  std::string name;
  Dtype dtype = Dtype::f32;
  Shape shape;
  std::uint64_t begin = 0, end = 0;  ///< bytes in the file, counted from its first
};

/// The header, checked, in the order of the data. Throws DataError.
std::vector<SafetensorsEntry> read_safetensors_header(const DataFile& file);

/// The elements of one tensor.
Column read_safetensors_tensor(const DataFile& file, const SafetensorsEntry& entry);

}  // namespace kdhost::plugins
