// SPDX-License-Identifier: MIT
// A data set: points on noisy rings in the plane, one ring a class. Made in memory from a seed; one that reads files
// would find them with find_data, list them in DataInfo::files and throw DataError for a damaged one.
#include <kdhost/plugin.hpp>

#include <algorithm>
#include <cmath>
using namespace kdhost;

namespace {

class Rings final : public DataSet {
 public:
  static void describe(Spec& s) {
    s.id("example.rings").version("1.0.0").summary("points on noisy rings in the plane, one ring a class");
    s.integer("classes", 3).range(2, 100).doc("number of rings");
    s.integer("samples", 600).range(1, 10000000).doc("training samples; as many again are test samples");
    s.number("noise", 0.1).at_least(0.0).doc("standard deviation across the ring; rings are 1 apart");
    s.integer("seed", 0).at_least(0).doc("another seed gives other points");
  }

  explicit Rings(const Params& p) {
    const std::int64_t n = p.integer("samples");
    info_.samples = {n, 0, n};  // training, validation, test
    info_.classes = p.integer("classes");
    info_.fields = {{"input", Dtype::f32, {2}, 1.0}, {"label", Dtype::i64, {}, 1.0}};
    for (std::size_t split : {0u, 2u}) {
      for (std::int64_t i = 0; i < n; ++i) {
        // A stream for each sample: more samples do not change the first ones.
        Stream stream(static_cast<std::uint64_t>((p.integer("seed") * 3 + static_cast<std::int64_t>(split)) * n + i));
        const std::int64_t ring = i % info_.classes;
        const double angle = stream.uniform(0.0, 6.283185307179586);
        const double radius = static_cast<double>(ring + 1) + p.number("noise") * stream.normal();
        points_[split].push_back(static_cast<float>(radius * std::cos(angle)));
        points_[split].push_back(static_cast<float>(radius * std::sin(angle)));
        labels_[split].push_back(ring);
      }
    }
  }

  const DataInfo& info() const override { return info_; }

  /// One buffer a field, in the order of DataInfo::fields.
  void fetch(Split split, const std::int64_t* index, std::size_t n, void* const* out) const override {
    const auto s = static_cast<std::size_t>(split);
    auto* input = static_cast<float*>(out[0]);
    auto* label = static_cast<std::int64_t*>(out[1]);
    for (std::size_t i = 0; i < n; ++i) {
      const auto row = static_cast<std::size_t>(index[i]);
      std::copy_n(points_[s].data() + 2 * row, 2, input + 2 * i);
      label[i] = labels_[s][row];
    }
  }

  /// Everything lies in memory, so the host may gather the samples itself.
  const void* resident(Split split, std::size_t field) const override {
    const auto s = static_cast<std::size_t>(split);
    return field == 0 ? static_cast<const void*>(points_[s].data()) : labels_[s].data();
  }

 private:
  DataInfo info_;
  std::array<std::vector<float>, 3> points_;
  std::array<std::vector<std::int64_t>, 3> labels_;
};

}  // namespace

KDHOST_PLUGIN("example.rings", "1.0.0", Rings)
