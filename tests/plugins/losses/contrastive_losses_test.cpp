// SPDX-License-Identifier: MIT
// Contrastive losses: published numbers, the banks and their life, which negatives are drawn, refusals word for word.
#include <set>

#include "golden_case.hpp"

using kdhost::Arguments;
using kdhost::Error;
using namespace kdhost::test;
using Catch::Matchers::Contains;

namespace {

const Settings kPlain{{"adaptor", S("none")}};

at::Tensor unit_rows(const at::Tensor& x) { return x / x.norm(2, 1, true); }

at::Tensor published_index() {
  return at::tensor({0, 4, 5, 6, 1, 5, 6, 7, 2, 6, 7, 0, 3, 7, 0, 1}, at::kLong).reshape({4, 4});
}

Arguments samples(int64_t n, const std::vector<int64_t>& labels = {}) {
  Arguments facts;
  facts.add("samples", n);
  if (!labels.empty()) facts.add("labels", std::span<const int64_t>(labels));
  return facts;
}

Bound with_index(Bound bound, const at::Tensor& index, const at::Tensor& contrast = {}) {
  bound.emplace_back("batch.index", index);
  if (contrast.defined()) bound.emplace_back("batch.contrast_index", contrast);
  return bound;
}

void set(LossCase& loss, const std::string& name, const at::Tensor& value) {
  loss.parts()[loss.parts().find(name).value()].copy_(value);
}
at::Tensor part(LossCase& loss, const std::string& name) { return loss.parts()[loss.parts().find(name).value()]; }

void set_published_banks(LossCase& loss) {
  set(loss, "bank_student", unit_rows(generated({8, 16}, 31)));
  set(loss, "bank_teacher", unit_rows(generated({8, 16}, 32)));
}

/// The published case; the banks as they are before the batch.
std::unique_ptr<LossCase> published(at::ScalarType type = at::kDouble, const Settings& more = {}) {
  Settings settings = kPlain;
  settings.insert(settings.end(), more.begin(), more.end());
  auto loss = std::make_unique<LossCase>(
      "kdhost.crd", settings,
      with_index(converted(tap(e_s(), e_t()), type), at::arange(4, at::kLong), published_index()), KDH_CALL_TRAINING,
      samples(8));
  set_published_banks(*loss);
  return loss;
}

/// A loss that draws: `n` samples of the classes in `labels`, the batch {0, 1}. Rows of the teacher's bank that must
/// not be drawn for sample 0 or 1 are NaN, which a drawn one passes on to the value.
double drawn_value(const std::vector<int64_t>& labels, const std::vector<int64_t>& forbidden, double negatives,
                   uint64_t key, const char* mode = "exact") {
  const auto n = static_cast<int64_t>(labels.size());
  LossCase loss("kdhost.crd", {{"adaptor", S("none")}, {"negatives", negatives}, {"mode", S(mode)}},
                with_index(tap(generated({2, 5}, 1), generated({2, 5}, 2)), at::arange(2, at::kLong)),
                KDH_CALL_TRAINING, samples(n, labels));
  at::Tensor bank = unit_rows(generated({n, 5}, 3));
  for (const int64_t row : forbidden) bank[row] = std::nan("");
  set(loss, "bank_teacher", bank);
  set(loss, "bank_student", unit_rows(generated({n, 5}, 4)));
  return loss.evaluate(false, key).number();
}

}  // namespace

TEST_CASE("crd gives the value of the published code", "[golden]") {
  CHECK(published()->evaluate().number() == Approx(8.689996524).epsilon(1e-10));
  CHECK(published(at::kFloat)->evaluate().number() == Approx(8.689996524).epsilon(1e-5));
  // Our own computation of the published formula in PyTorch.
  CHECK(published()->evaluate().gradient_norm() == Approx(3.124498327).epsilon(1e-8));
}

