// SPDX-License-Identifier: MIT
//
// kdhost.review: knowledge review, each teacher stage taught to what the student knows up to there.
//   Chen, Liu, Zhao, Jia, CVPR 2021, arXiv 2104.09044
//
//   hierarchical context loss (HCL), per tap: (mse(f) + sum_l w mse(pool_l f)) / (1 + sum w) for l in (4, 2, 1) with
//   l < H; w = 1/2, 1/4, 1/8 in the order of use; pool_l averages to l x l. L = sum over taps.
//
// Adaptor   attention-based fusion (ABF), from the deepest tap to the shallowest: x = conv 1x1 + batch norm to min(512,
//           channels of the deepest); behind the deepest: y = what was carried, up-sampled (nearest), z = sigmoid(conv
//           1x1 of [x, y] to 2 channels), x = x z_0 + y z_1; x resized (nearest) to the teacher's size where it differs
//           and carried on; conv 3x3 + batch norm of it is compared. Both convolutions without bias, kaiming uniform
//           with a = 1.
// Default = mdistiller; torchdistill gives the same HCL.
#pragma once
#include "../squared_difference.hpp"
#include "adaptors.hpp"

namespace kdhost::plugins {

struct KnowledgeReview final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.review").version("1.0.0").summary("knowledge review: fused student stages against the teacher's");
    s.source(
        "Chen, Liu, Zhao, Jia, Distilling Knowledge via Knowledge Review, CVPR 2021, arXiv 2104.09044; default = "
        "mdistiller");
    s.details(
        "Per tap (mse(f) + sum w mse(pool_l f)) / (1 + sum w), l in (4, 2, 1) where l < H, w = 1/2, 1/4, 1/8 in the "
        "order of use; summed over taps. adaptor = \"auto\" fuses the student's taps from the deepest to the "
        "shallowest (1x1 convolution, gate between own and carried features, 3x3 convolution to the teacher's "
        "channels); \"none\" compares the taps as they are. List the taps from shallow to deep; a pooled vector [N, D] "
        "counts as a 1x1 map. Reports each tap's mean squares, of the map itself and pooled (tap.0.map, tap.0.4, "
        "tap.0.2, tap.0.1).\n"
        "Trained: the fusion of the taps. State: its running statistics.");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.review\"\nweight = 1.0\n"
        "inputs = { student = [\"layer1\", \"layer2\", \"layer3\", \"embedding\"], teacher = [\"layer1.pre\", "
        "\"layer2.pre\", \"layer3.pre\", \"embedding\"] }\n\n"
        "[[schedule]]\ntarget = \"loss.review.weight\"\nuse = \"kdhost.linear\"\nparams = { from = 0.0, to = 1.0, "
        "epochs = 20 }\n");
    s.choice("adaptor", {"auto", "none"}).doc("auto: trained fusion of the student's taps; none: shapes must agree");
    s.inputs("student.features").doc("maps [N, C, H, W] from shallow to deep; a vector [N, D] counts as a 1x1 map");
    s.inputs("teacher.features").doc("as many, in the same order");
  }

  KnowledgeReview(const Params& p, const Ports& ports, Builder& b) {
    if (p.text("adaptor") == "none") return;
    const std::size_t taps = bound_pairs(ports);
    for (std::size_t i = 0; i < taps; ++i)
      for (const char* side : {"student", "teacher"})
        if (const std::size_t rank = ports.shape(tap_name(side, i)).size(); rank != 4 && rank != 2)
          refuse_ports(ports, i, "feature maps [N, C, H, W] or vectors [N, D]");
    const std::int64_t middle =
        taps == 0 ? 0 : std::min<std::int64_t>(512, ports.size(tap_name("student", taps - 1), 1));
    for (std::size_t i = 0; i < taps; ++i) {
      const Builder at = b.scope("fusion" + std::to_string(i));
      const std::int64_t in = ports.size(tap_name("student", i), 1), out = ports.size(tap_name("teacher", i), 1);
      Fusion f;
      f.reduce = conv_norm(at.scope("reduce"), in, middle, 1, kaiming_uniform(in));
      f.restore = conv_norm(at.scope("restore"), middle, out, 3, kaiming_uniform(9 * middle));
      if (i + 1 < taps) f.gate = at.conv2d("gate", 2 * middle, 2, 1);
      fusions_.push_back(std::move(f));
    }
  }

  Tensor compute(const Call& c) override {
    std::vector<TapPair> taps = tap_pairs(c);
    for (TapPair& p : taps) {
      for (Tensor* x : {&p.student, &p.teacher})
        if (x->dim() == 2) *x = x->reshape({x->size(0), x->size(1), 1, 1});
      need_maps(p);
    }
    if (!fusions_.empty()) fuse(c, taps);
    TapSum sum(c);
    for (const TapPair& p : taps) {
      need_equal_shapes(p, "; set adaptor = \"auto\"");
      sum.add(hierarchical(c, p));
    }
    return sum.value();
  }

 private:
  struct Fusion {
    ConvNorm reduce{}, restore{};
    nn::Conv2d gate{};
  };

  /// U(-sqrt(3 / fan in), sqrt(3 / fan in)).
  static Init kaiming_uniform(std::int64_t fan_in) {
    const double bound = std::sqrt(3.0 / static_cast<double>(fan_in));
    return Init::uniform(-bound, bound);
  }

  static Tensor resized(const Tensor& x, const Tensor& like) {
    const std::int64_t h = like.size(2), w = like.size(3);
    return x.size(2) == h && x.size(3) == w ? x : upsample_nearest2d(x, {h, w});
  }

  void fuse(const Call& c, std::vector<TapPair>& taps) const {
    Tensor carried;
    for (std::size_t i = taps.size(); i-- > 0;) {
      const Fusion& f = fusions_[i];
      Tensor x = f.reduce(c, taps[i].student);
      if (carried) {
        const Tensor y = resized(carried, x);
        const Tensor z = sigmoid(f.gate(c, cat({x, y}, 1)));
        x = x * z.narrow(1, 0, 1) + y * z.narrow(1, 1, 1);
      }
      carried = resized(x, taps[i].teacher);
      taps[i].student = f.restore(c, carried);
    }
  }

  static Tensor hierarchical(const Call& c, const TapPair& p) {
    const Tensor &s = p.student, &t = p.teacher;
    const std::string levels = "tap." + std::to_string(p.index) + ".";
    Tensor value = squared_difference(s, t);
    c.report(levels + "map", value);
    double weight = 1.0, total = 1.0;
    for (const std::int64_t level : {4, 2, 1}) {
      if (level >= s.size(2)) continue;
      weight /= 2;
      total += weight;
      const Tensor pooled = squared_difference(averaged_to(s, level, level), averaged_to(t, level, level));
      c.report(levels + std::to_string(level), pooled);
      value = value + pooled * weight;
    }
    return value / total;
  }

  std::vector<Fusion> fusions_;
};

}  // namespace kdhost::plugins
