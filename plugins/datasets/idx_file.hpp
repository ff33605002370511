// SPDX-License-Identifier: MIT
//
// IDX files, plain or gzipped: the format of MNIST and its followers. Used by kdhost.idx, kdhost.mnist,
// kdhost.fashion_mnist.
//
//   byte 0, 1   zero
//   byte 2      element type: 0x08 uint8, 0x09 int8, 0x0b int16, 0x0c int32, 0x0d float32, 0x0e float64
//   byte 3      rank
//   4 * rank    sizes, 32 bits each, most significant byte first; the first counts the samples
//   then        the elements, last dimension fastest, most significant byte first
#pragma once
#include "resident_data.hpp"

namespace kdhost::plugins {

struct IdxArray {
  std::string path;
  Dtype dtype = Dtype::u8;
  Shape sizes;
  Column column;  ///< elements in the order of bytes of this machine

  std::int64_t samples() const { return sizes[0]; }
};

/// What a caller wants of a file; -1 = anything.
struct IdxWanted {
  int type = -1;  ///< byte 2
  int rank = -1;
  const char* what = "data";  ///< "images", "labels": for messages
};

/// Reads and checks the whole file. Throws DataError: not IDX, not gzip, truncated, longer than its header says, ...
IdxArray read_idx(const std::string& path, const IdxWanted& wanted);

/// Throws DataError unless there is one label for each sample.
void must_pair(const IdxArray& input, const IdxArray& labels);

/// Labels as int64, each in [0, classes); with classes = 0 any that is not negative. Throws DataError with the record.
Column labels_of(const IdxArray& labels, std::int64_t classes);

}  // namespace kdhost::plugins
