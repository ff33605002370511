// SPDX-License-Identifier: MIT
// What losses that are sums name of their values: the parts, times the weights that the parameters give them, are the
// value, whether a kernel or operators compute it.
#include "loss_case.hpp"

using namespace kdhost::test;

namespace {

using Weights = std::vector<std::pair<std::string, double>>;

struct Sum {
  const char* id;
  Settings settings;
  Bound bound;
  Weights weights;
};

Bound strided_logits() {
  Bound b = labelled();
  for (auto& [port, value] : b)
    if (value.dim() == 2) value = strided(value);
  return b;
}

Bound with(Bound bound, const Bound& more) {
  bound.insert(bound.end(), more.begin(), more.end());
  return bound;
}

std::vector<Sum> sums() {
  const std::pair<std::string, std::variant<double, std::string, bool, std::vector<int64_t>>> none{"adaptor",
                                                                                                   S("none")};
  const Bound maps = two_taps(), f = tap(f_s(), f_t()), e = tap(e_s(), e_t());
  const Weights dkd{{"tckd", 2.0}, {"nckd", 3.0}}, nkd{{"target", 1.0}, {"others", 2.5}};
  const Weights dist{{"inter", 2.0}, {"intra", 0.5}}, rkd{{"distance", 25.0}, {"angle", 50.0}};
  const Weights plus{{"inter", 1.0}, {"intra", 1.0}, {"channel", 2.0}, {"spatial", 3.0}};
  const Weights each{{"tap.0", 1.0}, {"tap.1", 1.0}};
  const Settings of_dkd{{"alpha", 2.0}, {"beta", 3.0}}, of_nkd{{"gamma", 2.5}, {"temperature", 2.0}};
  const Settings of_dist{{"beta", 2.0}, {"gamma", 0.5}, {"temperature", 2.0}};
  return {
      {"kdhost.dkd", of_dkd, labelled(), dkd},
      {"kdhost.dkd", of_dkd, strided_logits(), dkd},
      {"kdhost.nkd", of_nkd, labelled(), nkd},
      {"kdhost.nkd", of_nkd, strided_logits(), nkd},
      {"kdhost.dist", of_dist, logits(), dist},
      {"kdhost.dist", of_dist, strided_logits(), dist},
      {"kdhost.dist_plus", {{"iota", 2.0}, {"kappa", 3.0}}, with(logits(), f), plus},
      {"kdhost.uskd",
       {},
       with(labelled(), {{"student.features", f_s()}}),
       {{"target", 1.0}, {"others", 0.1}, {"head", 0.005}}},
      {"kdhost.rkd", {}, e, rkd},
      {"kdhost.rkd", {{"distance_weight", 2.0}, {"angle_weight", 0.0}}, e, {{"distance", 2.0}}},
      {"kdhost.vid", {none}, f, {{"error", 1.0}, {"log_variance", 1.0}}},
      {"kdhost.ofd", {none, {"margin", -0.5}}, maps, each},
      {"kdhost.ab", {none}, maps, each},
  };
}

}  // namespace

TEST_CASE("the named parts of a value, times their weights, are the value") {
  for (const Sum& sum : sums()) {
    INFO(sum.id);
    LossCase loss(sum.id, sum.settings, sum.bound);
    const double value = loss.evaluate().number();
    double total = 0;
    REQUIRE(loss.terms().size() == sum.weights.size());
    for (const auto& [name, weight] : sum.weights) {
      INFO(name);
      const at::Tensor* part = loss.terms().find(name);
      REQUIRE(part != nullptr);
      CHECK(part->item<double>() != 0);
      total += weight * part->item<double>();
    }
    CHECK(total == Approx(value).epsilon(1e-12));
  }
}

TEST_CASE("the parts of dkd are those of the published code") {
  LossCase loss("kdhost.dkd", {}, labelled());
  loss.evaluate();
  CHECK(loss.terms()["tckd"].item<double>() == Approx(0.931066534126).epsilon(1e-10));
  CHECK(loss.terms()["nckd"].item<double>() == Approx((43.8080000845 - 0.931066534126) / 8).epsilon(1e-10));
}

TEST_CASE("review names what each tap adds, and the mean squares of the map and of each size that it is pooled to") {
  LossCase loss("kdhost.review", {{"adaptor", S("none")}}, two_taps());
  const double value = loss.evaluate().number();
  const auto part = [&](const char* name) {
    INFO(name);
    const at::Tensor* found = loss.terms().find(name);
    REQUIRE(found != nullptr);
    return found->item<double>();
  };
  CHECK(part("tap.0") + part("tap.1") == Approx(value).epsilon(1e-12));
  CHECK(part("tap.0") == Approx((part("tap.0.map") + part("tap.0.4") / 2 + part("tap.0.2") / 4 + part("tap.0.1") / 8) /
                                (1 + 0.5 + 0.25 + 0.125))
                             .epsilon(1e-12));
  // A level that is no smaller than the map is left out and takes no weight.
  CHECK(loss.terms().find("tap.1.4") == nullptr);
  CHECK(part("tap.1") ==
        Approx((part("tap.1.map") + part("tap.1.2") / 2 + part("tap.1.1") / 4) / (1 + 0.5 + 0.25)).epsilon(1e-12));
}
