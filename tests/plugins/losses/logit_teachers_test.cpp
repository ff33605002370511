// SPDX-License-Identifier: MIT
// Several teachers on one loss of logits: how each way to combine them equals one teacher that was combined by hand.
#include "loss_case.hpp"

using namespace kdhost::test;

namespace {

at::Tensor big() { return z_t(); }
at::Tensor wide() { return generated({4, 10}, 91) * 4; }

Bound two(const at::Tensor& first, const at::Tensor& second) {
  return {{"student.logits", z_s()}, {"teacher.logits.0", first}, {"teacher.logits.1", second}};
}
Bound one(const at::Tensor& teacher) { return {{"student.logits", z_s()}, {"teacher.logits", teacher}}; }
Bound labelled(Bound bound) {
  bound.emplace_back("batch.label", y());
  return bound;
}

/// The larger of the differences in value, relative, and in gradient.
double difference(const Evaluated& a, const Evaluated& b) {
  const at::Tensor gradient = a.gradient.at("student.logits") - b.gradient.at("student.logits");
  return std::max(std::abs(a.number() / b.number() - 1), gradient.abs().max().item<double>());
}

}  // namespace

TEST_CASE("the mean of two teachers' logits is one teacher with these logits", "[losses]") {
  CHECK(difference(evaluate("kdhost.kd", {}, two(big(), wide())),
                   evaluate("kdhost.kd", {}, one((big() + wide()) / 2))) < 1e-12);
}

TEST_CASE("the mean of two teachers' probabilities is taken at the loss's temperature", "[losses]") {
  const Settings mean{{"combine", S("mean_probabilities")}, {"temperature", 4.0}};
  const at::Tensor p = ((big() / 4).softmax(1) + (wide() / 4).softmax(1)) / 2;
  CHECK(difference(evaluate("kdhost.kd", mean, two(big(), wide())), evaluate("kdhost.kd", {}, one(p.log() * 4))) <
        1e-12);
  const at::Tensor at_one = (big().softmax(1) + wide().softmax(1)) / 2;
  CHECK(difference(evaluate("kdhost.reverse_kl", {{"combine", S("mean_probabilities")}}, two(big(), wide())),
                   evaluate("kdhost.reverse_kl", {}, one(at_one.log()))) < 1e-12);
}

TEST_CASE("weights of teachers count by their share", "[losses]") {
  const std::vector<int64_t> weights{3, 1};
  CHECK(difference(evaluate("kdhost.kd", {{"teacher_weights", weights}}, two(big(), wide())),
                   evaluate("kdhost.kd", {}, one(big() * 0.75 + wide() * 0.25))) < 1e-12);
  const at::Tensor p = (big() / 4).softmax(1) * 0.75 + (wide() / 4).softmax(1) * 0.25;
  CHECK(difference(evaluate("kdhost.kd", {{"teacher_weights", weights}, {"combine", S("mean_probabilities")}},
                            two(big(), wide())),
                   evaluate("kdhost.kd", {}, one(p.log() * 4))) < 1e-12);
  const std::vector<int64_t> first{1, 0};
  CHECK(difference(evaluate("kdhost.kd", {{"teacher_weights", first}, {"combine", S("mean_probabilities")}},
                            two(big(), wide())),
                   evaluate("kdhost.kd", {}, one(big()))) < 1e-12);
}

TEST_CASE("weights by entropy go to the teacher that is sure of a sample", "[losses]") {
  const auto entropy = [](const at::Tensor& z) { return -(z.softmax(1) * z.log_softmax(1)).sum(1, true); };
  const at::Tensor a = 1 / entropy(big()), b = 1 / entropy(wide());
  const at::Tensor p = ((big() / 4).softmax(1) * a + (wide() / 4).softmax(1) * b) / (a + b);
  CHECK(difference(evaluate("kdhost.kd", {{"combine", S("entropy")}}, two(big(), wide())),
                   evaluate("kdhost.kd", {}, one(p.log() * 4))) < 1e-12);
  // Certain beyond what float64 can tell: still finite.
  CHECK(finite(evaluate("kdhost.kd", {{"combine", S("entropy")}}, two(big() * 1e4, wide() * 1e4))));
}

