// SPDX-License-Identifier: MIT
#include "train/schedules.hpp"

#include <algorithm>
#include <cmath>

namespace kdhost {

namespace {
double value_of(const BoundSchedule& s, kdh_moment moment) {
  moment.base = s.base;
  const double v = s.scheduler->value(moment);
  return s.factor ? s.base * v : v;
}
}  // namespace

void Schedules::apply(const kdh_moment& moment) {
  values_.resize(list_.size());
  for (std::size_t i = 0; i < list_.size(); ++i) {
    const double v = value_of(list_[i], moment);
    list_[i].set(v);
    if (values_[i].first.empty()) values_[i].first = list_[i].target;
    values_[i].second = v;
  }
}

void Schedules::reset() {
  for (auto& s : list_) s.set(s.base);
}

bool Schedules::drives(const std::string& target) const {
  return std::any_of(list_.begin(), list_.end(), [&](const auto& s) { return s.target == target; });
}

double Schedules::largest(const std::string& target, kdh_moment moment, int64_t samples) const {
  double most = 0.0;
  for (const auto& s : list_) {
    if (s.target != target) continue;
    const int64_t n = std::clamp<int64_t>(moment.steps, 1, samples);
    for (int64_t i = 0; i < n; ++i) {
      moment.step = n > 1 ? i * (moment.steps - 1) / (n - 1) : 0;
      moment.epoch = moment.steps_per_epoch > 0 ? moment.step / moment.steps_per_epoch : 0;
      most = std::max(most, std::abs(value_of(s, moment)));
    }
  }
  return most;
}

}  // namespace kdhost
