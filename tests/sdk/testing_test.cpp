// SPDX-License-Identifier: MIT
// <kdhost/testing.hpp> as a plugin author uses it: no LibTorch and no kdhost in this program.
#include <catch2/catch.hpp>
#include <kdhost/testing.hpp>

// NOLINTBEGIN: the shipped examples are sources, each with its own KDHOST_PLUGIN
#undef KDHOST_PLUGIN
#define KDHOST_PLUGIN(...)
#include "../../sdk/templates/custom_gradient.cpp"
#include "../../sdk/templates/fused_kd_ce.cpp"
#include "../../sdk/templates/raw_memory.cpp"
// NOLINTEND

namespace {

using kdhost::testing::Bench;
using kdhost::testing::gradient_error;
using kdhost::testing::tensor;
using kdhost::testing::values;

struct SoftKl final : Loss {
  static void describe(Spec& s) {
    s.id("test.soft_kl").version("1.0.0").summary("KL divergence of softened class probabilities");
    s.number("temperature", 4.0).range(0.1, 100.0).schedulable();
    s.input("student.logits");
    s.input("teacher.logits");
  }
  Tensor compute(const Call& c) override {
    const double t = c.number("temperature");
    const Tensor student = log_softmax(c["student.logits"] / t, 1), teacher = log_softmax(c["teacher.logits"] / t, 1);
    return kl_div(student, teacher, Reduction::batchmean, true) * (t * t);
  }
};

// A regressor between hidden layers of different widths, and a running mean of the loss.
struct Hint final : Loss {
  static void describe(Spec& s) {
    s.id("test.hint").version("1.0.0").summary("regressed hidden layer");
    s.inputs("student.features");
    s.inputs("teacher.features");
  }
  Hint(const Params&, const Ports& ports, Builder& b)
      : regressor_(b.linear("regressor", ports.size("student.features.0", 1), ports.size("teacher.features.0", 1))),
        mean_(b.buffer("mean", {}, Init::zeros())) {}
  Tensor compute(const Call& c) override {
    const Tensor loss = mse_loss(regressor_(c, c.list("student.features")[0]), c.list("teacher.features")[0]);
    c.write(mean_, lerp(c.part(mean_), loss, 0.5));
    c.report("plain", loss);
    return loss;
  }

 private:
  nn::Linear regressor_;
  Slot mean_;
};

struct Net final : Model {
  static void describe(Spec& s) {
    s.id("test.net").version("1.0.0").summary("one layer with dropout");
    s.number("dropout", 0.5).range(0.0, 1.0);
    s.input("batch.input");
    s.output("logits");
  }
  Net(const Params& p, const Ports& ports, Builder& b)
      : fc_(b.linear("fc", ports.size("batch.input", 1), ports.classes())), drop_(b.dropout(p.number("dropout"))) {}
  void forward(const Call& c, Outputs& out) override {
    const Tensor x = drop_(c, c["batch.input"]);
    out.tap("dropped", x);
    out.set("logits", fc_(c, x));
  }

 private:
  nn::Linear fc_;
  nn::Dropout drop_;
};

struct Halving final : Scheduler {
  static void describe(Spec& s) { s.id("test.halving").version("1.0.0").summary("base to half of it"); }
  double value(const Moment& m, const Params&) override { return m.base() * (1.0 - 0.5 * m.progress()); }
};

struct Flip final : Transform {
  static void describe(Spec& s) { s.id("test.flip").version("1.0.0").summary("random sign"); }
  void apply(const Call& c) override {
    Tensors rows;
    for (std::int64_t i = 0; i < c.samples(); ++i)
      rows.push_back(c["input"].select(0, i) * (c.stream(i).uniform() < 0.5 ? -1 : 1));
    c.emit("input", stack(rows));
  }
};

struct WrongGradient {
  Tensor forward(const Tensors& in, Tensors& saved) const {
    saved = in;
    return (in[0] * in[0]).sum();
  }
  Tensors backward(const Tensors& saved, const Tensor& grad) const {
    return {saved[0] * grad};
  }  // a factor 2 is missing
};

}  // namespace

TEST_CASE("a loss on the fake host gives the value worked out by hand") {
  Bench<SoftKl> bench({{"temperature", 1.0}});
  bench.input("student.logits", {0.0, 0.0}, {1, 2}).input("teacher.logits", {std::log(3.0), 0.0}, {1, 2});
  const double expected = 0.75 * std::log(0.75 / 0.5) + 0.25 * std::log(0.25 / 0.5);
  CHECK(bench.compute() == Approx(expected).epsilon(1e-12));
}

