// SPDX-License-Identifier: MIT
// For tests of transforms: one instance, images whose every pixel is different, keys of samples, and the streams they
// start.
#pragma once

#include <catch2/catch.hpp>

#include "base/stream.hpp"
#include "plugins/shipped_component.hpp"
#include "tensor/transform.hpp"

namespace kdhost::test {

/// Every number different, none of them 0, exact in float32.
inline at::Tensor images(int64_t n, int64_t channels = 3, int64_t height = 6, int64_t width = 5) {
  return (at::arange(n * channels * height * width, at::kFloat) + 1).reshape({n, channels, height, width});
}

/// Keys that depend on the seed and the sample's number, as the host's do.
inline std::vector<uint64_t> keys(int64_t n, uint64_t seed = 1, int64_t first = 0) {
  std::vector<uint64_t> list;
  for (int64_t i = first; i < first + n; ++i) list.push_back(Stream(seed, "test", static_cast<uint64_t>(i)).next64());
  return list;
}

/// The numbers of a sample's stream as the SDK defines them (SplitMix64), written out once more.
class ReferenceStream {
 public:
  explicit ReferenceStream(uint64_t key) : key_(key) {}
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1.0p-53; }
  int64_t integer(int64_t n) {
    // The high half of a 128-bit product; n < 2^32 here, so that two 64-bit products do.
    const uint64_t b = bits(), m = static_cast<uint64_t>(n);
    return static_cast<int64_t>(((b >> 32) * m + (((b & 0xffffffffu) * m) >> 32)) >> 32);
  }

 private:
  uint64_t bits() {
    uint64_t z = key_ + 0x9e3779b97f4a7c15u * ++count_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  uint64_t key_, count_ = 0;
};

class TransformCase {
 public:
  explicit TransformCase(const std::string& id, const Settings& settings = {}, int64_t classes = 0)
      : TransformCase(arguments(shipped("kdhost_transforms", id), settings), id, classes) {}
  TransformCase(Arguments params, const std::string& id, int64_t classes = 0)
      : component_(shipped("kdhost_transforms", id)),
        transform_(origin(component_, "kdhost_transforms", "data.transform.it"),
                   {std::move(params), {}, facts(classes)}) {}

  bool fixed() const { return transform_.fixed(); }

  /// The batch afterwards: input and label.
  std::pair<at::Tensor, at::Tensor> batch(const at::Tensor& input, const at::Tensor& label,
                                          const std::vector<uint64_t>& sample_keys) {
    const Outputs changed = apply(input, label, sample_keys);
    const at::Tensor x = changed["input"], y = changed["label"];
    return {x.defined() ? x : input, y.defined() ? y : label};
  }
  at::Tensor operator()(const at::Tensor& input, const std::vector<uint64_t>& sample_keys) {
    return batch(input, {}, sample_keys).first;
  }
  /// A field that it adds.
  at::Tensor field(const std::string& name, const at::Tensor& input) { return apply(input, {}, {})[name]; }

 private:
  Outputs apply(const at::Tensor& input, const at::Tensor& label, const std::vector<uint64_t>& sample_keys) {
    set("batch.input", input);
    if (label.defined()) set("batch.label", label);
    CallSettings settings;
    settings.sample_keys = sample_keys;
    settings.flags = KDH_CALL_TRAINING;
    Outputs changed;
    transform_.apply(settings, changed);
    return changed;
  }
  static Arguments facts(int64_t classes) {
    Arguments known;
    if (classes > 0) known.add("classes", classes);
    return known;
  }
  void set(std::string_view port, const at::Tensor& value) {
    const auto known = transform_.inputs().find(port);
    transform_.inputs().set(known ? *known : transform_.inputs().add(port), value);
  }
  const kdh_component& component_;
  TransformInstance transform_;
};

}  // namespace kdhost::test
