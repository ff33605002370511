// SPDX-License-Identifier: MIT
// A metric that walks through tensor memory: how often the student puts two classes in the same order as the teacher
// (1: always, 0: never; pairs that the teacher leaves equal do not count). No operator does this, a double loop does.
#include <kdhost/plugin.hpp>
using namespace kdhost;

namespace {

struct PairOrder final : Metric {
  static void describe(Spec& s) {
    s.id("example.pair_order").version("1.0.0").summary("share of class pairs in the teacher's order");
    s.input("student.logits").doc("[N, C]");
    s.input("teacher.logits").doc("[N, C]");
  }

  Tensor sums(const Call& c) override {
    // Raw memory is device memory: a metric may wait for the copy, a training step should not.
    const Tensor student = to_cpu(c["student.logits"]).to(Dtype::f64).contiguous();
    const Tensor teacher = to_cpu(c["teacher.logits"]).to(Dtype::f64).contiguous();
    const std::int64_t rows = student.size(0), classes = student.size(1);
    const double *s = student.data<double>(), *t = teacher.data<double>();
    double same = 0, pairs = 0;
    for (std::int64_t r = 0; r < rows; ++r, s += classes, t += classes) {
      for (std::int64_t i = 0; i < classes; ++i) {
        for (std::int64_t j = i + 1; j < classes; ++j) {
          if (t[i] == t[j]) continue;
          pairs += 1;
          same += (s[i] > s[j]) == (t[i] > t[j]) && s[i] != s[j] ? 1 : 0;
        }
      }
    }
    const Tensor out = Tensor::empty({2}, Dtype::f64);
    out.mutable_data<double>()[0] = same;
    out.mutable_data<double>()[1] = pairs;
    return out;
  }

  void result(const Call& c, const std::vector<double>& sums) override {
    c.emit_number("pair_order", sums[1] > 0 ? sums[0] / sums[1] : 0.0);
  }
};

}  // namespace

KDHOST_PLUGIN("example.raw_memory", "1.0.0", PairOrder)
