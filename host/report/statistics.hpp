// SPDX-License-Identifier: MIT
// What can be said about a few seeds: mean, spread, and the interval of a gain that was measured in pairs. Lowest part
// of report/; plain numbers in, plain numbers out.
#pragma once

#include <optional>
#include <vector>

namespace kdhost {

/// The arithmetic mean; NaN of no values.
double mean(const std::vector<double>& values);

/// The sample standard deviation (divided by n - 1); nothing below two values.
std::optional<double> standard_deviation(const std::vector<double>& values);

/// The value that a Student-t variable with `degrees` >= 1 degrees of freedom stays below with probability `p`, 0 < p
/// < 1.
double student_t_quantile(double p, double degrees);

/// A range that holds the true mean with a stated probability.
struct Interval {
  double low = 0.0;
  double high = 0.0;
};

/// The two-sided 95 % interval of the mean of `differences` (Student's t); nothing below two values. For paired
/// measurements the differences are taken pair by pair, so that what both sides of a pair share does not count as
/// spread.
std::optional<Interval> interval95(const std::vector<double>& differences);

}  // namespace kdhost
