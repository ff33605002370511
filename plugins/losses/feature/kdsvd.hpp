// SPDX-License-Identifier: MIT
//
// kdhost.kdsvd: singular vectors of the maps and how they change from tap to tap.
//   Lee, Kim, Song, ECCV 2018, arXiv 1807.06819
//
//   per tap and sample a matrix; right singular vectors V and values S. Teacher: the first k vectors, student: the
//   first k + 3. Each teacher vector takes the student vector of largest |cosine|, with the sign of that cosine. Both
//   are multiplied by the teacher's first k singular values, scaled to unit L2. Between consecutive taps a, b: R =
//   exp(-(v_a - v_b)^2 / 8) for all pairs of components; L = sum over the pairs of taps of sum (R_s - R_t)^2 / N
//
// Variants  "repdistiller" (default): the matrix is HW x C. "mdistiller": (C*H) x W, so the vectors have W components;
//           its code casts to float32, this one does not.
// The length of the vectors (channels, or widths) must agree on both sides. Gradients grow without bound for nearly
// equal singular values: the value stays finite, and a gradient that does not stops the run.
#pragma once
#include "../loss_inputs.hpp"

namespace kdhost::plugins {

struct SingularVectors final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.kdsvd").version("1.0.0").summary("singular vectors of the maps, and how they change between taps");
    s.source(
        "Lee, Kim, Song, Self-supervised Knowledge Distillation Using Singular Value Decomposition, ECCV 2018, arXiv "
        "1807.06819; default = RepDistiller");
    s.details(
        "Per tap and sample the first k right singular vectors of the teacher's matrix and, out of k + 3, the "
        "student's of largest |cosine| to each; multiplied by the teacher's singular values scaled to unit L2. "
        "Between consecutive taps R = exp(-(v_a - v_b)^2 / 8) for all pairs of components; sum (R_s - R_t)^2 / N. "
        "variant = \"repdistiller\": matrix HW x C; \"mdistiller\": (C*H) x W. Two or more taps a side. k + 3 must "
        "not exceed the smaller side of the matrix.");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.kdsvd\"\nweight = 1.0\n"
        "inputs = { student = [\"layer1\", \"layer2\", \"layer3\"], teacher = [\"layer1\", \"layer2\", \"layer3\"] "
        "}\n");
    s.integer("rank", 1).at_least(1).doc("k: singular vectors of the teacher");
    s.choice("variant", {"repdistiller", "mdistiller"}).doc("which matrix a map becomes");
    s.inputs("student.features").doc("maps [N, C, H, W], two or more, in the order of the layers");
    s.inputs("teacher.features").doc("as many, with the same channels (mdistiller: the same widths)");
  }

  explicit SingularVectors(const Params& p) : rank_(p.integer("rank")), rows_(p.text("variant") == "mdistiller") {}

  Tensor compute(const Call& c) override {
    const std::vector<TapPair> taps = tap_pairs(c);
    if (taps.size() < 2)
      throw std::invalid_argument(
          "'student.features' and 'teacher.features' have one tap each, expected two or more: the loss compares what "
          "happens between consecutive taps");
    Tensor sum;
    Aligned before;
    for (const TapPair& p : taps) {
      check(p);
      Aligned now = aligned(p);
      if (before.student)
        accumulate(sum, square(change(before.student, now.student) - change(before.teacher, now.teacher)).sum() /
                            static_cast<double>(p.student.size(0)));
      before = std::move(now);
    }
    return sum;
  }

 private:
  struct Aligned {
    Tensor student{}, teacher{};  ///< [N, length, k]
  };

  void check(const TapPair& p) const {
    need_maps(p);
    const std::int64_t length = rows_ ? 3 : 1;
    if (p.student.size(length) != p.teacher.size(length))
      refuse_pair(p, rows_ ? "maps of the same width" : "the same number of channels");
    const Shape s = matrix(p.student).shape(), t = matrix(p.teacher).shape();
    const std::int64_t smaller = std::min({s[1], s[2], t[1], t[2]});
    if (rank_ + 3 > smaller)
      refuse_pair(p, "matrices with both sides of at least rank + 3 = " + std::to_string(rank_ + 3) +
                         " (the smallest side is " + std::to_string(smaller) +
                         "): lower 'rank', or choose larger taps");
  }

  /// [N, HW, C] or [N, C*H, W]
  Tensor matrix(const Tensor& f) const {
    return rows_ ? f.reshape({f.size(0), -1, f.size(3)}) : f.flatten(2).transpose(1, 2);
  }

  Aligned aligned(const TapPair& p) const {
    const Svd t = linalg_svd(matrix(p.teacher), false), s = linalg_svd(matrix(p.student), false);
    const Tensor of_teacher = t.vh.narrow(1, 0, rank_), of_student = s.vh.narrow(1, 0, rank_ + 3);
    const Tensor cosines = bmm(of_student, of_teacher.transpose(1, 2));  // [N, k + 3, k]
    const Tensor best = argmax(abs(cosines.detach()), 1, true);          // [N, 1, k]
    const Tensor sign_of_best = sign(cosines.detach().gather(1, best)).transpose(1, 2);
    const Tensor rows = best.transpose(1, 2).expand({-1, -1, of_student.size(2)});
    const Tensor strength = normalize(t.s.narrow(1, 0, rank_)).unsqueeze(2);  // [N, k, 1]
    return {(of_student.gather(1, rows) * (sign_of_best * strength)).transpose(1, 2),
            (of_teacher * strength).transpose(1, 2)};
  }

  /// [N, length of a, length of b, k]
  static Tensor change(const Tensor& a, const Tensor& b) {
    return exp(square(a.unsqueeze(2) - b.unsqueeze(1)) * -0.125);
  }

  std::int64_t rank_;
  bool rows_;
};

}  // namespace kdhost::plugins
