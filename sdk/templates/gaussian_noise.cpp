// SPDX-License-Identifier: MIT
// A transform: Gaussian noise on the input, each sample from its own random stream, so that a sample's noise does not
// depend on the batch that it happens to be in.
#include <kdhost/plugin.hpp>
using namespace kdhost;

namespace {

struct GaussianNoise final : Transform {
  static void describe(Spec& s) {
    s.id("example.gaussian_noise").version("1.0.0").summary("adds Gaussian noise to the input");
    s.number("std", 0.1).at_least(0.0).doc("standard deviation of the noise").schedulable();
    s.input("batch.input").doc("[N, ...] floating point");
  }

  void apply(const Call& c) override {
    const Tensor x = c["batch.input"];
    const std::int64_t each = x.numel() / x.size(0);
    std::vector<double> noise(static_cast<std::size_t>(x.numel()));
    for (std::int64_t i = 0; i < x.size(0); ++i) {
      Stream stream = c.stream(i);
      for (std::int64_t k = 0; k < each; ++k) noise[static_cast<std::size_t>(i * each + k)] = stream.normal();
    }
    c.emit("input", x + Tensor::of(noise, x.shape(), x).to(x.dtype()) * c.number("std"));
  }
};

}  // namespace

KDHOST_PLUGIN("example.gaussian_noise", "1.0.0", GaussianNoise)