TEST_CASE("the gradient of crd agrees with central differences, with Z held", "[golden]") {
  auto loss = published();
  loss->evaluate();
  loss->parts().apply_writes();
  set_published_banks(*loss);  // Z stays as the first batch has set it
  const Evaluated at_point = loss->evaluate();
  at::Tensor& x = loss->input(0);
  const at::Tensor g = at_point.gradient.at("student.features.0");
  for (int64_t k = 0; k < x.numel(); ++k) {
    double* p = x.data_ptr<double>() + k;
    const double before = *p;
    *p = before + 1e-6;
    const double above = loss->evaluate(false).number();
    *p = before - 1e-6;
    const double below = loss->evaluate(false).number();
    *p = before;
    CHECK((above - below) / 2e-6 == Approx(g.data_ptr<double>()[k]).margin(1e-5 * g.abs().max().item<double>()));
  }
}

TEST_CASE("after a batch the bank rows of its samples have moved, in unit length, and Z is set for good", "[losses]") {
  auto loss = published(at::kDouble, {{"momentum", 0.25}});
  const at::Tensor before = part(*loss, "bank_student").clone(), teacher = part(*loss, "bank_teacher").clone();
  const double first = loss->evaluate().number();
  CHECK(at::equal(part(*loss, "bank_student"), before));  // applied after backward
  loss->parts().apply_writes();
  const at::Tensor moved = unit_rows(before.slice(0, 0, 4) * 0.25 + unit_rows(e_s()) * 0.75);
  CHECK(at::allclose(part(*loss, "bank_student").slice(0, 0, 4), moved, 1e-13, 1e-15));
  CHECK(at::equal(part(*loss, "bank_student").slice(0, 4), before.slice(0, 4)));
  CHECK(at::allclose(part(*loss, "bank_teacher").slice(0, 0, 4),
                     unit_rows(teacher.slice(0, 0, 4) * 0.25 + unit_rows(e_t()) * 0.75), 1e-13, 1e-15));
  const at::Tensor scores = unit_rows(e_s()).matmul(teacher.t()).gather(1, published_index()) / 0.07;
  const double z = scores.exp().mean().item<double>() * 8;
  CHECK(part(*loss, "z_student").item<double>() == Approx(z).epsilon(1e-12));

  const double second = loss->evaluate().number();
  loss->parts().apply_writes();
  CHECK(second < first);  // the positives have come nearer
  CHECK(part(*loss, "z_student").item<double>() == Approx(z).epsilon(1e-12));
}

TEST_CASE("a sample that is twice in a batch moves its bank row twice, in the order of the batch", "[losses]") {
  LossCase loss("kdhost.crd", kPlain,
                with_index(tap(e_s(), e_t()), at::tensor({3, 1, 3, 0}, at::kLong), published_index()),
                KDH_CALL_TRAINING, samples(8));
  set_published_banks(loss);
  at::Tensor row = part(loss, "bank_student")[3].clone();
  loss.evaluate();
  loss.parts().apply_writes();
  for (const int64_t i : {0, 2}) {
    row = row * 0.5 + unit_rows(e_s())[i] * 0.5;
    row = row / row.norm();
  }
  CHECK(at::allclose(part(loss, "bank_student")[3], row, 1e-13, 1e-15));
}

TEST_CASE("outside training crd leaves its state alone", "[losses]") {
  LossCase loss("kdhost.crd", kPlain, with_index(tap(e_s(), e_t()), at::arange(4, at::kLong), published_index()), 0,
                samples(8));
  set_published_banks(loss);
  CHECK(loss.evaluate().number() == Approx(8.689996524).epsilon(1e-10));
  CHECK_FALSE(loss.parts().has_writes());
}

