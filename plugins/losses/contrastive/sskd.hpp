// SPDX-License-Identifier: MIT
//
// kdhost.sskd: the contrastive part of self-supervised distillation.      Xu, Liu, Li, Loy, ECCV 2020, arXiv 2006.07114
//
//   The rows come in groups of `views`: a sample as it is, then transformed (the authors: by 90, 180, 270 degrees).
//   S_rp = cos(transformed row r, plain row p) of each side; over p the softmax at T, q_r
//   L = T^2 mean over the kept r of KL(q_t,r || q_s,r)
//
// Kept are the rows r in which the teacher finds the plain row of the same sample most alike, and of the others the
// share `keep_wrong` with the best rank of the true one (rounded down; equal ranks in the order of the batch).
// adaptor = "auto" trains the authors' head on the student, linear - ReLU - linear of the embedding's width; "none":
// the embeddings as they are. The teacher's tap should lie behind a head that was trained for the same task.
// The authors' other three terms are kdhost.cross_entropy and kdhost.kd on plain and on transformed rows.
// Recipe    weight 10, T = 0.5, keep_wrong 0.75; beside it CE 0.1, KD 0.9 and 2.7 on the transformed rows, T = 4.
// Entry in the form of the project's specification of losses; that has none of its own. Golden values are our own
// computation of the published formula.
#pragma once
#include "../embedding_pair.hpp"

namespace kdhost::plugins {

struct SelfSupervisedKd final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.sskd")
        .version("1.0.0")
        .summary("contrastive part of SSKD: which plain sample a transformed one belongs to, as the teacher sees it");
    s.source(
        "Xu, Liu, Li, Loy, Knowledge Distillation Meets Self-Supervision, ECCV 2020, arXiv 2006.07114; golden "
        "value our own computation of the formula");
    s.details(
        "Rows in groups of `views`: a sample, then its transformed views. Cosine similarity of each transformed row "
        "with each plain row, softmax over the plain rows at temperature T; T^2 mean KL(teacher || student) over the "
        "rows that the teacher assigns rightly and the share keep_wrong of the others with the best rank. adaptor = "
        "\"auto\" trains a head (linear, ReLU, linear) on the student. A batch with one plain row gives 0. The values "
        "in the tests are our own computation of the published formula.\n"
        "Trained: a head on the student.");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.sskd\"\nweight = 10.0\n"
        "inputs = { student = [\"embedding\"], teacher = [\"embedding\"] }\n");
    s.number("temperature", 0.5).above(0.0).doc("of the softmax over plain rows").schedulable();
    s.number("keep_wrong", 0.75).range(0.0, 1.0).doc("share kept of the rows that the teacher assigns wrongly");
    s.integer("views", 4).at_least(2).doc("rows of one sample, the plain one first");
    s.choice("adaptor", {"auto", "none"}).doc("auto: a trained head on the student; none: its embeddings as they are");
    s.inputs("student.features").doc("embeddings [views * N, D]; maps are flattened");
    s.inputs("teacher.features").doc("as many, in the same order; D may differ");
  }

  SelfSupervisedKd(const Params& p, const Ports& ports, Builder& b)
      : views_(p.integer("views")), keep_wrong_(p.number("keep_wrong")) {
    if (p.text("adaptor") == "none") return;
    for (std::int64_t i = 0; i < ports.count("student.features"); ++i) {
      const std::int64_t width = EmbeddingPair::width(ports, tap_name("student", static_cast<std::size_t>(i)));
      const Builder head = b.scope("head" + std::to_string(i));
      heads_.push_back({head.linear("first", width, width), head.linear("second", width, width)});
    }
  }

  Tensor compute(const Call& c) override {
    const double temperature = c.number("temperature");
    TapSum sum(c);
    for (const TapPair& p : tap_pairs(c)) {
      const std::int64_t rows = p.student.size(0);
      if (rows % views_ != 0)
        refuse_pair(p, "a multiple of " + std::to_string(views_) + " rows, since views = " + std::to_string(views_) +
                           ": each sample, then its transformed views");
      if (rows == views_) warn_("a batch with one plain row has nothing to tell apart: the loss is 0 there");
      Tensor s = p.student.reshape({rows, -1});
      if (!heads_.empty()) s = heads_[p.index].second(c, heads_[p.index].first(c, s).relu());
      sum.add(compare(alike(s), alike(p.teacher.reshape({rows, -1})), temperature));
    }
    return sum.value();
  }

 private:
  struct Head {
    nn::Linear first, second;
  };

  /// [transformed rows, plain rows]
  Tensor alike(const Tensor& e) const {
    const Tensor x = normalize(e, 2.0, 1, 1e-8).reshape({-1, views_, e.size(1)});
    return matmul(x.narrow(1, 1, views_ - 1).reshape({-1, e.size(1)}), x.select(1, 0).t());
  }

  Tensor compare(const Tensor& s, const Tensor& t, double temperature) const {
    Tensor weight;
    {
      const NoGrad off;
      weight = kept_rows(t);
    }
    const Tensor log_s = log_softmax(s / temperature, 1), log_t = log_softmax(t / temperature, 1);
    const Tensor divergence = (exp(log_t) * (log_t - log_s)).sum({1});
    return (divergence * weight).sum() / clamp_min(weight.sum(), 1.0) * (temperature * temperature);
  }

  /// 1 for the transformed rows that count, else 0.
  Tensor kept_rows(const Tensor& t) const {
    const std::int64_t rows = t.size(0);
    const Tensor own = repeat_interleave(arange(t.size(1), Dtype::i64, t), views_ - 1).unsqueeze(1);
    const Tensor rank = gt(t, t.gather(1, own)).to(Dtype::i64).sum({1});
    // Best rank first, then the order of the batch; the place of each row in that order is the sort of the sort.
    const Tensor place = argsort(argsort(rank * rows + arange(rows, Dtype::i64, t), 0), 0);
    const Tensor right = eq(rank, 0).to(Dtype::f64).sum();
    const Tensor count = right + floor((static_cast<double>(rows) - right) * keep_wrong_);
    return lt(place.to(Dtype::f64), count).to(t.dtype());
  }

  std::int64_t views_;
  double keep_wrong_;
  std::vector<Head> heads_;
  WarnOnce warn_;
};

}  // namespace kdhost::plugins
