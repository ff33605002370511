// SPDX-License-Identifier: MIT
// Losses on logits that choose, learn or rank what the student is compared with: own golden values, edges, refusals.
#include "golden_case.hpp"

using namespace kdhost::test;
using Catch::Matchers::Contains;

namespace {

Bound maps(const at::Tensor& s, const at::Tensor& t) {
  Bound b = logits();
  b.emplace_back("student.features.0", s);
  b.emplace_back("teacher.features.0", t);
  return b;
}
Bound self(const at::Tensor& label) {
  return {{"student.logits", z_s()}, {"student.features", e_s()}, {"batch.label", label}};
}

/// kdhost.uskd with a head of generated numbers.
Evaluated with_head(const Settings& settings) {
  LossCase loss("kdhost.uskd", settings, self(y()));
  loss.parts()[0].detach().copy_(generated({10, 16}, 92));
  loss.parts()[1].detach().copy_(generated({10}, 93));
  return loss.evaluate();
}

const char* const kOurs = "our own computation with PyTorch";

std::vector<Golden> own_golden() {
  return {
      {"kdhost.ctkd", {}, logits(), 6.127593927672, 0.55200320262, kOurs},
      {"kdhost.mlkd", {}, logits(), 26.98537198863, 2.6032084021, kOurs},
      {"kdhost.mlkd", {{"standardize", true}}, logits(), 5.64007454533, 0.47507041867, kOurs},
      {"kdhost.hinge_ranking", {{"top_k", 4.0}}, logits(), 0.3100892546862, 0.038952095763, kOurs},
      {"kdhost.hinge_ranking", {{"top_k", 4.0}, {"margin", 0.1}}, logits(), 0.1202109859872, 0.028522548795, kOurs},
      {"kdhost.logistic_ranking", {{"top_k", 4.0}}, logits(), 1.113692013481, 0.22905173056, kOurs},
      {"kdhost.logistic_ranking", {}, logits(), 1.399679292633, 0.14407790158, kOurs},
      {"kdhost.sparse_kl", {{"top_k", 4.0}, {"temperature", 2.0}}, logits(), 6.085154029665, 0.55727226696, kOurs},
      {"kdhost.sparse_kl",
       {{"top_k", 4.0}, {"temperature", 2.0}, {"missing", S("uniform")}},
       logits(),
       3.930594204697,
       0.4647432774,
       kOurs},
      {"kdhost.gated_kd", {{"threshold", 0.8}}, labelled(), 4.487067440956, 0.56054630768, kOurs},
      {"kdhost.dist_plus", {}, maps(f_s(), f_t()), 4.154135462633, 0, kOurs},
      {"kdhost.dist_plus", {{"variant", S("torchdistill")}}, maps(f_s(), f_t()), 3.02920405736, 0, "torchdistill"},
  };
}

}  // namespace

TEST_CASE("losses with targets of their own give the values of a computation with PyTorch", "[golden]") {
  CHECK(wrong_values(own_golden()) == kNoDifferences);
  CHECK(wrong_gradient_norms(own_golden()) == kNoDifferences);
}

TEST_CASE("losses with targets of their own agree in float32, half precision and central differences", "[golden]") {
  CHECK(wrong_in_float32(own_golden()) == kNoDifferences);
  CHECK(wrong_in_half_precision(own_golden()) == kNoDifferences);
  CHECK(teacher_gradients(own_golden()) == kNoDifferences);
  CHECK(wrong_gradients({{"kdhost.ctkd", {{"reversal", 0.0}}, logits()},
                         {"kdhost.mlkd", {{"class_weight", 3.0}, {"batch_weight", 2.0}}, logits()},
                         {"kdhost.mlkd", {{"standardize", true}}, logits()},
                         {"kdhost.hinge_ranking", {{"margin", 0.1}}, logits()},
                         {"kdhost.logistic_ranking", {{"top_k", 3.0}}, logits()},
                         {"kdhost.sparse_kl", {{"top_k", 3.0}, {"temperature", 2.0}}, logits()},
                         {"kdhost.sparse_kl", {{"top_k", 3.0}, {"missing", S("uniform")}}, logits()},
                         {"kdhost.sparse_kl", {}, logits()},
                         {"kdhost.gated_kd", {{"threshold", 0.8}}, labelled()},
                         {"kdhost.dist_plus", {}, maps(generated({4, 3, 2, 2}, 3), generated({4, 3, 2, 2}, 4))}}) ==
        kNoDifferences);
}