TEST_CASE("the banks of crd start within the authors' bounds, one row a sample, and both adaptors are trained",
          "[losses]") {
  Bound bound = with_index(tap(generated({4, 6}, 1), generated({4, 2, 3, 3}, 2)), at::arange(4, at::kLong));
  bound[1].second.requires_grad_();
  LossCase loss("kdhost.crd", {{"dim", 12.0}, {"negatives", 5.0}}, bound, KDH_CALL_TRAINING, samples(40));
  const at::Tensor bank = part(loss, "bank_teacher");
  CHECK(bank.sizes().vec() == std::vector<int64_t>{40, 12});
  CHECK(bank.abs().max().item<double>() <= 0.5);
  CHECK(bank.abs().max().item<double>() > 0.45);
  CHECK(part(loss, "teacher0.weight").sizes().vec() == std::vector<int64_t>{12, 18});
  const Evaluated e = loss.evaluate();
  CHECK(finite(e));
  CHECK(e.gradient_norm() > 0);
  CHECK(part(loss, "student0.weight").grad().abs().max().item<double>() > 0);
  CHECK(part(loss, "teacher0.weight").grad().abs().max().item<double>() > 0);
  CHECK_FALSE(bound[1].second.grad().defined());
}

TEST_CASE("negatives come from other classes, each once as long as there are enough", "[losses]") {
  const std::vector<int64_t> labels{0, 0, 0, 0, 1, 1, 2, 2};
  for (uint64_t key = 0; key < 20; ++key) {
    CHECK(std::isfinite(drawn_value(labels, {2, 3}, 2, key)));
    CHECK(std::isfinite(drawn_value(labels, {2, 3}, 9, key)));  // more than there are: some twice
  }
  // All four of them: whatever the order, the value is the same.
  const double all = drawn_value(labels, {2, 3}, 4, 1);
  CHECK(drawn_value(labels, {2, 3}, 4, 2) == Approx(all).epsilon(1e-12));
  CHECK(drawn_value(labels, {2, 3}, 3, 1) != drawn_value(labels, {2, 3}, 3, 2));
  CHECK(drawn_value(labels, {2, 3}, 3, 1) == drawn_value(labels, {2, 3}, 3, 1));
  CHECK(std::isnan(drawn_value(labels, {4}, 4, 1)));  // the test would see a forbidden row
}

TEST_CASE("samples without a known class are no negatives; where no class is known all others are", "[losses]") {
  for (uint64_t key = 0; key < 20; ++key) CHECK(std::isfinite(drawn_value({0, 1, -1, -1, 2, 2}, {2, 3}, 2, key)));
  const double all = drawn_value({-1, -1, -1, -1}, {}, 3, 1);
  CHECK(std::isfinite(all));
  CHECK(drawn_value({-1, -1, -1, -1}, {}, 3, 5) == Approx(all).epsilon(1e-12));
}

TEST_CASE("relax takes any sample of the class as the positive", "[losses]") {
  std::set<double> values;
  for (uint64_t key = 0; key < 40; ++key) {
    const double value = drawn_value({0, 1, 0, 2}, {}, 2, key, "relax");
    CHECK(std::isfinite(value));
    values.insert(std::round(value * 1e9) / 1e9);
  }
  // Sample 0 has two positives, 1 has one; sample 0's negatives are always 1 and 3, those of 1 two of three.
  CHECK(values.size() == 6);
  std::set<double> exact;
  for (uint64_t key = 0; key < 40; ++key) exact.insert(std::round(drawn_value({0, 1, 0, 2}, {}, 2, key) * 1e9) / 1e9);
  CHECK(exact.size() == 3);
}

