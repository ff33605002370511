// SPDX-License-Identifier: MIT
// kdhost.normalize: subtracts a mean and divides by a standard deviation, per channel; the same for training and
// evaluation.
#pragma once
#include "image_batch.hpp"

namespace kdhost::plugins {

struct Normalize final : Transform {
  static void describe(Spec& s) {
    s.id("kdhost.normalize").version("1.0.0").summary("(input - mean) / std for each channel").fixed();
    s.source("torchvision's Normalize");
    s.details("Channel k (dimension 1) becomes (input - mean[k]) / std[k]; a list of one number serves all channels.");
    s.recipe(
        "[[data.transform]]\nuse    = \"kdhost.normalize\"\n"
        "params = { mean = [0.485, 0.456, 0.406], std = [0.229, 0.224, 0.225] }\n");
    s.numbers("mean").required().doc("one number for each channel, or one for all");
    s.numbers("std").above(0).required().doc("one number for each channel, or one for all");
    s.input(kInputPort).doc("[N, C, ...] floating point");
  }

  explicit Normalize(const Params& p) : mean_(p.numbers("mean")), std_(p.numbers("std")) {}

  void apply(const Call& c) override {
    const Tensor x = c[kInputPort];
    if (x.dim() < 2 || !is_floating(x.dtype()))
      throw std::invalid_argument(std::string("'") + kInputPort + "' is " + to_string(x.shape()) + " " +
                                  name_of(x.dtype()) +
                                  ", expected [N, C, ...] in floating point. Give the data set a scale, which makes "
                                  "floating-point numbers of bytes.");
    const std::int64_t channels = x.size(1);
    const std::vector<double> mean = spread(mean_, channels, "mean"), std = spread(std_, channels, "std");
    const auto memory = x.dim() == 4 ? pixel_memory(x) : std::nullopt;
    if (memory) {
      c.emit(kInput, normalized_in_memory(x, *memory, mean, std));
      return;
    }
    Shape shape(static_cast<std::size_t>(x.dim()), 1);
    shape[1] = channels;
    c.emit(kInput, (x - Tensor::of(mean, shape, x).to(x.dtype())) / Tensor::of(std, shape, x).to(x.dtype()));
  }

 private:
  static std::vector<double> spread(const std::vector<double>& list, std::int64_t channels, const char* name) {
    if (list.size() != 1 && static_cast<std::int64_t>(list.size()) != channels)
      throw std::invalid_argument(std::string("parameter '") + name + "' has " + std::to_string(list.size()) +
                                  " numbers, expected 1 or " + std::to_string(channels) +
                                  ", the channels of the input");
    return list.size() == 1 ? std::vector<double>(static_cast<std::size_t>(channels), list[0]) : list;
  }

  static Tensor normalized_in_memory(const Tensor& x, const PixelMemory& m, const std::vector<double>& mean,
                                     const std::vector<double>& std) {
    const Tensor result = empty_as(x, m);
    const float* in = x.data<float>();
    float* out = result.mutable_data<float>();
    const std::vector<float> means(mean.begin(), mean.end()), stds(std.begin(), std.end());
    const std::int64_t plane = m.height * m.row();
    parallel_for(m.samples * m.planes, 32, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t p = begin; p < end; ++p) {
        const float* from = in + p * plane;
        float* to = out + p * plane;
        // Channels last: one plane an image, and the channel changes from number to number.
        const auto first = static_cast<std::size_t>(p % m.planes), numbers = static_cast<std::size_t>(m.pixel);
        if (numbers == 1) {
          const float a = means[first], b = stds[first];
          for (std::int64_t i = 0; i < plane; ++i) to[i] = (from[i] - a) / b;
        } else {
          for (std::int64_t i = 0; i < plane; i += m.pixel)
            for (std::size_t k = 0; k < numbers; ++k)
              to[static_cast<std::size_t>(i) + k] = (from[static_cast<std::size_t>(i) + k] - means[k]) / stds[k];
        }
      }
    });
    return result;
  }

  std::vector<double> mean_, std_;
};

}  // namespace kdhost::plugins
