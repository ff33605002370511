// SPDX-License-Identifier: MIT
//
// kdhost.sparse_kl: KL divergence on the teacher's most probable classes.
//   C. Goddard, DistillKit (loss "kl", sparse)
//
//   K = the top_k most probable classes of the teacher, p = softmax(z / T) over all classes
//   zero     T^2/N sum_i sum_{k in K} r_k (log r_k - log p_s,k),   r = p_t on K scaled to sum 1
//   uniform  T^2/N sum_i [ sum_{k in K} p_t,k (log p_t,k - log p_s,k) + m_t (log m_t - log m_s) ],   m = 1 - sum_K p
//
// `missing` says what becomes of the classes outside K: "zero" (default, as published): the teacher gives them nothing;
// at equality the value is -log of the teacher's sum on K. "uniform" (published as symmetric_uniform): they count as
// one more class on both sides; 0 at equality. The published code, which has only the top classes' numbers, clamps m
// from below at 1e-6; here m comes from the other logits, exactly.
#pragma once
#include "divergence.hpp"
#include "logit_source.hpp"
#include "top_rows.hpp"

namespace kdhost::plugins {

struct SparseKl final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.sparse_kl").version("1.0.0").summary("KL divergence on the teacher's most probable classes only");
    s.source(
        "C. Goddard, DistillKit (\"kl\" with sparse signals); golden values our own computation with its function "
        "in PyTorch");
    s.details(
        "K = the teacher's top_k classes, p = softmax(z / T) over all classes. missing = \"zero\": T^2/N sum over K "
        "of r (log r - log p_s), r = p_t on K scaled to sum 1 (at equality -log of the teacher's sum on K). missing "
        "= \"uniform\": p_t as it is, and all other classes as one more class of probability m = 1 - sum over K (0 "
        "at equality). With top_k at least the number of classes both are kdhost.kd. Several teachers: see combine.");
    s.recipe("[[loss]]\nuse = \"kdhost.sparse_kl\"\nweight = 1.0\nparams = { top_k = 50 }\n");
    s.number("temperature", 1.0).above(0.0).doc("softens both sides").schedulable();
    s.integer("top_k", 50).at_least(1).doc("how many of the teacher's most probable classes count");
    s.choice("missing", {"zero", "uniform"}).doc("what becomes of the other classes");
    LogitSource::describe(s);
  }

  SparseKl(const Params& p, const Ports& ports, Builder&)
      : logits_(p, ports), top_k_(p.integer("top_k")), uniform_(p.text("missing") == "uniform") {}

  Tensor compute(const Call& c) override {
    const double temperature = c.number("temperature");
    const LogitPair z = logits_.pair(c, temperature);
    const double factor = temperature * temperature / static_cast<double>(z.student.size(0));
    if (top_k_ >= z.classes())
      return divergence("kdhost.sparse_kl", z, {Divergence::kl, 1.0 / temperature, 1.0 / temperature, factor});
    if (fits_row_kernel(z.student) && fits_row_kernel(z.teacher))
      return z.student.dtype() == Dtype::f32 ? by_rows<float>(z, temperature, factor)
                                             : by_rows<double>(z, temperature, factor);
    const Tensor log_s = log_softmax(z.student / temperature, 1);
    const Tensor teacher = z.teacher / temperature;
    const ValuesIndices top = topk(teacher, top_k_, 1);
    const Tensor on_s = log_s.gather(1, top.indices);
    if (!uniform_) {
      const Tensor log_r = log_softmax(top.values, 1);
      return (exp(log_r) * (log_r - on_s)).sum() * factor;
    }
    const Tensor log_t = log_softmax(teacher, 1), on_t = log_t.gather(1, top.indices);
    const auto rest = [&](const Tensor& x) {
      return logsumexp(scatter(x, 1, top.indices, -std::numeric_limits<double>::infinity()), 1);
    };
    const Tensor m_t = rest(log_t);
    return ((exp(on_t) * (on_t - on_s)).sum() + (exp(m_t) * (m_t - rest(log_s))).sum()) * factor;
  }

 private:
  template <class T>
  Tensor by_rows(const LogitPair& z, double temperature, double factor) const {
    const TopClasses<T> top(z.teacher, top_k_, 1.0 / temperature, uniform_);
    SparseRows<T> rows{};
    rows.student = z.student.data<T>();
    rows.index = top.index.data();
    rows.probability = top.probability.data();
    rows.log_rest = uniform_ ? top.log_rest.data() : nullptr;
    rows.classes = z.classes();
    rows.top = top_k_;
    rows.scale = static_cast<T>(1.0 / temperature);
    rows.gradient_scale = static_cast<T>(factor / temperature);
    return sum_of_rows<T>(
        "kdhost.sparse_kl", z.student, factor, rows,
        [](const SparseRows<T>& k, std::int64_t begin, std::int64_t end) { sparse_rows(k, begin, end); });
  }

  LogitSource logits_;
  std::int64_t top_k_;
  bool uniform_;
};

}  // namespace kdhost::plugins