TEST_CASE("the most certain teacher and the one that knows the label best are chosen sample by sample", "[losses]") {
  const at::Tensor p_big = big().softmax(1), p_wide = wide().softmax(1);
  const auto by = [](const at::Tensor& first) { return at::where(first.unsqueeze(1), big(), wide()); };
  const at::Tensor certain = p_big.amax(1) > p_wide.amax(1);
  REQUIRE((certain.any().item<bool>() && !certain.all().item<bool>()));
  CHECK(difference(evaluate("kdhost.kd", {{"combine", S("most_certain")}}, two(big(), wide())),
                   evaluate("kdhost.kd", {}, one(by(certain)))) < 1e-12);
  const at::Tensor label = y().unsqueeze(1);
  const at::Tensor right = (p_big.gather(1, label) > p_wide.gather(1, label)).squeeze(1);
  REQUIRE((right.any().item<bool>() && !right.all().item<bool>()));
  for (const char* id : {"kdhost.dkd", "kdhost.nkd", "kdhost.wsld", "kdhost.mft"}) {
    INFO(id);
    CHECK(difference(evaluate(id, {{"combine", S("best")}}, labelled(two(big(), wide()))),
                     evaluate(id, {}, labelled(one(by(right))))) < 1e-12);
  }
}

TEST_CASE("every loss on logits takes several teachers", "[losses]") {
  for (const char* id : {"kdhost.kd", "kdhost.logit_mse", "kdhost.dist", "kdhost.lskd", "kdhost.ttm", "kdhost.wttm",
                         "kdhost.jsd", "kdhost.reverse_kl", "kdhost.skew_kl", "kdhost.tvd", "kdhost.logit_cosine"}) {
    for (const char* how : {"mean_logits", "mean_probabilities", "entropy", "most_certain"}) {
      INFO(id << " " << how);
      const Evaluated e = evaluate(id, {{"combine", S(how)}}, two(big(), wide()));
      CHECK(finite(e));
      CHECK(e.gradient_norm() > 0);
    }
  }
}

TEST_CASE("one teacher is taken as it is, whatever is written about several", "[losses]") {
  for (const char* how : {"mean_logits", "mean_probabilities", "entropy", "most_certain"}) {
    INFO(how);
    CHECK(evaluate("kdhost.kd", {{"combine", S(how)}}, one(big())).number() ==
          evaluate("kdhost.kd", {}, one(big())).number());
  }
}

TEST_CASE("mistakes with several teachers name the teacher and the numbers", "[losses]") {
  using Catch::Matchers::Contains;
  CHECK_THAT(
      refusal("kdhost.kd", {}, two(big(), generated({4, 7}, 1))),
      Contains("'student.logits' has 10 classes and 'teacher.logits.1' has 7, expected the same number; choose a "
               "teacher with the classes of the data set"));
  CHECK_THAT(refusal("kdhost.kd", {}, two(generated({3, 10}, 1), big())),
             Contains("'teacher.logits.0' is [3, 10], expected [4, 10] like 'student.logits'"));
  const std::vector<int64_t> three{1, 1, 1}, none{0, 0};
  CHECK_THAT(refusal("kdhost.kd", {{"teacher_weights", three}}, two(big(), wide())),
             Contains("'teacher_weights' is [1, 1, 1], expected one number for each of the 2 teachers of "
                      "'teacher.logits', not all of them 0"));
  CHECK_THAT(refusal("kdhost.kd", {{"teacher_weights", none}}, two(big(), wide())),
             Contains("'teacher_weights' is [0, 0], expected one number for each of the 2 teachers of "
                      "'teacher.logits', not all of them 0"));
}
