// SPDX-License-Identifier: MIT
#include "train/feed.hpp"

#include <algorithm>

#include "data/sample_order.hpp"

namespace kdhost {

Feed::Feed(Assembly& assembly, TeacherOutputs& outputs, const std::vector<int64_t>& samples, int64_t seed,
           int64_t chunk)
    : assembly_(assembly), outputs_(outputs), samples_(samples), seed_(seed), chunk_(chunk) {
  const DataSettings& data = assembly.experiment().data;
  const auto n = static_cast<int64_t>(samples.size());
  batch_ = std::min(data.batch.value, n);  // fewer samples than a batch: one batch of all
  batches_ = batches_of(n, batch_, data.drop_last.value);
}

void Feed::start(const StagePlan& stage) {
  stage_ = &stage;
  pass_ = first_ = -1;
  ready_.clear();
}

std::vector<int64_t> Feed::samples_of(int64_t pass, int64_t number) {
  if (order_pass_ != pass) {
    order_ = sample_order(samples_, static_cast<uint64_t>(seed_), pass, assembly_.experiment().data.shuffle);
    order_pass_ = pass;
  }
  const auto n = static_cast<int64_t>(order_.size());
  return {order_.begin() + number * batch_, order_.begin() + std::min(n, (number + 1) * batch_)};
}

void Feed::prepare(int64_t pass, int64_t first) {
  ready_.clear();
  const int64_t end = std::min(batches_, first + chunk_);
  const auto [key_seed, key_pass] = outputs_.augmentation(seed_, pass);
  for (int64_t i = first; i < end; ++i) {
    FedBatch fed;
    const std::vector<int64_t> samples = samples_of(pass, i);
    fed.batch = assembly_.loader().load(Split::train, samples);
    if (i + 1 < batches_ && !assembly_.loader().in_memory(Split::train))
      assembly_.loader().prefetch(Split::train, samples_of(pass, i + 1));
    if (assembly_.augment().random()) fed.batch.keys = augmentation_keys(key_seed, key_pass, fed.batch.samples);
    if (!assembly_.subsets().all_labelled()) mark_labelled(fed.batch, assembly_.subsets().has_label);
    assembly_.augment().apply(fed.batch, true);
    ready_.push_back(std::move(fed));
  }
  outputs_.add(ready_, *stage_, pass);
  pass_ = pass;
  first_ = first;
}

const FedBatch& Feed::at(int64_t pass, int64_t number) {
  const int64_t first = number - number % chunk_;
  if (pass != pass_ || first != first_) prepare(pass, first);
  return ready_[static_cast<std::size_t>(number - first)];
}

}  // namespace kdhost
