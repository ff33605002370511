// SPDX-License-Identifier: MIT
// kdhost.synthetic; see synthetic.hpp. Each sample is drawn from a stream of its own, so it depends on the seed, the
// split and its number alone: more samples do not change those there were.
#include "synthetic.hpp"

#include <algorithm>

namespace kdhost::plugins {
namespace {

constexpr double kMiddle = 0.5, kContrast = 0.2;

// The key of a stream: unrelated for related numbers.
std::uint64_t key(std::uint64_t seed, std::uint64_t purpose, std::uint64_t number) {
  return Stream(Stream(Stream(seed).bits() ^ purpose).bits() ^ number).bits();
}

}  // namespace

void Synthetic::describe(Spec& s) {
  s.id("kdhost.synthetic").version("1.0.0").summary("made-up images of classes that can be learned; needs no files");
  s.source("our own definition: Gaussian clusters around one random prototype a class");
  s.details(
      "prototype_k ~ N(0, 1) for each class k;  input = clip(0.5 + 0.2 (prototype_k + noise e), 0, 1), e ~ N(0, 1);\n"
      "label = sample number mod classes. Fields: input float32 of the given shape, label int64 []. A function of the "
      "seed\n"
      "alone; test and validation samples have the same prototypes and their own noise.");
  s.recipe(
      "[data]\nuse    = \"kdhost.synthetic\"\nbatch  = 32\nparams = { classes = 4, samples = 512, noise = 1.0 }\n");
  s.integer("classes", 10).range(1, 100000).doc("number of classes");
  s.integer("samples", 1000).at_least(1).doc("training samples");
  s.integer("validation_samples", 0).at_least(0).doc("validation samples");
  s.integer("test_samples", 200).at_least(0).doc("test samples");
  s.integers("shape", {1, 8, 8}).at_least(1).doc("shape of a sample, [C, H, W] or [D]");
  s.number("noise", 1.0).at_least(0).doc("standard deviation around the prototypes, whose own is 1");
  s.integer("seed", 0).at_least(0).doc("another seed gives other prototypes and samples");
}

Synthetic::Synthetic(const Params& p) {
  const Shape shape = p.integers("shape");
  std::int64_t size = 1;
  for (const std::int64_t d : shape) {
    if (shape.empty() || d > (std::int64_t{1} << 30) / size)
      throw std::invalid_argument("parameter 'shape' is " + to_string(shape) + "; expected less than 2^30 elements");
    size *= d;
  }
  info_.classes = p.integer("classes");
  info_.fields = {{"input", Dtype::f32, shape, 1.0}, {"label", Dtype::i64, {}, 1.0}};
  const auto seed = static_cast<std::uint64_t>(p.integer("seed"));
  std::vector<float> prototypes(static_cast<std::size_t>(info_.classes * size));
  for (std::size_t k = 0; k < static_cast<std::size_t>(info_.classes); ++k) {
    Stream stream(key(seed, 3, k));  // 0 to 2 are the splits
    for (std::size_t j = 0; j < static_cast<std::size_t>(size); ++j)
      prototypes[k * static_cast<std::size_t>(size) + j] = static_cast<float>(stream.normal());
  }
  make(Split::train, p.integer("samples"), prototypes, p.number("noise"), seed);
  make(Split::validation, p.integer("validation_samples"), prototypes, p.number("noise"), seed);
  make(Split::test, p.integer("test_samples"), prototypes, p.number("noise"), seed);
}

void Synthetic::make(Split split, std::int64_t samples, const std::vector<float>& prototypes, double noise,
                     std::uint64_t seed) {
  if (samples == 0) return;
  const auto classes = static_cast<std::size_t>(info_.classes);
  const std::size_t size = prototypes.size() / classes;
  Column input{Bytes(static_cast<std::size_t>(samples) * size * sizeof(float)), 0};
  Column label{Bytes(static_cast<std::size_t>(samples) * sizeof(std::int64_t)), 0};
  auto* x = reinterpret_cast<float*>(input.memory.data());
  auto* y = reinterpret_cast<std::int64_t*>(label.memory.data());
  parallel_for(samples, 64, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      const std::size_t k = i % classes;
      Stream stream(key(seed, static_cast<std::uint64_t>(split), i));
      for (std::size_t j = 0; j < size; ++j) {
        const double v =
            kMiddle + kContrast * (static_cast<double>(prototypes[k * size + j]) + noise * stream.normal());
        x[i * size + j] = static_cast<float>(std::clamp(v, 0.0, 1.0));
      }
      y[i] = static_cast<std::int64_t>(k);
    }
  });
  std::vector<Column> columns;
  columns.push_back(std::move(input));
  columns.push_back(std::move(label));
  set_split(split, samples, std::move(columns));
}

}  // namespace kdhost::plugins
