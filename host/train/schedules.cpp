// SPDX-License-Identifier: MIT
#include "train/schedules.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.hpp"
#include "base/text.hpp"
#include "plugin/parameters.hpp"

namespace kdhost {

namespace {
double value_of(const BoundSchedule& s, kdh_moment moment) {
  moment.base = s.base;
  const double v = s.scheduler->value(moment);
  return s.factor ? s.base * v : v;
}

void check_range(const BoundSchedule& s, double value, int64_t step) {
  if (in_range(s.range, value)) return;
  throw Error(Exit::experiment,
              Message{s.place, "",
                      "the schedule of " + kdhost::quoted(s.target) + " gives " + shortest(value) + " after " +
                          std::to_string(step) + (step == 1 ? " step." : " steps."),
                      "Expected a number, " + range_words(s.range) + ", as the parameter is declared.",
                      "Change the schedule's parameters so that its values stay there."});
}

// Validation values as a training might give them: they rise, fall, or stay as they are.
std::vector<std::vector<double>> imagined_histories() {
  constexpr std::size_t kValues = 256;
  std::vector<std::vector<double>> all(3, std::vector<double>(kValues, 0.5));
  for (std::size_t i = 0; i < kValues; ++i) {
    all[0][i] = static_cast<double>(i + 1) / kValues;
    all[1][i] = 1.0 - static_cast<double>(i) / kValues;
  }
  return all;
}

// `count` moments spread over the stage, first and last included.
template <class F>
void at_moments(kdh_moment moment, int64_t count, const F& visit) {
  const int64_t n = std::clamp<int64_t>(moment.steps, 1, count);
  for (int64_t i = 0; i < n; ++i) {
    moment.step = n > 1 ? i * (moment.steps - 1) / (n - 1) : 0;
    moment.epoch = moment.steps_per_epoch > 0 ? moment.step / moment.steps_per_epoch : 0;
    visit(moment);
  }
}
}  // namespace

void Schedules::apply(const kdh_moment& moment) {
  values_.resize(list_.size());
  for (std::size_t i = 0; i < list_.size(); ++i) {
    const double v = value_of(list_[i], moment);
    check_range(list_[i], v, moment.step);
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

void Schedules::check_ranges(const kdh_moment& moment, int64_t samples) const {
  for (const auto& s : list_)
    at_moments(moment, samples, [&](const kdh_moment& at) { check_range(s, value_of(s, at), at.step); });
}

void Schedules::check_independent_of_validation(const kdh_moment& moment, int64_t samples) const {
  const auto histories = imagined_histories();
  std::vector<int64_t> epochs(histories.front().size());
  std::iota(epochs.begin(), epochs.end(), int64_t{0});
  for (const auto& s : list_) {
    at_moments(moment, samples, [&](const kdh_moment& at) {
      const double without = value_of(s, at);
      for (const auto& history : histories) {
        kdh_moment with = at;
        with.history = history.data();
        with.history_epoch = epochs.data();
        with.n_history = history.size();
        if (value_of(s, with) == without) continue;
        throw Error(Exit::experiment,
                    Message{s.place, "",
                            "the schedule of " + kdhost::quoted(s.target) +
                                " follows validation values, and this run measures none.",
                            "Expected validation samples and a metric.",
                            "Set data.validation to a number of training samples, or choose a schedule that follows "
                            "the steps."});
      }
    });
  }
}

double Schedules::largest(const std::string& target, const kdh_moment& moment, int64_t samples) const {
  double most = 0.0;
  for (const auto& s : list_)
    if (s.target == target)
      at_moments(moment, samples, [&](const kdh_moment& at) { most = std::max(most, std::abs(value_of(s, at))); });
  return most;
}

}  // namespace kdhost