TEST_CASE("row kernels and composed operators agree on the losses with targets of their own", "[losses]") {
  const at::Tensor s = generated({7, 37}, 11) * 8, t = generated({7, 37}, 12) * 8;
  const at::Tensor label = at::arange(7, at::kLong);
  for (const auto& [id, settings] : std::vector<std::pair<const char*, Settings>>{
           {"kdhost.mlkd", {{"standardize", true}}},
           {"kdhost.hinge_ranking", {{"top_k", 9.0}}},
           {"kdhost.hinge_ranking", {{"top_k", 9.0}, {"margin", 0.2}}},
           {"kdhost.logistic_ranking", {{"top_k", 9.0}}},
           {"kdhost.sparse_kl", {{"top_k", 9.0}, {"temperature", 2.0}}},
           {"kdhost.sparse_kl", {{"top_k", 9.0}, {"missing", S("uniform")}, {"temperature", 2.0}}},
           {"kdhost.sparse_kl", {{"top_k", 2.0}, {"missing", S("uniform")}, {"temperature", 0.05}}},
           {"kdhost.gated_kd", {}}}) {
    INFO(id);
    const bool labels = id == S("kdhost.gated_kd");
    const Evaluated a = evaluate(id, settings, labels ? pair(s, t, label) : pair(s, t));
    const Evaluated b =
        evaluate(id, settings, labels ? pair(strided(s), strided(t), label) : pair(strided(s), strided(t)));
    CHECK(a.number() == Approx(b.number()).epsilon(1e-12));
    CHECK((a.gradient.at("student.logits") - b.gradient.at("student.logits")).abs().max().item<double>() <= 1e-12);
  }
}

TEST_CASE("uskd gives the values of its formula and of the public code", "[golden]") {
  CHECK(with_head({}).number() == Approx(4.783358025305).epsilon(1e-10));
  CHECK(with_head({}).gradient_norm() == Approx(0.55057059309).epsilon(1e-8));
  CHECK(with_head({{"variant", S("author")}}).number() == Approx(4.775455207437).epsilon(1e-10));
  CHECK(with_head({{"variant", S("author")}}).gradient_norm() == Approx(0.55026089491).epsilon(1e-8));
}

TEST_CASE("the head of uskd is trained, and maps are averaged over their positions", "[losses]") {
  LossCase loss("kdhost.uskd", {}, self(y()));
  loss.evaluate();
  REQUIRE(loss.parts().size() == 2);
  CHECK(loss.parts().spec(0).name == "head.weight");
  CHECK((loss.parts()[0].size(0) == 10 && loss.parts()[0].size(1) == 16));
  CHECK(loss.parts()[0].grad().abs().max().item<double>() > 0);
  const at::Tensor map = generated({4, 16, 3, 2}, 94);
  Bound as_map = self(y()), as_mean = self(y());
  as_map[1].second = map;
  as_mean[1].second = map.mean({2, 3});
  CHECK(evaluate("kdhost.uskd", {}, as_map).number() ==
        Approx(evaluate("kdhost.uskd", {}, as_mean).number()).epsilon(1e-12));
}

TEST_CASE("ctkd learns its temperature against the student, as far as reversal says", "[losses]") {
  const auto theta_gradient = [](double reversal) {
    LossCase loss("kdhost.ctkd", {{"reversal", reversal}}, logits());
    loss.evaluate();
    return loss.parts()[0].grad().item<double>();
  };
  const double against = theta_gradient(-1.0);
  // The loss's own derivative by central differences; against it is its opposite.
  const auto value_at = [](double theta) {
    LossCase loss("kdhost.ctkd", {}, logits());
    loss.parts()[0].detach().fill_(theta);
    return loss.evaluate(false).number();
  };
  CHECK(against == Approx(-(value_at(1 + 1e-5) - value_at(1 - 1e-5)) / 2e-5).epsilon(1e-6));
  CHECK(theta_gradient(-0.25) == Approx(against / 4).epsilon(1e-12));
  CHECK(theta_gradient(0.0) == 0);
  // The student's gradient does not depend on it.
  CHECK(evaluate("kdhost.ctkd", {{"reversal", 0.0}}, logits()).gradient_norm() ==
        evaluate("kdhost.ctkd", {}, logits()).gradient_norm());
}

