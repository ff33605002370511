// SPDX-License-Identifier: MIT
// What the losses on logits do at the edges: refusals word for word, extreme and degenerate inputs, and the two ways in
// which kdhost.kd and kdhost.cross_entropy are computed.
#include "loss_case.hpp"

#include <ATen/Parallel.h>

using namespace kdhost::test;

namespace {

Bound task(const at::Tensor& z, const at::Tensor& label) { return {{"student.logits", z}, {"batch.label", label}}; }

at::Tensor gradient_of(const Evaluated& e) { return e.gradient.at("student.logits"); }

/// Losses that are 0 where student and teacher agree.
const std::vector<std::pair<const char*, Settings>> kDistances{{"kdhost.kd", {}},
                                                               {"kdhost.kd", {{"standardize", true}}},
                                                               {"kdhost.logit_mse", {}},
                                                               {"kdhost.dkd", {}},
                                                               {"kdhost.dkd", {{"standardize", true}}},
                                                               {"kdhost.dist", {}},
                                                               {"kdhost.dist", {{"variant", S("torchdistill")}}},
                                                               {"kdhost.lskd", {}},
                                                               {"kdhost.jsd", {}},
                                                               {"kdhost.jsd", {{"beta", 0.0}}},
                                                               {"kdhost.reverse_kl", {}},
                                                               {"kdhost.skew_kl", {}},
                                                               {"kdhost.skew_kl", {{"direction", S("reverse")}}},
                                                               {"kdhost.tvd", {}},
                                                               {"kdhost.logit_cosine", {}}};
/// Losses that are not, by definition.
const std::vector<std::pair<const char*, Settings>> kCrossEntropies{
    {"kdhost.kd", {{"form", S("ce")}}},
    {"kdhost.skew_kl", {{"form", S("ce")}}},
    {"kdhost.skew_kl", {{"form", S("ce")}, {"direction", S("reverse")}}},
    {"kdhost.wsld", {}},
    {"kdhost.ttm", {}},
    {"kdhost.wttm", {}},
    {"kdhost.nkd", {}},
    {"kdhost.nkd", {{"temperature", 3.0}}},
    {"kdhost.mft", {}}};

std::vector<std::pair<const char*, Settings>> teacher_losses() {
  std::vector<std::pair<const char*, Settings>> all = kDistances;
  all.insert(all.end(), kCrossEntropies.begin(), kCrossEntropies.end());
  return all;
}

const std::vector<std::string> kLabelLosses{"kdhost.dkd", "kdhost.nkd", "kdhost.wsld", "kdhost.mft"};

/// A label for each sample where the loss takes one.
Bound with_label(const std::string& id, const at::Tensor& s, const at::Tensor& t) {
  const bool labels = std::find(kLabelLosses.begin(), kLabelLosses.end(), id) != kLabelLosses.end();
  return labels ? pair(s, t, at::arange(s.size(0), at::kLong).remainder(std::max<int64_t>(1, s.size(1)))) : pair(s, t);
}

}  // namespace

TEST_CASE("the row kernels and the composed operators agree", "[losses]") {
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    const double tolerance = type == at::kDouble ? 1e-12 : 1e-5;
    for (const auto& [rows, classes] : std::vector<std::pair<int64_t, int64_t>>{{1, 2}, {4, 10}, {7, 37}, {64, 1000}}) {
      const at::Tensor s = (generated({rows, classes}, 11) * 8).to(type),
                       t = (generated({rows, classes}, 12) * 8).to(type);
      const at::Tensor label = at::arange(rows, at::kLong).remainder(classes);
      std::vector<std::tuple<const char*, Settings, Bound, Bound>> cases{
          {"kdhost.cross_entropy", {}, task(s, label), task(strided(s), label)},
          {"kdhost.cross_entropy", {{"label_smoothing", 0.2}}, task(s, label), task(strided(s), label)},
          {"kdhost.cross_entropy", {{"ignore_index", 0.0}}, task(s, label), task(strided(s), label)}};
      for (const auto& [id, settings] : teacher_losses())
        cases.emplace_back(id, settings, with_label(id, s, t), with_label(id, strided(s), strided(t)));
      for (const auto& [id, settings, contiguous, other] : cases) {
        INFO(id << " [" << rows << ", " << classes << "] in " << at::toString(type));
        if (rows > 1 && classes > 2) REQUIRE_FALSE(other.front().second.is_contiguous());
        const Evaluated a = evaluate(id, settings, contiguous), b = evaluate(id, settings, other);
        CHECK(a.number() == Approx(b.number()).epsilon(tolerance));
        CHECK((gradient_of(a) - gradient_of(b)).abs().max().item<double>() <=
              tolerance * std::max(1e-30, gradient_of(b).abs().max().item<double>()));
      }
    }
  }
}

