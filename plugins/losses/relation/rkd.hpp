// SPDX-License-Identifier: MIT
//
// kdhost.rkd: relational knowledge distillation, distances and angles between samples.
//   Park, Kim, Lu, Cho, CVPR 2019, arXiv 1904.05068
//
//   d_ij = sqrt(max(|e_i|^2 + |e_j|^2 - 2 e_i.e_j, 1e-12)), 0 on the diagonal;  D = d / mean of the entries > 0
//   v_ij = norm(e_j - e_i);  A_ijk = v_ij . v_ik
//   L    = w_d mean over N^2 of smooth_l1(D_s - D_t) + w_a mean over N^3 of smooth_l1(A_s - A_t)
//
// Variants  "author" (default) = RepDistiller, mdistiller, torchdistill. "mmrazor": embeddings scaled to unit L2 per
//           sample first.
// Embedding widths may differ. One sample gives 0, and so do two (one distance, scaled to 1).
// Memory    the angles are N^3 numbers: they are made anchor by anchor, value and gradient together, and thrown away
//           (on the CPU from products of the embeddings, rkd_relations.hpp); the gradient can be taken once only.
#pragma once
#include "rkd_relations.hpp"

namespace kdhost::plugins {

struct RelationalKd final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.rkd")
        .version("1.0.0")
        .summary("relational distillation: distances and angles between the samples of a batch");
    s.source(
        "Park, Kim, Lu, Cho, Relational Knowledge Distillation, CVPR 2019, arXiv 1904.05068; default = RepDistiller");
    s.details(
        "w_d mean smooth_l1(D_s - D_t) over N^2 + w_a mean smooth_l1(A_s - A_t) over N^3; D are distances divided by "
        "their mean, A the "
        "cosines at each sample between the directions to two others. variant = \"mmrazor\" scales embeddings to unit "
        "length first. "
        "Widths may differ. Batches of one or two samples give 0. A part whose weight is 0 is not computed. Reports "
        "the "
        "sub-terms distance and angle, without their weights. The angle "
        "part's gradient "
        "can be taken once only (create_graph is refused).");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.rkd\"\nweight = 1.0\n"
        "inputs = { student = [\"embedding\"], teacher = [\"embedding\"] }\n");
    s.number("distance_weight", 25.0).at_least(0.0).doc("weight of the distances").schedulable();
    s.number("angle_weight", 50.0).at_least(0.0).doc("weight of the angles").schedulable();
    s.choice("variant", {"author", "mmrazor"}).doc("mmrazor: unit length first");
    s.inputs("student.features").doc("embeddings [N, D]; maps are flattened");
    s.inputs("teacher.features").doc("as many, in the same order; D may differ");
  }

  explicit RelationalKd(const Params& p) : unit_length_(p.text("variant") == "mmrazor") {}

  Tensor compute(const Call& c) override {
    const double distance_weight = c.number("distance_weight"), angle_weight = c.number("angle_weight");
    Tensor sum;
    Parts parts;
    for (const TapPair& p : tap_pairs(c)) {
      Tensor s = p.student.reshape({p.student.size(0), -1});
      Tensor t = p.teacher.reshape({p.teacher.size(0), -1});
      if (s.size(0) < 3) warn_("a batch of one or two samples has no relations to compare: the loss is 0 there");
      if (unit_length_) {
        s = normalize(s);
        t = normalize(t);
      }
      if (s.size(0) == 1 || (distance_weight == 0 && angle_weight == 0)) {
        accumulate(sum, s.sum() * 0.0);
        continue;
      }
      s = s.contiguous();
      t = t.contiguous();
      if (fits_row_kernel(s)) {
        const RkdWeights weights{distance_weight, angle_weight};
        accumulate(sum, on_cpu(c, s, t, weights, parts));
        continue;
      }
      if (distance_weight > 0) {
        const Tensor value = smooth_l1_loss(distances(s), distances(t));
        accumulate(parts.distance, value);
        accumulate(sum, value * distance_weight);
      }
      if (angle_weight > 0) {
        const Tensor value = angles(s, t);
        accumulate(parts.angle, value);
        accumulate(sum, value * angle_weight);
      }
    }
    if (parts.distance) c.report("distance", parts.distance);
    if (parts.angle) c.report("angle", parts.angle);
    return sum;
  }

 private:
  /// Without their weights, for reports.
  struct Parts {
    Tensor distance, angle;
  };

  static Tensor on_cpu(const Call& c, const Tensor& s, const Tensor& t, RkdWeights weights, Parts& parts) {
    const bool wants_gradient = grad_enabled() && s.requires_grad();
    const std::int64_t n = s.size(0);
    const RkdResult result =
        s.dtype() == Dtype::f32
            ? rkd_relations(s.data<float>(), s.size(1), t.data<float>(), t.size(1), n, weights, wants_gradient)
            : rkd_relations(s.data<double>(), s.size(1), t.data<double>(), t.size(1), n, weights, wants_gradient);
    if (c.wants("distance")) {
      if (weights.distance > 0) accumulate(parts.distance, Tensor::of<double>({result.distance}, {}));
      if (weights.angle > 0) accumulate(parts.angle, Tensor::of<double>({result.angle}, {}));
    }
    return relation_value("kdhost.rkd", s, result, /*centred=*/true);
  }

  // Elsewhere from operators.
  static Tensor distances(const Tensor& e) {
    const std::int64_t n = e.size(0);
    const Tensor squares = square(e).sum({1});
    const Tensor d = sqrt(clamp_min(squares.unsqueeze(1) + squares.unsqueeze(0) - matmul(e, e.t()) * 2.0, 1e-12));
    const Tensor apart = d * (1.0 - eye(n, e.dtype(), e));
    // Off the diagonal every entry is at least 1e-6, so the entries > 0 are exactly these.
    return apart / (apart.sum() / static_cast<double>(n * (n - 1)));
  }

  struct Directions {
    Tensor unit;            ///< [N, D]: from the anchor to each sample, length 1, or 0 where they coincide
    Tensor inverse_length;  ///< [N, 1]; 0 where they coincide, so that no gradient goes through
  };
  static Directions directions(const Tensor& e, std::int64_t anchor) {
    const Tensor difference = e - e.narrow(0, anchor, 1);
    const Tensor length = vector_norm(difference, 2, 1, true);
    const Tensor inverse = where(gt(length, 0.0), reciprocal(clamp_min(length, 1e-12)), zeros_like(length));
    return {difference * inverse, inverse};
  }

  static Tensor angles(const Tensor& s, const Tensor& t) {
    const bool wants_gradient = grad_enabled() && s.requires_grad();
    const Tensor e = s.detach();
    const std::int64_t n = e.size(0);
    const double share = 1.0 / (static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(n));
    Tensor value, gradient, at_anchors;
    std::vector<Tensor> anchor_rows;
    {
      const NoGrad off;
      for (std::int64_t i = 0; i < n; ++i) {
        const Directions v = directions(e, i);
        const Tensor u = directions(t, i).unit;
        const Tensor difference = matmul(v.unit, v.unit.t()) - matmul(u, u.t());
        accumulate(value, smooth_l1_loss(difference, zeros_like(difference), Reduction::sum));
        if (!wants_gradient) continue;
        // d smooth_l1 = clamp(difference, -1, 1), symmetric in j and k: through A = v v^T it reaches v twice.
        const Tensor to_unit = matmul(clamp(difference, -1.0, 1.0), v.unit) * (2.0 * share);
        const Tensor along = (to_unit * v.unit).sum({1}, true);
        const Tensor to_difference = (to_unit - v.unit * along) * v.inverse_length;
        accumulate(gradient, to_difference);
        anchor_rows.push_back(to_difference.sum({0}));
      }
      value = value * share;
      if (wants_gradient) gradient = gradient - stack(anchor_rows);
    }
    if (!wants_gradient) return value;
    return custom_grad("kdhost.rkd", KnownGradient{std::move(value), std::move(gradient)}, {s});
  }

  bool unit_length_;
  WarnOnce warn_;
};

}  // namespace kdhost::plugins