TEST_CASE("differences of the loss agree with its known gradient") {
  Bench<SoftKl> bench({{"temperature", 2.0}});
  bench.input("student.logits", {0.3, -0.2, 1.0, 0.1, 0.5, -0.4}, {2, 3});
  bench.input("teacher.logits", {1.3, 0.2, -1.0, 0.4, 0.5, 0.6}, {2, 3});
  // d/ds = T (softmax(s / T) - softmax(t / T)) / N
  const Tensor s = tensor({0.3, -0.2, 1.0, 0.1, 0.5, -0.4}, {2, 3}),
               t = tensor({1.3, 0.2, -1.0, 0.4, 0.5, 0.6}, {2, 3});
  const std::vector<double> expected = values((softmax(s / 2.0, 1) - softmax(t / 2.0, 1)) * 2.0 / 2);
  const std::vector<double> found = bench.numeric_gradient("student.logits");
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK(found[i] == Approx(expected[i]).margin(1e-8));
}

TEST_CASE("a schedulable parameter can be changed between calls") {
  Bench<SoftKl> bench;
  bench.input("student.logits", {1, 2}, {1, 2}).input("teacher.logits", {2, 1}, {1, 2});
  const double warm = bench.compute();
  bench.set("temperature", 1.0);
  CHECK(bench.compute() != Approx(warm));
}

TEST_CASE("a loss with parts finds the shapes of its list ports, and its buffer is written after the call") {
  Bench<Hint> bench;
  bench.inputs("student.features", {tensor({1, 2, 3, 4}, {2, 2})})
      .inputs("teacher.features", {tensor({1, 2, 3, 4, 5, 6}, {2, 3})});
  CHECK(bench.part_names() == std::vector<std::string>{"regressor.weight", "regressor.bias", "mean"});
  CHECK(bench.part("regressor.weight").shape() == Shape{3, 2});
  bench.set_part("regressor.weight", {1, 0, 0, 1, 1, 1});
  bench.set_part("regressor.bias", {0, 0, 1});
  // rows (1, 2) -> (1, 2, 4), (3, 4) -> (3, 4, 8); squares of the differences: 1 and 1 + 1 + 4 over 6 elements
  CHECK(bench.compute() == Approx((1.0 + 1.0 + 1.0 + 4.0) / 6.0));
  CHECK(bench.result("plain").item() == Approx(7.0 / 6.0));
  CHECK(bench.part("mean").item() == Approx(7.0 / 12.0));
}

TEST_CASE("a model has dropout in training only, the same for the same seed") {
  Bench<Net> bench;
  bench.fact("classes", 3).input("batch.input", std::vector<double>(40, 1.0), {10, 4}).training(false);
  CHECK(values(bench.forward().at("dropped")) == std::vector<double>(40, 1.0));
  CHECK(bench.forward().at("logits").shape() == Shape{10, 3});
  bench.training(true);
  CHECK(values(bench.forward().at("dropped")) != std::vector<double>(40, 1.0));
}

TEST_CASE("schedulers, transforms and metrics run on the fake host") {
  Bench<Halving> halving;
  CHECK(halving.at_step(50, 100).value(4.0) == Approx(3.0));

  Bench<Flip> flip;
  flip.input("input", {1, 2, 3, 4, 5, 6, 7, 8}, {8, 1});
  const std::vector<double> once = values(flip.forward().at("input"));
  CHECK(once == values(flip.forward().at("input")));
  CHECK(values(flip.seed(2).forward().at("input")) != once);

  Bench<PairOrder> order;
  order.input("student.logits", {1, 2, 3, 3, 2, 1}, {2, 3}).input("teacher.logits", {1, 2, 3, 1, 2, 3}, {2, 3});
  CHECK(order.measure().at("pair_order") == Approx(0.5));
}

TEST_CASE("a right hand-written gradient agrees with differences and a wrong one does not") {
  const Tensors inputs{tensor({0.3, -0.2, 1.0, 2.1}, {2, 2}), tensor({0.1, 0.4, -1.0, 0.2}, {2, 2})};
  CHECK(gradient_error(MeanLogCosh{}, inputs) < 1e-8);
  CHECK(gradient_error(WrongGradient{}, {inputs[0]}) > 0.1);
}

