// SPDX-License-Identifier: MIT
// The shipped metrics against values computed independently with NumPy in float64 from the same rational scores
// (definitions of scikit-learn for precision, recall and F1), their independence of the cut into batches, and what they
// refuse.
#include <catch2/catch.hpp>

#include <cmath>

#include "plugins/shipped_component.hpp"
#include "tensor/metric.hpp"

using namespace kdhost;
using namespace kdhost::test;

namespace {

constexpr int64_t kSamples = 12, kClasses = 5;

// Without ties; class 3 is never predicted and never a label, class 4 is predicted and never a label, class 2 the
// reverse.
at::Tensor student_scores() {
  at::Tensor z = at::empty({kSamples, kClasses}, at::kDouble);
  auto* p = z.data_ptr<double>();
  for (int64_t i = 0; i < kSamples; ++i)
    for (int64_t c = 0; c < kClasses; ++c)
      *p++ = static_cast<double>((i * 7 + c * 13 + i * i * 3 + i * c * 5) % 23) / 4 - 2.5 +
             static_cast<double>(c) / 16 - (c == 3 ? 6 : 0);
  return z;
}
at::Tensor teacher_scores() {
  at::Tensor z = at::empty({kSamples, kClasses}, at::kDouble);
  auto* p = z.data_ptr<double>();
  for (int64_t i = 0; i < kSamples; ++i)
    for (int64_t c = 0; c < kClasses; ++c)
      *p++ = static_cast<double>((i * 7 + c * 13 + i * i * 3 + i * c * 5) % (i % 3 != 0 ? 23 : 19)) / 4 +
             static_cast<double>(c) / 32;
  return z;
}
at::Tensor labels() { return at::tensor({1, 0, 0, 1, 1, 2, 0, 2, 0, 1, 0, 1}, at::kLong); }
at::Tensor soft_labels() {
  at::Tensor q = at::empty({kSamples, kClasses}, at::kDouble);
  auto* p = q.data_ptr<double>();
  for (int64_t i = 0; i < kSamples; ++i)
    for (int64_t c = 0; c < kClasses; ++c) *p++ = static_cast<double>((i + c * 3) % 7 + 1);
  return q / q.sum(1, true);
}

using Tensors = std::vector<std::pair<std::string, at::Tensor>>;
Tensors usual() { return {{"student.logits", student_scores()}, {"batch.label", labels()}}; }

class Judge {
 public:
  explicit Judge(const std::string& id, const Settings& settings = {})
      : component_(shipped("kdhost_metrics", id)),
        metric_(origin(component_, "kdhost_metrics", "metric"), {arguments(component_, settings), {}, {}}) {}

  /// Numbers of `tensors`, cut into batches of the given sizes.
  Numbers numbers(const Tensors& tensors, const std::vector<int64_t>& cut = {kSamples}) {
    std::vector<std::size_t> slots;
    for (const auto& [port, tensor] : tensors)
      slots.push_back(metric_.inputs().find(port) ? *metric_.inputs().find(port) : metric_.inputs().add(port));
    metric_.reset();
    int64_t at = 0;
    for (const int64_t n : cut) {
      std::vector<at::Tensor> rows;
      for (const auto& [port, tensor] : tensors) rows.push_back(tensor.narrow(0, at, n));
      for (std::size_t i = 0; i < rows.size(); ++i) metric_.inputs().set(slots[i], rows[i]);
      metric_.add({});
      at += n;
    }
    return metric_.result({});
  }
  double value(const Tensors& tensors, const std::vector<int64_t>& cut = {kSamples}) {
    return numbers(tensors, cut).at(0).second;
  }
  bool higher_is_better() const { return metric_.higher_is_better(); }

 private:
  const kdh_component& component_;
  MetricInstance metric_;
};

struct Golden {
  std::string id;
  Settings settings;
  double value;
  bool higher_is_better = true;
};

const std::vector<Golden> kGolden = {
    {"kdhost.accuracy", {}, 0.4166666666666667},
    {"kdhost.top_k", {{"k", 2.0}}, 0.5833333333333334},
    {"kdhost.top_k", {{"k", 3.0}}, 0.8333333333333334},
    {"kdhost.top_k", {{"k", 99.0}}, 1.0},
    {"kdhost.nll", {}, 1.9843534073167672, false},
    {"kdhost.ece", {}, 0.4500310555751924, false},
    {"kdhost.ece", {{"bins", 4.0}}, 0.3228087847282484, false},
    {"kdhost.precision", {}, 0.35416666666666663},
    {"kdhost.recall", {}, 0.25},
    {"kdhost.f1", {}, 0.29166666666666663},
    {"kdhost.confusion_matrix", {}, 0.4166666666666667},
};

}  // namespace

TEST_CASE("every metric has its golden value, named after it, and says which way is better") {
  for (const Golden& g : kGolden) {
    INFO(g.id);
    Judge judge(g.id, g.settings);
    const Numbers n = judge.numbers(usual());
    CHECK(n.at(0).second == Approx(g.value).epsilon(1e-14));
    CHECK("kdhost." + n.at(0).first == (g.id == "kdhost.confusion_matrix" ? "kdhost.accuracy" : g.id));
    CHECK(judge.higher_is_better() == g.higher_is_better);
  }
}

