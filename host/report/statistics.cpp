// SPDX-License-Identifier: MIT
// Mean, spread, Student's t. The distribution of t follows from the regularised incomplete beta function, which is
// summed as its continued fraction (Abramowitz and Stegun, Handbook of Mathematical Functions, 26.5.8 and 26.7.1).
#include "report/statistics.hpp"

#include <cmath>
#include <cstddef>
#include <limits>

namespace kdhost {
namespace {

// I_x(a, b) for x below the point where the fraction converges fast; by Lentz's method.
double beta_fraction(double x, double a, double b) {
  constexpr double kTiny = 1e-300;
  constexpr double kPrecise = 1e-16;
  const auto away_from_zero = [](double value) { return std::abs(value) < kTiny ? kTiny : value; };
  double c = 1.0;
  double d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
  double result = d;
  for (int m = 1; m < 1000; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m));
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0));
    double change = 1.0;
    for (const double term : {even, odd}) {
      d = 1.0 / away_from_zero(1.0 + term * d);
      c = away_from_zero(1.0 + term / c);
      change = c * d;
      result *= change;
    }
    if (std::abs(change - 1.0) < kPrecise) break;
  }
  const double front =
      std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x));
  return front * result / a;
}

double incomplete_beta(double x, double a, double b) {
  if (x <= 0.0) return 0.0;
  if (x >= 1.0) return 1.0;
  return x < (a + 1.0) / (a + b + 2.0) ? beta_fraction(x, a, b) : 1.0 - beta_fraction(1.0 - x, b, a);
}

// The probability that |T| exceeds t, for t >= 0.
double both_tails(double t, double degrees) { return incomplete_beta(degrees / (degrees + t * t), degrees / 2.0, 0.5); }

}  // namespace

double mean(const std::vector<double>& values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  double sum = 0.0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

std::optional<double> standard_deviation(const std::vector<double>& values) {
  if (values.size() < 2) return std::nullopt;
  const double centre = mean(values);
  double squares = 0.0;
  for (const double value : values) squares += (value - centre) * (value - centre);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

double student_t_quantile(double p, double degrees) {
  if (!(p > 0.0 && p < 1.0) || !(degrees >= 1.0)) return std::numeric_limits<double>::quiet_NaN();
  if (p == 0.5) return 0.0;
  const double tails = 2.0 * (p < 0.5 ? p : 1.0 - p);
  double low = 0.0;
  double high = 1.0;
  while (both_tails(high, degrees) > tails) high *= 2.0;
  // The tails fall strictly with t, so halving always closes in; it ends when the two ends are neighbours.
  for (int i = 0; i < 200 && high - low > 1e-15 * high; ++i) {
    const double middle = 0.5 * (low + high);
    (both_tails(middle, degrees) > tails ? low : high) = middle;
  }
  return p < 0.5 ? -high : high;
}

std::optional<Interval> interval95(const std::vector<double>& differences) {
  const std::optional<double> spread = standard_deviation(differences);
  if (!spread) return std::nullopt;
  const auto n = static_cast<double>(differences.size());
  const double half = student_t_quantile(0.975, n - 1.0) * *spread / std::sqrt(n);
  const double centre = mean(differences);
  return Interval{centre - half, centre + half};
}

}  // namespace kdhost