TEST_CASE("crd refuses what it cannot use, word for word", "[losses]") {
  const Bound e = tap(e_s(), e_t());
  const auto refused = [](const Bound& bound, Arguments facts, const Settings& settings = kPlain) {
    try {
      LossCase("kdhost.crd", settings, bound, KDH_CALL_TRAINING, std::move(facts)).evaluate(false);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK_THAT(refused(with_index(e, at::tensor({0, 1, 8, 2}, at::kLong)), samples(8)),
             Contains("'batch.index' has 8 at position 2, expected 0 to 7, a row of the bank"));
  CHECK_THAT(refused(with_index(e, at::arange(3, at::kLong)), samples(8)),
             Contains("'batch.index' holds int64 [3], expected int64 [4], one position for each sample"));
  at::Tensor outside = published_index();
  outside[1][2] = -1;
  CHECK_THAT(refused(with_index(e, at::arange(4, at::kLong), outside), samples(8)),
             Contains("'batch.contrast_index' has -1 at position [1, 2], expected 0 to 7, a row of the bank"));
  CHECK_THAT(refused(with_index(e, at::arange(4, at::kLong), at::zeros({4, 1}, at::kLong)), samples(8)),
             Contains("'batch.contrast_index' holds int64 [4, 1], expected int64 [4, 1 + negatives]"));
  CHECK_THAT(refused(with_index(e, at::arange(4, at::kLong)), {}),
             Contains("the data set has 0 training samples, expected at least two: the bank holds one embedding a "
                      "sample (kdhost loss: give state.bank_student and state.bank_teacher)"));
  CHECK_THAT(refused(with_index(e, at::arange(4, at::kLong)), samples(4, {1, 1, 1, 1})),
             Contains("sample 0 has no negatives: every sample whose class is known is of its own class, expected at "
                      "least two classes"));
  CHECK_THAT(
      refused(with_index(two_taps(), at::arange(4, at::kLong)), samples(8)),
      Contains("'student.features' has 2 taps and 'teacher.features' has 2, expected one embedding on each side"));
  CHECK_THAT(refused(with_index(tap(e_s(), f_t()), at::arange(4, at::kLong)), samples(8)),
             Contains("tap 0: 'student.features.0' is [4, 16] and 'teacher.features.0' is [4, 8, 6, 6], expected "
                      "embeddings of the same width; set adaptor = \"auto\""));
}

TEST_CASE("sskd gives value and gradient of the published formula", "[golden]") {
  const Bound groups = tap(generated({12, 6}, 81), generated({12, 5}, 82));
  const std::vector<Golden> golden{{"kdhost.sskd", kPlain, groups, 0.177318995018, 0.1128467704, "own computation"},
                                   {"kdhost.sskd",
                                    {{"adaptor", S("none")}, {"keep_wrong", 0.3}},
                                    groups,
                                    0.154487629255,
                                    0.1443998089,
                                    "own computation"}};
  CHECK(wrong_values(golden) == kNoDifferences);
  CHECK(wrong_gradient_norms(golden) == kNoDifferences);
  CHECK(wrong_in_float32(golden) == kNoDifferences);
  CHECK(teacher_gradients(golden) == kNoDifferences);
  CHECK(wrong_gradients({{"kdhost.sskd", {}, groups},
                         {"kdhost.sskd", {{"views", 3.0}, {"keep_wrong", 0.0}}, groups}}) == kNoDifferences);
}

TEST_CASE("sskd at the edges: equality, one plain row, zero rows, a wrong number of rows", "[losses]") {
  const at::Tensor e = generated({8, 6}, 81);
  const Evaluated equal = evaluate("kdhost.sskd", kPlain, tap(e, e));
  CHECK(std::abs(equal.number()) < 1e-12);
  CHECK(finite(equal));
  CHECK(std::abs(evaluate("kdhost.sskd", kPlain, tap(e.slice(0, 0, 4), generated({4, 3}, 5))).number()) < 1e-12);
  CHECK(finite(evaluate("kdhost.sskd", kPlain, tap(at::zeros({8, 6}, at::kDouble), e))));
  CHECK(finite(evaluate("kdhost.sskd", kPlain, tap(e, at::zeros({8, 6}, at::kDouble)))));
  CHECK_THAT(
      refusal("kdhost.sskd", kPlain, tap(e.slice(0, 0, 6), e.slice(0, 0, 6))),
      Contains("tap 0: 'student.features.0' is [6, 6] and 'teacher.features.0' is [6, 6], expected a multiple of "
               "4 rows, since views = 4: each sample, then its transformed views"));
}

TEST_CASE("the head of sskd is trained", "[losses]") {
  LossCase loss("kdhost.sskd", {}, tap(generated({8, 6}, 81), generated({8, 5}, 82)));
  REQUIRE(loss.parts().size() == 4);
  CHECK(finite(loss.evaluate()));
  CHECK(part(loss, "head0.first.weight").grad().abs().max().item<double>() > 0);
}