TEST_CASE("agreement compares student and teacher and needs no labels") {
  Judge judge("kdhost.agreement");
  CHECK(judge.value({{"student.logits", student_scores()}, {"teacher.logits", teacher_scores()}}) ==
        Approx(7.0 / 12).epsilon(1e-15));
  CHECK(judge.value({{"student.logits", student_scores()}, {"teacher.logits", student_scores()}}) == 1.0);
}

TEST_CASE("no metric depends on how the data are cut into batches") {
  for (const Golden& g : kGolden) {
    INFO(g.id);
    Judge judge(g.id, g.settings);
    const Numbers whole = judge.numbers(usual());
    for (const std::vector<int64_t>& cut :
         {std::vector<int64_t>{5, 7}, {1, 1, 10}, {4, 4, 4}, std::vector<int64_t>(12, 1)}) {
      const Numbers parts = judge.numbers(usual(), cut);
      REQUIRE(parts.size() == whole.size());
      for (std::size_t i = 0; i < whole.size(); ++i) CHECK(parts[i].second == Approx(whole[i].second).epsilon(1e-14));
    }
  }
}

TEST_CASE("the confusion matrix counts labels by predictions") {
  Judge judge("kdhost.confusion_matrix");
  const Numbers n = judge.numbers(usual(), {5, 7});
  const double expected[kClasses][kClasses] = {{2, 1, 0, 0, 2}, {0, 3, 0, 0, 2}, {1, 0, 0, 0, 1}};
  REQUIRE(n.size() == 1 + kClasses * kClasses);
  for (std::size_t i = 0; i < kClasses; ++i)
    for (std::size_t j = 0; j < kClasses; ++j) {
      const auto& [name, value] = n[1 + i * kClasses + j];
      CHECK(name == "label_" + std::to_string(i) + ".predicted_" + std::to_string(j));
      CHECK(value == expected[i][j]);
    }
}

TEST_CASE("labels may be probabilities: the largest counts, and nll weighs them all") {
  const Tensors soft = {{"student.logits", student_scores()}, {"batch.label", soft_labels()}};
  CHECK(Judge("kdhost.accuracy").value(soft) == Approx(0.4166666666666667).epsilon(1e-14));
  CHECK(Judge("kdhost.nll").value(soft) == Approx(3.454726215487604).epsilon(1e-14));
}

TEST_CASE("labels of any integer type and scores of float32 and bfloat16 are judged in float64") {
  for (const at::ScalarType dtype : {at::kByte, at::kInt, at::kLong}) {
    const Tensors typed = {{"student.logits", student_scores().to(at::kFloat)}, {"batch.label", labels().to(dtype)}};
    CHECK(Judge("kdhost.f1").value(typed) == Approx(0.29166666666666663).epsilon(1e-14));
    CHECK(Judge("kdhost.nll").value(typed) ==
          Approx(1.9843534073167672).epsilon(1e-14));  // these scores are exact in float32
  }
  const Tensors half = {{"student.logits", student_scores().to(at::kBFloat16)}, {"batch.label", labels()}};
  CHECK(Judge("kdhost.ece").value(half) == Approx(0.45).margin(0.02));
}

TEST_CASE("a model that is always sure and right has no calibration error, one that is always wrong has all") {
  const at::Tensor y = at::tensor({0, 1, 1}, at::kLong);
  const at::Tensor sure = at::tensor({1e3, 0.0, 0.0, 1e3, 0.0, 1e3}, at::kDouble).reshape({3, 2});
  CHECK(Judge("kdhost.ece").value({{"student.logits", sure}, {"batch.label", y}}, {3}) == 0.0);
  CHECK(Judge("kdhost.ece").value({{"student.logits", -sure}, {"batch.label", y}}, {3}) == 1.0);
  CHECK(Judge("kdhost.nll").value({{"student.logits", -sure}, {"batch.label", y}}, {3}) == 1000.0);
}

TEST_CASE("a confidence on the border of two bins belongs to the lower one") {
  // Confidences 1/2 and 3/4 in the bins (0, 1/2] and (1/2, 1]; the second is wrong: 0.5 * 0.5 + 0.5 * 0.75. Which class
  // a tie predicts makes no difference.
  const at::Tensor z = at::tensor({0.0, 0.0, std::log(3.0), 0.0}, at::kDouble).reshape({2, 2});
  const at::Tensor y = at::tensor({0, 1}, at::kLong);
  CHECK(Judge("kdhost.ece", {{"bins", 2.0}}).value({{"student.logits", z}, {"batch.label", y}}, {2}) ==
        Approx(0.625).epsilon(1e-15));
}

TEST_CASE("scores and labels of other shapes are refused") {
  const auto text = [](const Tensors& tensors) {
    try {
      Judge("kdhost.accuracy").numbers(tensors, {2});
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string("nothing was refused");
  };
  CHECK_THAT(text({{"student.logits", at::zeros({2, 3, 4})}, {"batch.label", at::zeros({2}, at::kLong)}}),
             Catch::Contains("'student.logits' is [2, 3, 4], expected class scores [N, C]"));
  CHECK_THAT(text({{"student.logits", at::zeros({2, 3})}, {"batch.label", at::zeros({2, 1, 1}, at::kLong)}}),
             Catch::Contains("'batch.label' is [2, 1, 1], expected class numbers [N] or probabilities [N, C]"));
}