TEST_CASE("the shipped kernel with parallel_for has the right value and gradient, also when pieces run backwards") {
  constexpr std::int64_t kRows = 50, kClasses = 4;
  constexpr double kTemperature = 2.0, kAlpha = 0.3;
  std::vector<double> student, teacher, label;
  Stream stream(3);
  for (int i = 0; i < kRows * kClasses; ++i) {
    student.push_back(stream.normal());
    teacher.push_back(stream.normal());
  }
  for (int i = 0; i < kRows; ++i) label.push_back(static_cast<double>(i % kClasses));
  Bench<KdCe> bench({{"temperature", kTemperature}, {"alpha", kAlpha}});
  bench.input("student.logits", student, {kRows, kClasses}).input("teacher.logits", teacher, {kRows, kClasses});
  bench.input("batch.label", label, {kRows}, Dtype::i64);
  double expected = 0;
  for (std::size_t r = 0; r < kRows; ++r) {
    const auto probability = [&](const std::vector<double>& logits, std::size_t i, double temperature) {
      double sum = 0;
      for (std::size_t j = 0; j < kClasses; ++j) sum += std::exp(logits[kClasses * r + j] / temperature);
      return std::exp(logits[kClasses * r + i] / temperature) / sum;
    };
    expected -= kAlpha * std::log(probability(student, r % kClasses, 1.0)) / kRows;
    for (std::size_t i = 0; i < kClasses; ++i) {
      const double p = probability(teacher, i, kTemperature);
      expected +=
          (1 - kAlpha) * kTemperature * kTemperature * p * std::log(p / probability(student, i, kTemperature)) / kRows;
    }
  }
  CHECK(bench.compute() == Approx(expected).epsilon(1e-12));

  struct OfStudent : FusedKdCe {
    Tensor teacher, label;
    Tensor forward(const Tensors& in, Tensors& saved) const {
      return FusedKdCe::forward({in[0], teacher, label}, saved);
    }
    Tensors backward(const Tensors& saved, const Tensor& grad) const {
      return {FusedKdCe::backward(saved, grad).front()};
    }
  };
  const OfStudent kernel{
      {kTemperature, kAlpha}, tensor(teacher, {kRows, kClasses}), tensor(label, {kRows}, Dtype::i64)};
  CHECK(gradient_error(kernel, {tensor(student, {kRows, kClasses})}) < 1e-8);

  label[7] = kClasses;
  bench.input("batch.label", label, {kRows}, Dtype::i64);
  CHECK_THROWS_WITH(bench.compute(), "a label is not one of the 4 classes of the logits");
}

TEST_CASE("a parameter that a component asks for wrongly is answered with what there is") {
  struct Asks final : Loss {
    static void describe(Spec& s) {
      s.id("test.asks").version("1.0.0").summary("asks for what its parameter 'asks' says");
      s.text("asks", "delta").doc("which one");
      s.number("period").doc("without a default");
      s.input("student.logits");
    }
    Tensor compute(const Call& c) override {
      const std::string name(c.params().text("asks"));
      return c["student.logits"].sum() * c.params().number(name);
    }
  };
  const auto asked_for = [](const char* name) {
    Bench<Asks> bench({{"asks", name}});
    bench.input("student.logits", {1, 2}, {1, 2});
    bench.compute();
  };
  CHECK_THROWS_WITH(asked_for("dleta"), "there is no parameter 'dleta'; there are: asks, period");
  CHECK_THROWS_WITH(asked_for("asks"), "parameter 'asks' is not of type number");
  CHECK_THROWS_WITH(asked_for("period"),
                    "parameter 'period' has no value: it is not written and has no default. Give it a default, declare "
                    "it required(), or ask has() before");
}

TEST_CASE("mistakes on the bench are named") {
  CHECK_THROWS_WITH(Bench<SoftKl>({{"temprature", 1.0}}), "there is no parameter 'temprature'");
  CHECK_THROWS_WITH(Bench<SoftKl>({{"temperature", 1000.0}}),
                    "parameter 'temperature' is 1000.000000, out of its range");
  CHECK_THROWS_WITH(Bench<SoftKl>({{"temperature", "warm"}}), "parameter 'temperature' has another type");
  Bench<SoftKl> unbound;
  CHECK_THROWS_WITH(unbound.compute(), "there is no input 'student.logits'; there are none");
  CHECK_THROWS_WITH(tensor({1, 2}, {3}), "2 values for shape [3]");
  CHECK_THROWS_WITH(linalg_svd(tensor({1}, {1, 1})),
                    "the fake host of kdhost/testing.hpp has no operator 'linalg_svd'; test this part with `kdhost "
                    "loss` or in a run");
  CHECK_THROWS_WITH(tensor({1, 2}, {2}) + tensor({1, 2, 3}, {3}), "shapes [2] and [3] do not broadcast");
}