TEST_CASE("the row kernels agree with LibTorch in the last digits of float32", "[losses]") {
  const at::Tensor z = (generated({256, 101}, 13) * 60).to(at::kFloat);
  const at::Tensor label = at::arange(256, at::kLong).remainder(101);
  const double mine = evaluate("kdhost.cross_entropy", {}, task(z, label)).number();
  CHECK(mine == Approx(at::cross_entropy_loss(z.to(at::kDouble), label).item<double>()).epsilon(2e-7));
}

TEST_CASE("the number of threads does not change a bit", "[losses]") {
  const at::Tensor s = (generated({300, 1000}, 14) * 8).to(at::kFloat),
                   t = (generated({300, 1000}, 15) * 8).to(at::kFloat);
  const int before = at::get_num_threads();
  for (const auto& [id, settings] : teacher_losses()) {
    INFO(id);
    at::set_num_threads(1);
    const Evaluated one = evaluate(id, settings, with_label(id, s, t));
    at::set_num_threads(2);
    const Evaluated two = evaluate(id, settings, with_label(id, s, t));
    CHECK(one.number() == two.number());
    CHECK(gradient_of(one).equal(gradient_of(two)));
  }
  at::set_num_threads(before);
}

TEST_CASE("a second derivative of a hand-written gradient is refused, not lost", "[losses]") {
  auto losses = teacher_losses();
  losses.emplace_back("kdhost.cross_entropy", Settings{});
  for (const auto& [id, settings] : losses) {
    INFO(id);
    LossCase loss(id, settings, id == S("kdhost.cross_entropy") ? task(z_s(), y()) : with_label(id, z_s(), z_t()));
    const at::Tensor value = loss.evaluate(false).value;
    std::string text;
    try {
      value.backward({}, true, /*create_graph=*/true);
    } catch (const std::exception& e) {
      text = e.what();
    }
    CHECK_THAT(text, Catch::Matchers::Contains(
                         "this hand-written gradient can be taken once only (create_graph is not supported)"));
  }
}

TEST_CASE("a kept graph gives the gradient again, with any factor, and leaves the first one alone", "[losses]") {
  for (const auto& [id, settings] : teacher_losses()) {
    INFO(id);
    LossCase loss(id, settings, with_label(id, z_s(), z_t()));
    const at::Tensor value = loss.evaluate(false).value;
    at::Tensor& z = loss.input(0);
    const auto gradient = [&](double factor) {
      if (z.grad().defined()) z.mutable_grad() = at::Tensor();
      (value * factor).backward({}, /*retain_graph=*/true);
      return z.grad();
    };
    const at::Tensor first = gradient(0.25), kept = first.clone();
    const at::Tensor second = gradient(3.0), none = gradient(0.0), again = gradient(0.25);
    CHECK(first.equal(kept));
    CHECK(at::allclose(second, kept * 12, 1e-12, 1e-14));
    CHECK(none.abs().max().item<double>() == 0);
    CHECK(at::allclose(again, kept, 1e-12, 1e-14));
    CHECK(at::allclose(kept, evaluate(id, settings, with_label(id, z_s(), z_t())).gradient.at("student.logits") / 4,
                       1e-12, 1e-14));
  }
}

