// SPDX-License-Identifier: MIT
//
// Where a logit loss takes its logits from: one teacher, or several that `combine` turns into one.
//
//   mean_logits         sum_k w_k z_k
//   mean_probabilities  softmax(z / T) = sum_k w_k softmax(z_k / T)
//   entropy             the same with weights per sample, w_k / H_k scaled to sum 1, H_k the entropy of softmax(z_k):
//                       a teacher that is sure of a sample counts more (after Kwon, Na, Lee, Kim, ICASSP 2020)
//   most_certain        per sample the teacher with the largest probability of any class
//   best                per sample the teacher with the largest probability of the label; losses with batch.label only
//
// w = teacher_weights scaled to sum 1, equal where not given. Combined probabilities come back as logits T log p, so
// that every loss takes them as those of one teacher. most_certain and best do not look at the weights.
#pragma once
#include "../loss_inputs.hpp"

#include <cstdio>
#include <numeric>

namespace kdhost::plugins {

enum class Labels { none, hard };

class LogitSource {
 public:
  /// Declares the logits of both sides, batch.label where the loss has hard labels, and the two parameters.
  static void describe(Spec& s, Labels labels = Labels::none) {
    if (labels == Labels::hard)
      s.choice("combine", {"mean_logits", "mean_probabilities", "entropy", "most_certain", "best"}).doc(kCombineDoc);
    else
      s.choice("combine", {"mean_logits", "mean_probabilities", "entropy", "most_certain"}).doc(kCombineDoc);
    s.numbers("teacher_weights").at_least(0.0).doc("several teachers: one number each; equal weights unless written");
    s.input("student.logits").doc("[N, C]");
    s.input("teacher.logits").doc("[N, C], from one teacher or several");
    if (labels == Labels::hard) s.input("batch.label").doc("int64 [N], hard labels");
  }

  LogitSource(const Params& p, const Ports& ports) : count_(ports.count("teacher.logits")) {
    const std::string_view word = p.text("combine");
    if (word == "mean_probabilities") combine_ = Combine::mean_probabilities;
    if (word == "entropy") combine_ = Combine::entropy;
    if (word == "most_certain") combine_ = Combine::most_certain;
    if (word == "best") combine_ = Combine::best;
    const std::size_t teachers = count_ > 0 ? static_cast<std::size_t>(count_) : 1;
    weights_.assign(teachers, 1.0);
    if (p.has("teacher_weights")) weights_ = p.numbers("teacher_weights");
    const double sum = std::accumulate(weights_.begin(), weights_.end(), 0.0);
    if (weights_.size() != teachers || !(sum > 0)) {
      std::string found;
      for (const double w : weights_) {
        char number[32];
        std::snprintf(number, sizeof number, "%g", w);
        found += (found.empty() ? "" : ", ") + std::string(number);
      }
      throw std::invalid_argument("'teacher_weights' is [" + found + "], expected one number for each of the " +
                                  std::to_string(teachers) + " teachers of 'teacher.logits', not all of them 0");
    }
    for (double& w : weights_) w /= sum;
  }

  /// The pair; several teachers are combined for this temperature.
  LogitPair pair(const Call& c, double temperature = 1.0) const {
    if (count_ == 0) return logit_pair(c);
    const Tensors bound = c.list("teacher.logits");
    LogitPair z;
    Tensors teachers;
    for (std::size_t k = 0; k < bound.size(); ++k) {
      z = logit_pair(c["student.logits"], "teacher.logits." + std::to_string(k), bound[k]);
      teachers.push_back(z.teacher);
    }
    z.teacher = combined(c, teachers, temperature);
    return z;
  }

 private:
  enum class Combine { mean_logits, mean_probabilities, entropy, most_certain, best };
  static constexpr const char* kCombineDoc = "several teachers: how they become one";

  Tensor combined(const Call& c, const Tensors& z, double temperature) const {
    if (combine_ == Combine::mean_logits) {
      Tensor mean = z[0] * weights_[0];
      for (std::size_t k = 1; k < z.size(); ++k) mean = mean + z[k] * weights_[k];
      return mean;
    }
    const Tensor logits = stack(z);                 // [K, N, C]
    const Tensor certain = log_softmax(logits, 2);  // at T = 1: how sure each teacher is
    const std::int64_t samples = logits.size(1), classes = logits.size(2);
    if (combine_ == Combine::most_certain) return chosen(logits, argmax(amax(certain, 2), 0));
    if (combine_ == Combine::best) {
      const Tensor label = hard_labels(c, samples, classes).unsqueeze(0).unsqueeze(2);
      const Tensor of_label = certain.gather(2, label.expand({logits.size(0), samples, 1})).squeeze(2);
      return chosen(logits, argmax(of_label, 0));
    }
    // A teacher without weight has the logarithm of a weight that cannot be seen, so that no infinity comes up.
    std::vector<double> logs;
    for (const double w : weights_) logs.push_back(std::log(std::max(w, 1e-30)));
    Tensor log_weight = Tensor::of<double>(logs, {logits.size(0), 1, 1}, logits).to(logits.dtype());
    if (combine_ == Combine::entropy) {
      const Tensor entropy = -(exp(certain) * certain).sum({2}, true);
      log_weight = log_softmax(log_weight - log(clamp_min(entropy, 1e-12)), 0);
    }
    return logsumexp(log_softmax(logits / temperature, 2) + log_weight, 0) * temperature;
  }

  /// [N, C] of [K, N, C]: of each sample the teacher in `which`, [N].
  static Tensor chosen(const Tensor& logits, const Tensor& which) {
    return logits.gather(0, which.unsqueeze(0).unsqueeze(2).expand({1, logits.size(1), logits.size(2)})).squeeze(0);
  }

  std::int64_t count_;  // 0: one teacher, bound as a single tensor
  Combine combine_ = Combine::mean_logits;
  std::vector<double> weights_;
};

}  // namespace kdhost::plugins
