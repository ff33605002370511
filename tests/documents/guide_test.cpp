// SPDX-License-Identifier: MIT
// The listings of sdk/README.md do what the guide says of them. Written as an author would: no LibTorch and no kdhost
// in this program, everything on the fake host of <kdhost/testing.hpp>.
#include <catch2/catch.hpp>
#include <kdhost/testing.hpp>

#include <cmath>

// NOLINTBEGIN: the listings are sources, each with its own KDHOST_PLUGIN
#undef KDHOST_PLUGIN
#define KDHOST_PLUGIN(...)
#include "../../sdk/templates/fading_weight.cpp"
#include "../../sdk/templates/gaussian_noise.cpp"
#include "../../sdk/templates/rings.cpp"
#include "../../sdk/templates/small_net.cpp"
#include "../../sdk/templates/trained_projection.cpp"
#include "../sdk/outside/soft_kl.cpp"
// NOLINTEND

using kdhost::testing::Bench;
using kdhost::testing::values;

TEST_CASE(
    "the first loss of the guide is zero where student and teacher agree, and its gradient is that of differences") {
  Bench<SoftKl> bench({{"temperature", 2.0}});
  bench.input("student.logits", {1, 2, 3, 4}, {2, 2}).input("teacher.logits", {1, 2, 3, 4}, {2, 2});
  CHECK(bench.compute() == Approx(0.0).margin(1e-12));
  bench.input("teacher.logits", {2, 1, 4, 3}, {2, 2});
  CHECK(bench.compute() > 0.1);
  // A row of logits may be shifted without changing the value: its gradient sums to zero.
  const std::vector<double> gradient = bench.numeric_gradient("student.logits");
  CHECK(gradient[0] + gradient[1] == Approx(0.0).margin(1e-6));
}

TEST_CASE("the loss with parts declares a projection and a buffer, and writes the buffer after the step") {
  Bench<CentredCosine> bench({{"momentum", 0.75}});
  bench.input("student.feature", {1, 0, 2, 1, 1, 1}, {2, 3}).input("teacher.feature", {1, 3, 5, 7}, {2, 2});
  CHECK(bench.part_names() == std::vector<std::string>{"projection.weight", "projection.bias", "mean"});
  bench.set_part("projection.weight", {1, 0, 0, 0, 1, 0});
  bench.set_part("projection.bias", {0, 0});
  // Rows of the student: (1, 0) and (1, 1); of the teacher: (1, 3) and (5, 7).
  const double first = 1 - 1 / std::sqrt(10.0), second = 1 - 12 / std::sqrt(2.0 * 74.0);
  CHECK(bench.compute() == Approx((first + second) / 2));
  CHECK(values(bench.part("mean")) == std::vector<double>{0.75, 1.25});
}

TEST_CASE("the model of the guide has the parts that PyTorch would name, and sizes them by its ports") {
  Bench<SmallNet> bench({{"width", 4}});
  bench.fact("classes", 10).input("batch.input", std::vector<double>(2 * 3 * 8 * 8), {2, 3, 8, 8});
  const std::vector<std::string> names = bench.part_names();
  CHECK(names.front() == "block1.conv.weight");
  CHECK(names.back() == "fc.bias");
  CHECK(bench.part("block2.conv.weight").shape() == Shape{8, 4, 3, 3});
  CHECK(bench.part("fc.weight").shape() == Shape{10, 8});
}

TEST_CASE("the adaptive scheduler of the guide is a function of the validation history") {
  Bench<FadingWeight> bench({{"goal", 0.9}, {"least", 0.1}});
  CHECK(bench.value(/*base=*/2.0) == 2.0);  // nothing was validated yet
  CHECK(bench.history({0.5, 0.7}).value(2.0) == Approx(1.0));
  CHECK(bench.history({0.5, 0.7, 0.95}).value(2.0) == Approx(0.2));
}

TEST_CASE("the data set of the guide gives the same samples whether they are fetched or read from its memory") {
  const kdh_arg args[] = {{detail::str("classes"), detail::val(3)},
                          {detail::str("samples"), detail::val(30)},
                          {detail::str("noise"), detail::val(0.0)},
                          {detail::str("seed"), detail::val(1)}};
  kdhost::testing::fake_host();
  const Rings rings(Params(args, 4));
  CHECK(rings.info().samples == std::array<std::int64_t, 3>{30, 0, 30});
  const std::int64_t index[] = {7, 2};
  float input[4];
  std::int64_t label[2];
  void* const out[] = {input, label};
  rings.fetch(Split::test, index, 2, out);
  CHECK(label[0] == 1);
  CHECK(label[1] == 2);
  CHECK(std::hypot(input[0], input[1]) == Approx(2.0));
  const auto* all = static_cast<const float*>(rings.resident(Split::test, 0));
  CHECK(input[0] == all[14]);
  CHECK(static_cast<const float*>(rings.resident(Split::train, 0))[14] != all[14]);
}

TEST_CASE("the transform of the guide gives a sample the same noise whatever the batch's seed makes of the others") {
  Bench<GaussianNoise> bench({{"std", 1.0}});
  bench.seed(3).input("batch.input", {0, 0, 0, 0}, {2, 2});
  const std::vector<double> both = values(bench.forward().at("input"));
  bench.input("batch.input", {0, 0}, {1, 2});
  const std::vector<double> alone = values(bench.forward().at("input"));
  CHECK(alone == std::vector<double>{both[0], both[1]});
  CHECK(both[0] != both[2]);
}