TEST_CASE("cross-entropy equals LibTorch's, with smoothing, ignored labels, int32 labels and class probabilities",
          "[losses]") {
  const at::Tensor z = z_s();
  CHECK(evaluate("kdhost.cross_entropy", {}, task(z, y())).number() ==
        Approx(at::cross_entropy_loss(z, y()).item<double>()).epsilon(1e-14));
  CHECK(evaluate("kdhost.cross_entropy", {}, task(z, y().to(at::kInt))).number() ==
        Approx(at::cross_entropy_loss(z, y()).item<double>()).epsilon(1e-14));
  CHECK(evaluate("kdhost.cross_entropy", {{"label_smoothing", 0.1}}, task(z, y())).number() ==
        Approx(at::cross_entropy_loss(z, y(), {}, at::Reduction::Mean, -100, 0.1).item<double>()).epsilon(1e-14));
  const at::Tensor some = at::tensor({0, -100, 7, -100}, at::kLong);
  const Evaluated masked = evaluate("kdhost.cross_entropy", {}, task(z, some));
  CHECK(masked.number() == Approx(at::cross_entropy_loss(z, some).item<double>()).epsilon(1e-14));
  CHECK(gradient_of(masked)[1].abs().max().item<double>() == 0);
  const at::Tensor soft = z_t().softmax(1);
  CHECK(evaluate("kdhost.cross_entropy", {{"label_smoothing", 0.1}}, task(z, soft)).number() ==
        Approx(at::cross_entropy_loss(z, soft, {}, at::Reduction::Mean, -100, 0.1).item<double>()).epsilon(1e-13));
}

TEST_CASE("cross-entropy of a batch without any counted label is 0 with gradient 0", "[losses]") {
  const at::Tensor none = at::full({4}, -100, at::kLong);
  for (const at::Tensor& z : {z_s(), strided(z_s())}) {
    const Evaluated e = evaluate("kdhost.cross_entropy", {}, task(z, none));
    CHECK(e.number() == 0);
    CHECK(e.gradient_norm() == 0);
  }
}

TEST_CASE("a student that equals its teacher has loss 0 and a finite gradient", "[losses]") {
  for (const auto& [id, settings] : kDistances) {
    INFO(id);
    const Evaluated e = evaluate(id, settings, with_label(id, z_s(), z_s()));
    CHECK(std::abs(e.number()) < (std::string(id) == "kdhost.dist" ? 1e-6 : 1e-12));
    CHECK(finite(e));
    CHECK(e.gradient_norm() < 1e-6);
  }
  for (const auto& [id, settings] : kCrossEntropies) {
    INFO(id);
    const Evaluated e = evaluate(id, settings, with_label(id, z_s(), z_s()));
    CHECK(e.number() > 0.01);
    CHECK(finite(e));
  }
}

TEST_CASE("logits of +-10000 give finite values and gradients, equal to the log-space formula", "[losses]") {
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    at::Tensor s = at::zeros({2, 4}, type), t = at::zeros({2, 4}, type);
    s[0][0] = 1e4, s[0][1] = -1e4, s[1][2] = 1e4;
    t[0][1] = 1e4, t[0][0] = -1e4, t[1][3] = -1e4;
    for (const auto& [id, settings] : teacher_losses()) {
      INFO(id << " in " << at::toString(type));
      const Evaluated e = evaluate(id, settings, with_label(id, s, t));
      CHECK(finite(e));
      const Evaluated exact =
          evaluate(id, settings, with_label(id, strided(s.to(at::kDouble)), strided(t.to(at::kDouble))));
      CHECK(e.number() == Approx(exact.number()).epsilon(type == at::kDouble ? 1e-10 : 1e-5).margin(1e-7));
      CHECK((gradient_of(e) - gradient_of(exact)).abs().max().item<double>() <=
            1e-5 * (1 + gradient_of(exact).abs().max().item<double>()));
    }
    CHECK(finite(evaluate("kdhost.cross_entropy", {}, task(s, at::tensor({1, 0}, at::kLong)))));
    const at::Tensor log_s = (s.to(at::kDouble) / 4).log_softmax(1), log_t = (t.to(at::kDouble) / 4).log_softmax(1);
    const double wanted = 16 * (log_t.exp() * (log_t - log_s)).sum().item<double>() / 2;
    CHECK(evaluate("kdhost.kd", {}, pair(s, t)).number() == Approx(wanted).epsilon(type == at::kDouble ? 1e-12 : 1e-6));
  }
}