TEST_CASE("mlkd with one temperature and no other part is kd", "[losses]") {
  const Settings one{{"temperatures", std::vector<int64_t>{4}}, {"class_weight", 0.0}, {"batch_weight", 0.0}};
  CHECK(evaluate("kdhost.mlkd", one, logits()).number() ==
        Approx(evaluate("kdhost.kd", {}, logits()).number()).epsilon(1e-12));
  CHECK_THAT(refusal("kdhost.mlkd", {{"temperatures", std::vector<int64_t>{}}}, logits()),
             Contains("'temperatures' is empty, expected at least one number, as in [2.0, 4.0]"));
}

TEST_CASE("rankings: the teacher's own margins are met at equality, and a batch without pairs has value 0",
          "[losses]") {
  CHECK(evaluate("kdhost.hinge_ranking", {}, pair(z_t(), z_t())).number() < 1e-12);
  CHECK(evaluate("kdhost.logistic_ranking", {}, pair(z_t(), z_t())).number() > 0.01);
  for (const char* id : {"kdhost.hinge_ranking", "kdhost.logistic_ranking"}) {
    INFO(id);
    const Evaluated e = evaluate(id, {}, pair(z_s(), at::zeros({4, 10}, at::kDouble)));
    CHECK(e.number() == 0);
    CHECK(finite(e));
    // The order is what counts: a student that turns it round is worse off.
    CHECK(evaluate(id, {}, pair(-z_t(), z_t())).number() > evaluate(id, {}, pair(z_t(), z_t())).number());
  }
}

TEST_CASE("sparse kl of all classes is kd; of some, the rest is nothing or one class", "[losses]") {
  const double kd = evaluate("kdhost.kd", {{"temperature", 2.0}}, logits()).number();
  for (const char* missing : {"zero", "uniform"})
    for (const double k : {10.0, 50.0})
      CHECK(evaluate("kdhost.sparse_kl", {{"top_k", k}, {"missing", S(missing)}, {"temperature", 2.0}}, logits())
                .number() == Approx(kd).epsilon(1e-12));
  const Settings uniform{{"top_k", 3.0}, {"missing", S("uniform")}};
  CHECK(std::abs(evaluate("kdhost.sparse_kl", uniform, pair(z_t(), z_t())).number()) < 1e-12);
  const at::Tensor kept = std::get<0>(z_t().softmax(1).topk(3, 1)).sum(1);
  CHECK(evaluate("kdhost.sparse_kl", {{"top_k", 3.0}}, pair(z_t(), z_t())).number() ==
        Approx(-kept.log().mean().item<double>()).epsilon(1e-12));
}

TEST_CASE("gated kd is kd where the teacher is sure and the label's cross-entropy where it is not", "[losses]") {
  CHECK(evaluate("kdhost.gated_kd", {{"threshold", 0.0}}, labelled()).number() ==
        Approx(evaluate("kdhost.kd", {}, logits()).number()).epsilon(1e-12));
  const Bound unsure = pair(z_s(), at::zeros({4, 10}, at::kDouble), y());
  CHECK(evaluate("kdhost.gated_kd", {{"threshold", 1.0}}, unsure).number() ==
        Approx(at::cross_entropy_loss(z_s(), y()).item<double>()).epsilon(1e-12));
}

