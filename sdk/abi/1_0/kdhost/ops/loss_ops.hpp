// SPDX-License-Identifier: MIT
//
// kdhost/ops/loss_ops.hpp: the loss functions of PyTorch. Arguments follow ATen: the reduction comes before the rarer
// options. Part of <kdhost/ops.hpp>.
#pragma once
#include <kdhost/tensor.hpp>

namespace kdhost {
inline namespace v1 {

/// How the losses of single elements become the result. `batchmean` is the sum divided by the first size.
enum class Reduction { none, mean, sum, batchmean };

namespace detail {
/// ATen's number of a reduction; the division of batchmean is done by finish().
inline std::int64_t code(Reduction r) { return r == Reduction::none ? 0 : r == Reduction::mean ? 1 : 2; }
inline Tensor finish(Tensor loss, Reduction r, const Tensor& like) {
  static const Op div("aten::div", "Scalar");
  if (r != Reduction::batchmean) return loss;
  return div({{"self", loss}, {"other", static_cast<double>(like.size(0))}});
}
}  // namespace detail

/// Sum of target * (log target - self): self holds log-probabilities, target probabilities, or with log_target their
/// logarithms.
inline Tensor kl_div(const Tensor& self, const Tensor& target, Reduction reduction = Reduction::mean,
                     bool log_target = false) {
  static const Op op("aten::kl_div");
  return detail::finish(
      op({{"self", self}, {"target", target}, {"reduction", detail::code(reduction)}, {"log_target", log_target}}),
      reduction, self);
}
/// self: logits [N, C, ...]; target: classes int64 [N, ...], or probabilities shaped as self.
inline Tensor cross_entropy(const Tensor& self, const Tensor& target, const Tensor& weight = {},
                            Reduction reduction = Reduction::mean, std::int64_t ignore_index = -100,
                            double label_smoothing = 0.0) {
  static const Op op("aten::cross_entropy_loss");
  return detail::finish(op({{"self", self},
                            {"target", target},
                            {"weight", weight},
                            {"reduction", detail::code(reduction)},
                            {"ignore_index", ignore_index},
                            {"label_smoothing", label_smoothing}}),
                        reduction, self);
}
inline Tensor cross_entropy(const Tensor& self, const Tensor& target, Reduction reduction,
                            double label_smoothing = 0.0) {
  return cross_entropy(self, target, {}, reduction, -100, label_smoothing);
}
/// self: log-probabilities [N, C, ...]; target: classes int64 [N, ...].
inline Tensor nll_loss(const Tensor& self, const Tensor& target, const Tensor& weight = {},
                       Reduction reduction = Reduction::mean, std::int64_t ignore_index = -100) {
  static const Op op("aten::nll_loss_nd");
  return detail::finish(op({{"self", self},
                            {"target", target},
                            {"weight", weight},
                            {"reduction", detail::code(reduction)},
                            {"ignore_index", ignore_index}}),
                        reduction, self);
}
inline Tensor nll_loss(const Tensor& self, const Tensor& target, Reduction reduction) {
  return nll_loss(self, target, {}, reduction);
}
inline Tensor mse_loss(const Tensor& self, const Tensor& target, Reduction reduction = Reduction::mean) {
  static const Op op("aten::mse_loss");
  return detail::finish(op({{"self", self}, {"target", target}, {"reduction", detail::code(reduction)}}), reduction,
                        self);
}
inline Tensor l1_loss(const Tensor& self, const Tensor& target, Reduction reduction = Reduction::mean) {
  static const Op op("aten::l1_loss");
  return detail::finish(op({{"self", self}, {"target", target}, {"reduction", detail::code(reduction)}}), reduction,
                        self);
}
inline Tensor smooth_l1_loss(const Tensor& self, const Tensor& target, Reduction reduction = Reduction::mean,
                             double beta = 1.0) {
  static const Op op("aten::smooth_l1_loss");
  return detail::finish(
      op({{"self", self}, {"target", target}, {"reduction", detail::code(reduction)}, {"beta", beta}}), reduction,
      self);
}
inline Tensor huber_loss(const Tensor& self, const Tensor& target, Reduction reduction = Reduction::mean,
                         double delta = 1.0) {
  static const Op op("aten::huber_loss");
  return detail::finish(
      op({{"self", self}, {"target", target}, {"reduction", detail::code(reduction)}, {"delta", delta}}), reduction,
      self);
}
/// self: probabilities.
inline Tensor binary_cross_entropy(const Tensor& self, const Tensor& target, const Tensor& weight = {},
                                   Reduction reduction = Reduction::mean) {
  static const Op op("aten::binary_cross_entropy");
  return detail::finish(
      op({{"self", self}, {"target", target}, {"weight", weight}, {"reduction", detail::code(reduction)}}), reduction,
      self);
}
/// self: logits.
inline Tensor binary_cross_entropy_with_logits(const Tensor& self, const Tensor& target, const Tensor& weight = {},
                                               const Tensor& pos_weight = {}, Reduction reduction = Reduction::mean) {
  static const Op op("aten::binary_cross_entropy_with_logits");
  return detail::finish(op({{"self", self},
                            {"target", target},
                            {"weight", weight},
                            {"pos_weight", pos_weight},
                            {"reduction", detail::code(reduction)}}),
                        reduction, self);
}
inline Tensor soft_margin_loss(const Tensor& self, const Tensor& target, Reduction reduction = Reduction::mean) {
  static const Op op("aten::soft_margin_loss");
  return detail::finish(op({{"self", self}, {"target", target}, {"reduction", detail::code(reduction)}}), reduction,
                        self);
}
inline Tensor margin_ranking_loss(const Tensor& input1, const Tensor& input2, const Tensor& target, double margin = 0.0,
                                  Reduction reduction = Reduction::mean) {
  static const Op op("aten::margin_ranking_loss");
  return detail::finish(op({{"input1", input1},
                            {"input2", input2},
                            {"target", target},
                            {"margin", margin},
                            {"reduction", detail::code(reduction)}}),
                        reduction, input1);
}
inline Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                                  double margin = 1.0, double p = 2.0, double eps = 1e-6, bool swap = false,
                                  Reduction reduction = Reduction::mean) {
  static const Op op("aten::triplet_margin_loss");
  return detail::finish(op({{"anchor", anchor},
                            {"positive", positive},
                            {"negative", negative},
                            {"margin", margin},
                            {"p", p},
                            {"eps", eps},
                            {"swap", swap},
                            {"reduction", detail::code(reduction)}}),
                        reduction, anchor);
}
inline Tensor cosine_embedding_loss(const Tensor& input1, const Tensor& input2, const Tensor& target,
                                    double margin = 0.0, Reduction reduction = Reduction::mean) {
  static const Op op("aten::cosine_embedding_loss");
  return detail::finish(op({{"input1", input1},
                            {"input2", input2},
                            {"target", target},
                            {"margin", margin},
                            {"reduction", detail::code(reduction)}}),
                        reduction, input1);
}
inline Tensor cosine_similarity(const Tensor& x1, const Tensor& x2, std::int64_t dim = 1, double eps = 1e-8) {
  static const Op op("aten::cosine_similarity");
  return op({{"x1", x1}, {"x2", x2}, {"dim", dim}, {"eps", eps}});
}
inline Tensor pairwise_distance(const Tensor& x1, const Tensor& x2, double p = 2.0, double eps = 1e-6,
                                bool keepdim = false) {
  static const Op op("aten::pairwise_distance");
  return op({{"x1", x1}, {"x2", x2}, {"p", p}, {"eps", eps}, {"keepdim", keepdim}});
}

}  // namespace v1
}  // namespace kdhost