TEST_CASE("NaN and infinity in the logits reach the value", "[losses]") {
  for (const double bad : {std::nan(""), HUGE_VAL}) {
    for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
      at::Tensor s = z_s().to(type);
      s[1][2] = bad;
      CHECK_FALSE(std::isfinite(evaluate("kdhost.cross_entropy", {}, task(s, y())).number()));
      for (const auto& [id, settings] : teacher_losses()) {
        INFO(id << " in " << at::toString(type) << " with " << bad);
        CHECK_FALSE(std::isfinite(evaluate(id, settings, with_label(id, s, z_t().to(type))).number()));
        CHECK_FALSE(std::isfinite(evaluate(id, settings, with_label(id, z_t().to(type), s)).number()));
      }
    }
  }
}

TEST_CASE("segmentation logits [N, C, H, W] count as N*H*W samples", "[losses]") {
  const at::Tensor s = generated({2, 3, 4, 5}, 71), t = generated({2, 3, 4, 5}, 72);
  const auto rows = [](const at::Tensor& x) { return x.permute({0, 2, 3, 1}).reshape({-1, 3}).contiguous(); };
  CHECK(evaluate("kdhost.kd", {}, pair(s, t)).number() ==
        Approx(evaluate("kdhost.kd", {}, pair(rows(s), rows(t))).number()).epsilon(1e-12));
  const at::Tensor label = at::arange(40, at::kLong).remainder(3);
  CHECK(evaluate("kdhost.cross_entropy", {}, task(s, label.reshape({2, 4, 5}))).number() ==
        Approx(at::cross_entropy_loss(s, label.reshape({2, 4, 5})).item<double>()).epsilon(1e-12));
}

TEST_CASE("reductions of kd differ by N and C", "[losses]") {
  const double batchmean = evaluate("kdhost.kd", {}, logits()).number();
  CHECK(evaluate("kdhost.kd", {{"reduction", std::string("mean")}}, logits()).number() == Approx(batchmean / 10));
  CHECK(evaluate("kdhost.kd", {{"reduction", std::string("sum")}}, logits()).number() == Approx(batchmean * 4));
}

TEST_CASE("with two classes the other-classes part of dkd and nkd is exactly 0", "[losses]") {
  const at::Tensor label = at::tensor({0, 1, 1}, at::kLong);
  for (const bool contiguous : {true, false}) {
    const auto laid = [&](const at::Tensor& x) { return contiguous ? x : strided(x); };
    const at::Tensor s = laid(generated({3, 2}, 73)), t = laid(generated({3, 2}, 74));
    const Evaluated rest = evaluate("kdhost.dkd", {{"alpha", 0.0}}, pair(s, t, label));
    CHECK(rest.number() == 0);
    CHECK(rest.gradient_norm() == 0);
    CHECK(evaluate("kdhost.dkd", {}, pair(s, t, label)).number() ==
          Approx(evaluate("kdhost.kd", {}, pair(s, t)).number()).epsilon(1e-12));
    const Evaluated with = evaluate("kdhost.nkd", {{"gamma", 5.0}, {"temperature", 2.0}}, pair(s, t, label));
    const Evaluated without = evaluate("kdhost.nkd", {{"gamma", 0.0}}, pair(s, t, label));
    CHECK(with.number() == without.number());
    CHECK(gradient_of(with).equal(gradient_of(without)));
  }
}