TEST_CASE("losses with targets of their own are finite for logits of +-10000, equal sides and constant rows",
          "[losses]") {
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    at::Tensor s = at::zeros({4, 10}, type), t = at::zeros({4, 10}, type), constant = z_s().to(type);
    s[0][0] = 1e4, s[0][1] = -1e4, s[1][2] = 1e4;
    t[0][1] = 1e4, t[0][0] = -1e4, t[1][3] = -1e4;
    constant[1] = 0.5;
    for (const auto& [id, settings] : std::vector<std::pair<const char*, Settings>>{
             {"kdhost.ctkd", {}},
             {"kdhost.mlkd", {}},
             {"kdhost.mlkd", {{"standardize", true}}},
             {"kdhost.hinge_ranking", {}},
             {"kdhost.logistic_ranking", {}},
             {"kdhost.sparse_kl", {{"top_k", 3.0}}},
             {"kdhost.sparse_kl", {{"top_k", 3.0}, {"missing", S("uniform")}}},
             {"kdhost.gated_kd", {}}}) {
      INFO(id << " in " << at::toString(type));
      const auto bound = [&](const at::Tensor& a, const at::Tensor& b) {
        return id == S("kdhost.gated_kd") ? pair(a, b, y()) : pair(a, b);
      };
      CHECK(finite(evaluate(id, settings, bound(s, t))));
      CHECK(finite(evaluate(id, settings, bound(t, s))));
      CHECK(finite(evaluate(id, settings, bound(s, s))));
      CHECK(finite(evaluate(id, settings, bound(constant, t))));
      CHECK(finite(evaluate(id, settings, bound(s, constant))));
      at::Tensor bad = s.clone();
      bad[2][2] = std::nan("");
      CHECK_FALSE(std::isfinite(evaluate(id, settings, bound(bad, t)).number()));
    }
  }
}

TEST_CASE("dist_plus of equal sides is 0 up to its epsilon; equal taps and shapes are wanted", "[losses]") {
  Bound same = pair(z_s(), z_s());
  same.emplace_back("student.features.0", generated({4, 8, 6, 6}, 3));
  same.emplace_back("teacher.features.0", generated({4, 8, 6, 6}, 3));
  CHECK(std::abs(evaluate("kdhost.dist_plus", {}, same).number()) < 1e-6);
  CHECK_THAT(refusal("kdhost.dist_plus", {}, maps(f_s(), g_t())),
             Contains("tap 0: 'student.features.0' is [4, 8, 6, 6] and 'teacher.features.0' is [4, 8, 3, 3], expected "
                      "maps of the same shape"));
  CHECK_THAT(refusal("kdhost.dist_plus", {}, maps(e_s(), e_t())),
             Contains("tap 0: 'student.features.0' is [4, 16] and 'teacher.features.0' is [4, 16], expected feature "
                      "maps [N, C, H, W] on both sides"));
}

TEST_CASE("uskd and gated kd refuse labels and layers that do not fit", "[losses]") {
  const at::Tensor bad = at::tensor({0, 3, 10, -7}, at::kLong);
  const char* out_of_range =
      "'batch.label' has the label 10 at position 2, expected 0 to 9 (classes of 'student.logits': 10)";
  CHECK_THAT(refusal("kdhost.uskd", {}, self(bad)), Contains(out_of_range));
  CHECK_THAT(refusal("kdhost.gated_kd", {}, pair(z_s(), z_t(), bad)), Contains(out_of_range));
  CHECK_THAT(refusal("kdhost.gated_kd", {}, pair(z_s(), z_t(), z_t().softmax(1))),
             Contains("'batch.label' holds float64 [4, 10] (class probabilities, as mixed samples have them), expected "
                      "hard labels, int64 [N]; leave out the transform that mixes samples"));
  Bound sequence = self(y());
  sequence[1].second = generated({4, 16, 3}, 1);
  CHECK_THAT(
      refusal("kdhost.uskd", {}, sequence),
      Contains("'student.features' is [4, 16, 3], expected embeddings [4, D] or maps [4, D, H, W] of the samples "
               "of 'student.logits'"));
  const Bound one{{"student.logits", generated({4, 1}, 1)}, {"student.features", e_s()}, {"batch.label", y() * 0}};
  CHECK_THAT(refusal("kdhost.uskd", {}, one), Contains("'student.logits' is [4, 1], expected at least two classes"));
}
