// SPDX-License-Identifier: MIT
// What is looked at after each call of a component: that inputs are as they were, and that results have the dtype,
// device, shape and graph that was promised. All of it together may cost 200 ns a call (tests/bench/abi_bench), so
// nothing here reads memory of tensors or waits for a device, but for the inputs of calls before training.
#pragma once

#include <ATen/core/Tensor.h>
#include <kdhost/abi.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kdhost {

class Outputs;
class Parts;

/// The version counters of a component's inputs, which operators that work in place raise. A write through a pointer
/// raises none: it is found where the contents are kept too.
class InputVersions {
 public:
  void note(std::span<const kdh_arg> inputs, bool contents = false);
  /// The port of the first input that was written to since note(); empty where none was.
  std::string_view changed(std::span<const kdh_arg> inputs) const;

 private:
  std::vector<std::uint32_t> versions_;
  std::vector<at::Tensor> contents_;  ///< empty where they are not kept
};

/// The port whose tensor `handle` is, not only in memory but as an object; empty where there is none.
std::string_view same_input(kdh_tensor handle, std::span<const kdh_arg> inputs);

/// A floating-point scalar on the device.
inline bool sound_value(const at::Tensor& value, at::Device device) {
  return value.defined() && value.dim() == 0 && value.is_floating_point() && value.device().type() == device.type();
}

/// True where none of the results, logits among them, has a gradient, though gradients are on and a part is trained.
bool lacks_gradient(const Outputs& out, const Parts& parts);

/// What results looked like when they first came, to see that they stay so: losses were made for these shapes.
class KnownResults {
 public:
  struct Fault {
    std::string what;
    std::string expected;
  };

  /// Compares with the first call, and keeps what is new. The number of rows may follow that of the inputs; while the
  /// other sizes of an input differ from those of its first call, sizes are not compared.
  std::optional<Fault> fault(const Outputs& out, std::span<const kdh_arg> inputs, at::Device device);

 private:
  struct Result {
    std::string name;
    std::vector<std::int64_t> sizes;
    at::ScalarType dtype;
    bool has_rows;  ///< as many as the input
  };

  bool same_input_sizes(std::span<const kdh_arg> inputs);
  Result& known(std::size_t position, const std::string& name, const at::Tensor& value, std::int64_t rows);

  std::vector<Result> results_;
  std::vector<std::int64_t> input_sizes_;  ///< of the first input, rows and all
};

}  // namespace kdhost