TEST_CASE("with two classes standardised logits say only which class is larger", "[losses]") {
  const at::Tensor s = generated({3, 2}, 73), t = generated({3, 2}, 74);
  for (const char* id : {"kdhost.lskd", "kdhost.dist"}) {
    INFO(id);
    const Settings rows = id == S("kdhost.dist") ? Settings{{"gamma", 0.0}} : Settings{};
    const Evaluated e = evaluate(id, rows, pair(s, t));
    CHECK(finite(e));
    CHECK(e.gradient_norm() < 1e-5);
  }
}

TEST_CASE("relations of kinds of loss: at the ends of beta, at mean temperature, at equal weights", "[losses]") {
  const double kl = evaluate("kdhost.kd", {{"temperature", 1.0}}, logits()).number();
  CHECK(evaluate("kdhost.jsd", {{"beta", 0.0}}, logits()).number() == Approx(kl).epsilon(1e-12));
  CHECK(evaluate("kdhost.jsd", {{"beta", 1.0}}, logits()).number() ==
        Approx(evaluate("kdhost.reverse_kl", {}, logits()).number()).epsilon(1e-12));
  // Towards its ends the divergence tends to 0 and does not reach the value that it has there.
  CHECK(evaluate("kdhost.jsd", {{"beta", 1e-9}}, logits()).number() < 1e-7);
  CHECK(evaluate("kdhost.ttm", {{"exponent", 1.0}}, logits()).number() == Approx(kl).epsilon(1e-12));
  CHECK(evaluate("kdhost.wttm", {{"exponent", 1.0}}, logits()).number() == Approx(kl).epsilon(1e-12));
  CHECK(evaluate("kdhost.mft", {{"threshold", 0.0}}, pair(z_s(), z_t(), z_t().argmax(1))).number() ==
        Approx(kl).epsilon(1e-6));
}

TEST_CASE("a row of zeros has cosine 0 and gets no gradient", "[losses]") {
  at::Tensor s = z_s();
  s[1] = 0;
  for (const at::Tensor& x : {s, strided(s)}) {
    const Evaluated e = evaluate("kdhost.logit_cosine", {}, pair(x, z_t()));
    CHECK(finite(e));
    CHECK(gradient_of(e)[1].abs().max().item<double>() == 0);
    CHECK(finite(evaluate("kdhost.logit_cosine", {}, pair(z_t(), x))));
  }
  CHECK(evaluate("kdhost.logit_cosine", {}, pair(at::zeros({2, 3}, at::kDouble), generated({2, 3}, 1))).number() == 1);
}

TEST_CASE("dist with one sample: the column part is gamma T^2 and gives no gradient", "[losses]") {
  const at::Tensor s = generated({1, 6}, 75), t = generated({1, 6}, 76);
  const Evaluated column = evaluate("kdhost.dist", {{"beta", 0.0}, {"gamma", 3.0}, {"temperature", 2.0}}, pair(s, t));
  CHECK(column.number() == 12);
  CHECK(column.gradient_norm() == 0);
}

TEST_CASE("a constant row gives finite results and no gradient through its own scale", "[losses]") {
  at::Tensor s = z_s();
  s[1] = 0.7;
  for (const at::Tensor& x : {s, strided(s)}) {
    for (const auto& [id, settings] : teacher_losses()) {
      INFO(id);
      CHECK(finite(evaluate(id, settings, with_label(id, x, z_t()))));
      CHECK(finite(evaluate(id, settings, with_label(id, z_t(), x))));
    }
    for (const auto& [id, settings] : std::vector<std::pair<const char*, Settings>>{
             {"kdhost.dkd", {{"standardize", true}}}, {"kdhost.kd", {{"standardize", true}}}, {"kdhost.lskd", {}}}) {
      INFO(id);
      CHECK(gradient_of(evaluate(id, settings, with_label(id, x, z_t())))[1].abs().max().item<double>() == 0);
    }
  }
}

