// SPDX-License-Identifier: MIT
// The statistics behind every table, against published tables and sums done by hand.
#include <catch2/catch.hpp>
#include <cmath>

#include "report/statistics.hpp"

using namespace kdhost;

TEST_CASE("the mean and the sample standard deviation are those of the textbook") {
  CHECK(mean({1.0, 2.0, 6.0}) == 3.0);
  // Squares 4, 1, 9, divided by n - 1.
  CHECK(*standard_deviation({1.0, 2.0, 6.0}) == Approx(std::sqrt(7.0)).epsilon(1e-15));
  CHECK(*standard_deviation({5.0, 5.0}) == 0.0);
}

TEST_CASE("one value has no spread and no interval, no values have no mean") {
  CHECK_FALSE(standard_deviation({1.0}));
  CHECK_FALSE(interval95({1.0}));
  CHECK_FALSE(interval95({}));
  CHECK(std::isnan(mean({})));
}

TEST_CASE("Student's t quantile agrees with the published table") {
  // Two-sided 95 % (p = 0.975) and 99 % (p = 0.995), three decimals as printed in textbooks.
  const struct {
    double degrees, p, t;
  } table[] = {
      {1, 0.975, 12.706}, {2, 0.975, 4.303},  {3, 0.975, 3.182},  {4, 0.975, 2.776},   {5, 0.975, 2.571},
      {9, 0.975, 2.262},  {10, 0.975, 2.228}, {29, 0.975, 2.045}, {120, 0.975, 1.980}, {1, 0.995, 63.657},
      {4, 0.995, 4.604},  {10, 0.995, 3.169}, {30, 0.995, 2.750}, {5, 0.95, 2.015},    {1, 0.75, 1.000},
  };
  for (const auto& row : table) {
    INFO("degrees " << row.degrees << ", p " << row.p);
    CHECK(std::abs(student_t_quantile(row.p, row.degrees) - row.t) < 0.0005 + 1e-9);
    CHECK(student_t_quantile(1.0 - row.p, row.degrees) ==
          Approx(-student_t_quantile(row.p, row.degrees)).epsilon(1e-12));
  }
}

TEST_CASE("Student's t quantile agrees with its closed forms for one and two degrees of freedom") {
  const double pi = std::acos(-1.0);
  for (const double p : {0.6, 0.9, 0.975, 0.999}) {
    CHECK(student_t_quantile(p, 1) == Approx(std::tan(pi * (p - 0.5))).epsilon(1e-10));
    CHECK(student_t_quantile(p, 2) == Approx((2.0 * p - 1.0) / std::sqrt(2.0 * p * (1.0 - p))).epsilon(1e-10));
  }
  CHECK(student_t_quantile(0.5, 3) == 0.0);
}

TEST_CASE("Student's t quantile of many degrees is the normal distribution's, and of none is not a number") {
  CHECK(student_t_quantile(0.975, 1e6) == Approx(1.959964).epsilon(2e-6));
  CHECK(std::isnan(student_t_quantile(0.975, 0)));
  CHECK(std::isnan(student_t_quantile(1.0, 5)));
}

TEST_CASE("the 95 % interval of paired differences is mean plus and minus t s / sqrt(n)") {
  // Mean 3, s = sqrt(2.5), n = 5: 3 -+ 2.776445 * 1.581139 / 2.236068.
  const auto interval = interval95({1.0, 2.0, 3.0, 4.0, 5.0});
  REQUIRE(interval);
  CHECK(interval->low == Approx(1.036757).epsilon(1e-6));
  CHECK(interval->high == Approx(4.963243).epsilon(1e-6));
}
