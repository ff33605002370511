// SPDX-License-Identifier: MIT
//
// Which samples of the data set a contrastive loss holds against each sample of a batch. The host tells the class of
// each training sample (fact "labels", -1 where it has none or is held out); negatives come from the other classes,
// each at most once as long as there are enough of them.
#pragma once
#include <numeric>

#include "../loss_inputs.hpp"

namespace kdhost::plugins {

class ContrastSamples {
 public:
  /// `samples`: of the data set. `same_class`: the positive is any sample of the anchor's class instead of the anchor.
  ContrastSamples(const Facts& facts, std::int64_t samples, bool same_class) : same_class_(same_class) {
    class_of_.assign(static_cast<std::size_t>(samples), -1);
    if (facts.has("labels")) {
      const Shape labels = facts.integers("labels");
      for (std::size_t i = 0; i < std::min(labels.size(), class_of_.size()); ++i) class_of_[i] = labels[i];
    }
    for (std::size_t i = 0; i < class_of_.size(); ++i) {
      if (class_of_[i] < 0) continue;
      const auto label = static_cast<std::size_t>(class_of_[i]);
      if (label >= members_.size()) members_.resize(label + 1);
      members_[label].push_back(static_cast<std::int64_t>(i));
      candidates_.push_back(static_cast<std::int64_t>(i));
    }
    if (!candidates_.empty()) return;
    candidates_.resize(class_of_.size());
    std::iota(candidates_.begin(), candidates_.end(), std::int64_t{0});
  }

  bool knows_classes() const { return !members_.empty(); }

  /// int64 [N, 1 + negatives] on the device of `like`: the positive of each sample, then its negatives.
  Tensor draw(const std::vector<std::int64_t>& batch, std::int64_t negatives, Stream stream, const Tensor& like) const {
    std::vector<std::int64_t> drawn;
    drawn.reserve(batch.size() * static_cast<std::size_t>(negatives + 1));
    std::vector<std::int64_t> order = candidates_;
    for (const std::int64_t sample : batch) {
      drawn.push_back(positive_of(sample, stream));
      draw_negatives(sample, negatives, order, stream, drawn);
    }
    return Tensor::of(drawn, {static_cast<std::int64_t>(batch.size()), negatives + 1}, like);
  }

 private:
  std::int64_t class_of(std::int64_t sample) const { return class_of_[static_cast<std::size_t>(sample)]; }

  std::int64_t positive_of(std::int64_t sample, Stream& stream) const {
    if (!same_class_ || class_of(sample) < 0) return sample;
    const auto& same = members_[static_cast<std::size_t>(class_of(sample))];
    return same[static_cast<std::size_t>(stream.integer(static_cast<std::int64_t>(same.size())))];
  }

  bool is_negative(std::int64_t candidate, std::int64_t sample) const {
    return candidate != sample && (class_of(sample) < 0 || class_of(candidate) != class_of(sample));
  }

  /// The beginning of a random order of all candidates, without those of the sample's own class. `order` may be in any
  /// order before: that of the sample before serves as well.
  void draw_negatives(std::int64_t sample, std::int64_t wanted, std::vector<std::int64_t>& order, Stream& stream,
                      std::vector<std::int64_t>& drawn) const {
    const auto all = static_cast<std::int64_t>(order.size());
    const std::int64_t own =
        class_of(sample) < 0 ? 1
                             : static_cast<std::int64_t>(members_[static_cast<std::size_t>(class_of(sample))].size());
    if (all - own < 1)
      throw std::invalid_argument("sample " + std::to_string(sample) +
                                  " has no negatives: every sample whose class is known is of its own class, expected "
                                  "at least two classes");
    const bool enough = all - own >= wanted;
    for (std::int64_t at = 0; wanted > 0;) {
      const auto other = static_cast<std::size_t>(enough ? at + stream.integer(all - at) : stream.integer(all));
      if (enough) std::swap(order[static_cast<std::size_t>(at)], order[other]);
      const std::int64_t candidate = order[enough ? static_cast<std::size_t>(at) : other];
      ++at;
      if (!is_negative(candidate, sample)) continue;
      drawn.push_back(candidate);
      --wanted;
    }
  }

  bool same_class_;
  std::vector<std::int64_t> class_of_;              ///< by sample; -1: not known
  std::vector<std::vector<std::int64_t>> members_;  ///< by class
  std::vector<std::int64_t> candidates_;            ///< samples with a class; all of them where no class is known
};

}  // namespace kdhost::plugins