TEST_CASE("wrong logits are refused with port, shape found and shape expected", "[losses]") {
  const at::Tensor z = z_s();
  for (const auto& [id, settings] : teacher_losses()) {
    INFO(id);
    CHECK_THAT(refusal(id, settings, with_label(id, z, generated({4, 7}, 1))),
               Catch::Matchers::Contains(
                   "'student.logits' has 10 classes and 'teacher.logits' has 7, expected the same number; "
                   "choose a teacher with the classes of the data set"));
    CHECK_THAT(refusal(id, settings, with_label(id, z, generated({3, 10}, 1))),
               Catch::Matchers::Contains("'teacher.logits' is [3, 10], expected [4, 10] like 'student.logits'"));
    CHECK_THAT(refusal(id, settings, with_label(id, generated({0, 10}, 1), generated({0, 10}, 1))),
               Catch::Matchers::Contains("'student.logits' is [0, 10], expected at least one sample"));
    CHECK_THAT(refusal(id, settings, with_label(id, generated({4, 10, 2}, 1), generated({4, 10, 2}, 1))),
               Catch::Matchers::Contains(
                   "'student.logits' is [4, 10, 2], expected [N, C] (or [N, C, H, W] for one prediction a "
                   "position)"));
  }
  for (const char* id : {"kdhost.dkd", "kdhost.dist", "kdhost.nkd", "kdhost.lskd"})
    CHECK_THAT(refusal(id, {}, with_label(id, generated({4, 1}, 1), generated({4, 1}, 2))),
               Catch::Matchers::Contains("'student.logits' is [4, 1], expected at least two classes"));
}

TEST_CASE("wrong labels are refused with the first bad position and value", "[losses]") {
  using Catch::Matchers::Contains;
  const at::Tensor bad = at::tensor({0, 3, 10, -7}, at::kLong);
  const std::string out_of_range =
      "'batch.label' has the label 10 at position 2, expected 0 to 9 (classes of 'student.logits': 10)";
  for (const std::string& id : kLabelLosses) {
    CHECK_THAT(refusal(id, {}, pair(z_s(), z_t(), bad)), Contains(out_of_range));
    CHECK_THAT(refusal(id, {}, pair(z_s(), z_t(), at::tensor({0, 1, 2}, at::kLong))),
               Contains("'batch.label' is [3], expected [4], one label for each row of 'student.logits'"));
    CHECK_THAT(refusal(id, {}, pair(z_s(), z_t(), z_t().softmax(1))),
               Contains("'batch.label' holds float64 [4, 10] (class probabilities, as mixed samples have them), "
                        "expected hard labels, int64 [N]; leave out the transform that mixes samples"));
  }
  CHECK_THAT(refusal("kdhost.cross_entropy", {}, task(z_s(), bad)), Contains(out_of_range));
  CHECK_THAT(
      refusal("kdhost.dkd", {}, pair(z_s(), z_t(), at::tensor({0, -100, 1, 2}, at::kLong))),
      Contains("'batch.label' has the label -100 at position 1, expected 0 to 9 (classes of 'student.logits': 10)"));
  CHECK_THAT(refusal("kdhost.cross_entropy", {}, task(z_s(), at::tensor({0, 1, 2}, at::kLong))),
             Contains("'batch.label' is [3], expected [4], one label for each row of 'student.logits'"));
  CHECK_THAT(refusal("kdhost.dkd", {}, pair(z_s(), z_t(), z_t().softmax(1))),
             Contains("'batch.label' holds float64 [4, 10] (class probabilities, as mixed samples have them), expected "
                      "hard labels, "
                      "int64 [N]; leave out the transform that mixes samples"));
  CHECK_THAT(refusal("kdhost.cross_entropy", {}, task(z_s(), generated({4, 9}, 1))),
             Contains("'batch.label' is [4, 9], expected [4, 10] like 'student.logits', or hard labels, int64 [4]"));
  CHECK_THAT(refusal("kdhost.cross_entropy", {}, task(z_s(), at::zeros({4}, at::kBool))),
             Contains("'batch.label' holds bool, expected int64 or int32"));
}
