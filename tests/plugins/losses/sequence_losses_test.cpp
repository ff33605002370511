// SPDX-License-Identifier: MIT
// Losses of sequences: published numbers, padding masks, adaptors, refusals word for word.
#include "golden_case.hpp"

using namespace kdhost::test;
using Catch::Matchers::Contains;

namespace {

Bound masked(Bound bound, at::ScalarType type = at::kLong) {
  bound.emplace_back(
      "batch.mask",
      at::tensor({1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 0, 1, 0, 0, 0, 0}, at::kLong).reshape({4, 5}).to(type));
  return bound;
}
Bound states() { return tap(generated({4, 5, 8}, 21), generated({4, 5, 8}, 22)); }
Bound maps() { return tap(generated({4, 2, 5, 5}, 83), generated({4, 2, 5, 5}, 84)); }
Bound position_logits() {
  return {{"student.logits", generated({4, 5, 7}, 85) * 3}, {"teacher.logits", generated({4, 5, 7}, 86) * 3}};
}

std::vector<Golden> sequence_golden() {
  const char* own = "the published formula, own computation";
  const Settings sum{{"heads", S("sum")}}, mean{{"heads", S("mean")}};
  return {
      {"kdhost.hid_mse", {}, states(), 0.786954762688, 0.14026357, "TextBrewer"},
      {"kdhost.hid_mse", {}, masked(states()), 0.829885209444, 0.1786579467, own},
      {"kdhost.hid_cosine", {}, states(), 1.12655915291, 0.1404002738, own},
      {"kdhost.hid_cosine", {}, masked(states()), 1.16140143081, 0.1750792829, own},
      {"kdhost.patient", {}, states(), 2.06623219637, 0.7549039865, "TextBrewer"},
      {"kdhost.att_mse", {}, maps(), 0.218117924194, 0.05398614404, own},
      {"kdhost.att_mse", sum, maps(), 0.470224548595, 0.1555966634, own},
      {"kdhost.att_mse", {}, masked(maps()), 0.699947258924, 0.1656771321, own},
      {"kdhost.att_mse", sum, masked(maps()), 1.16868789671, 0.4281630433, own},
      {"kdhost.att_ce", {}, maps(), 1.23497870996, 0.05885362955, own},
      {"kdhost.att_ce", mean, maps(), 1.05237284375, 0.04565264604, own},
      {"kdhost.att_ce", {}, masked(maps()), 1.32463566504, 0.05956138677, own},
      {"kdhost.att_ce", mean, masked(maps()), 1.25787581573, 0.04283384331, own},
      {"kdhost.masked_kd", {}, position_logits(), 2.50173855651, 0.1955902441, own},
      {"kdhost.masked_kd", {}, masked(position_logits()), 2.26242490836, 0.2311159383, own},
      {"kdhost.masked_kd",
       {{"temperature", 2.0}, {"form", S("ce")}, {"scale", S("none")}},
       masked(position_logits()),
       2.22974573369,
       0.05759267946,
       own},
  };
}

}  // namespace

TEST_CASE("sequence losses give value and gradient of the published formulas", "[golden]") {
  CHECK(wrong_values(sequence_golden()) == kNoDifferences);
  CHECK(wrong_gradient_norms(sequence_golden()) == kNoDifferences);
}

TEST_CASE("sequence losses in float32 agree with float64, and half precision is computed in float32", "[golden]") {
  CHECK(wrong_in_float32(sequence_golden()) == kNoDifferences);
  CHECK(wrong_in_half_precision(sequence_golden()) == kNoDifferences);
}

TEST_CASE("sequence losses give the teacher no gradient", "[golden]") {
  CHECK(teacher_gradients(sequence_golden()) == kNoDifferences);
}

TEST_CASE("gradients of sequence losses agree with central differences", "[golden]") {
  const Bound unequal = tap(generated({2, 3, 4}, 21), generated({2, 3, 6}, 22));
  CHECK(wrong_gradients({{"kdhost.hid_mse", {}, masked(states())},
                         {"kdhost.hid_mse", {}, unequal},
                         {"kdhost.hid_cosine", {}, masked(states())},
                         {"kdhost.hid_cosine", {}, unequal},
                         {"kdhost.patient", {}, unequal},
                         {"kdhost.att_mse", {}, masked(maps())},
                         {"kdhost.att_ce", {{"heads", S("mean")}}, masked(maps())},
                         {"kdhost.masked_kd", {}, masked(position_logits())}}) == kNoDifferences);
}

TEST_CASE("what lies under the padding does not matter, and the mask may have any number type", "[losses]") {
  for (const Golden& g : sequence_golden()) {
    if (g.bound.back().first != "batch.mask") continue;
    INFO(g.id);
    for (const at::ScalarType type : {at::kBool, at::kFloat, at::kDouble}) {
      Bound bound = g.bound;
      bound.back().second = bound.back().second.to(type);
      CHECK(evaluate(g.id, g.settings, bound).number() == Approx(g.value).epsilon(1e-10));
    }
    // The second sample's positions 3 and 4 are padding. Attention: the queries there, and the keys of the others for
    // the pairs' mean; a softmax over keys sees them.
    if (std::string(g.id) == "kdhost.att_ce") continue;
    Bound other = g.bound;
    for (std::size_t side = 0; side < 2; ++side) {
      at::Tensor x = other[side].second.clone();
      const int64_t positions = x.dim() - 2;  // of [N, L, W] dimension 1, of [N, heads, L, L] dimension 2
      x.select(0, 1).narrow(positions - 1, 3, 2).fill_(40.0 * static_cast<double>(side));
      other[side].second = x;
    }
    const Evaluated e = evaluate(g.id, g.settings, other);
    CHECK(e.number() == Approx(g.value).epsilon(1e-10));
  }
}

TEST_CASE("a batch of padding alone gives 0 with gradient 0", "[losses]") {
  for (const auto& [id, bound] : std::vector<std::pair<const char*, Bound>>{{"kdhost.hid_mse", states()},
                                                                            {"kdhost.hid_cosine", states()},
                                                                            {"kdhost.att_mse", maps()},
                                                                            {"kdhost.att_ce", maps()},
                                                                            {"kdhost.masked_kd", position_logits()}}) {
    INFO(id);
    Bound none = bound;
    none.emplace_back("batch.mask", at::zeros({4, 5}, at::kBool));
    const Evaluated e = evaluate(id, {}, none);
    CHECK(e.number() == 0);
    CHECK(e.gradient_norm() == 0);
  }
}

TEST_CASE("a student that equals its teacher has sequence losses of 0, the cross-entropies their entropy", "[losses]") {
  const at::Tensor h = generated({4, 5, 8}, 21), z = generated({4, 5, 7}, 85);
  for (const char* id : {"kdhost.hid_mse", "kdhost.hid_cosine", "kdhost.patient"}) {
    INFO(id);
    const Evaluated e = evaluate(id, {}, tap(h, h));
    CHECK(std::abs(e.number()) < 1e-12);
    CHECK(finite(e));
  }
  CHECK(evaluate("kdhost.att_mse", {}, tap(maps()[0].second, maps()[0].second)).number() == 0);
  CHECK(evaluate("kdhost.masked_kd", {}, {{"student.logits", z}, {"teacher.logits", z}}).number() == 0);
  CHECK(evaluate("kdhost.masked_kd", {{"form", S("ce")}}, {{"student.logits", z}, {"teacher.logits", z}}).number() > 1);
}

TEST_CASE("zero states and logits of +-10000 give finite values and gradients", "[losses]") {
  const at::Tensor zero = at::zeros({4, 5, 8}, at::kDouble);
  for (const char* id : {"kdhost.hid_mse", "kdhost.hid_cosine", "kdhost.patient"}) {
    CHECK(finite(evaluate(id, {}, tap(zero, generated({4, 5, 8}, 22)))));
    CHECK(finite(evaluate(id, {}, tap(generated({4, 5, 8}, 21), zero))));
  }
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    at::Tensor s = at::zeros({2, 2, 3}, type), t = at::zeros({2, 2, 3}, type);
    s[0][0][0] = 1e4, s[0][0][1] = -1e4, t[0][0][1] = 1e4, t[1][1][2] = -1e4;
    CHECK(finite(evaluate("kdhost.masked_kd", {}, {{"student.logits", s}, {"teacher.logits", t}})));
    at::Tensor a = at::zeros({1, 1, 3, 3}, type), b = at::zeros({1, 1, 3, 3}, type);
    a[0][0][0][0] = -1e4, b[0][0][0][1] = -1e4, b[0][0][2][2] = 1e4;
    CHECK(finite(evaluate("kdhost.att_ce", {}, tap(a, b))));
    CHECK(finite(evaluate("kdhost.att_mse", {}, tap(a, b))));
  }
}

TEST_CASE("a linear layer joins hidden states of unequal width and is trained", "[losses]") {
  for (const char* id : {"kdhost.hid_mse", "kdhost.hid_cosine", "kdhost.patient"}) {
    INFO(id);
    LossCase loss(id, {}, tap(generated({2, 3, 4}, 1), generated({2, 3, 6}, 2)));
    REQUIRE(loss.parts().size() == 2);
    CHECK(loss.parts()[0].sizes().vec() == std::vector<int64_t>{6, 4});
    CHECK(finite(loss.evaluate()));
    CHECK(loss.parts()[0].grad().abs().max().item<double>() > 0);
    CHECK(LossCase(id, {}, states()).parts().size() == 0);
  }
}

TEST_CASE("sequence losses refuse what they cannot compare, word for word", "[losses]") {
  const Bound unequal = tap(generated({2, 3, 4}, 1), generated({2, 3, 6}, 2));
  CHECK_THAT(
      refusal("kdhost.hid_mse", {{"adaptor", S("none")}}, unequal),
      Contains("tap 0: 'student.features.0' is [2, 3, 4] and 'teacher.features.0' is [2, 3, 6], expected the same "
               "width; set adaptor = \"auto\""));
  CHECK_THAT(refusal("kdhost.patient", {}, tap(generated({2, 3, 4}, 1), generated({2, 5, 4}, 2))),
             Contains("tap 0: 'student.features.0' is [2, 3, 4] and 'teacher.features.0' is [2, 5, 4], expected hidden "
                      "states [N, length, width] of the same length"));
  Bound wrong = states();
  wrong.emplace_back("batch.mask", at::ones({4, 6}));
  CHECK_THAT(refusal("kdhost.hid_cosine", {}, wrong),
             Contains("'batch.mask' is [4, 6], expected [4, 5], one number a position"));
  CHECK_THAT(
      refusal("kdhost.att_mse", {}, tap(generated({2, 3, 4, 4}, 1), generated({2, 2, 4, 4}, 2))),
      Contains("tap 0: 'student.features.0' is [2, 3, 4, 4] and 'teacher.features.0' is [2, 2, 4, 4], expected as "
               "many heads on both sides; join them with the parameter 'heads'"));
  CHECK_THAT(refusal("kdhost.att_ce", {}, tap(generated({2, 3, 4, 5}, 1), generated({2, 3, 4, 5}, 2))),
             Contains("tap 0: 'student.features.0' is [2, 3, 4, 5] and 'teacher.features.0' is [2, 3, 4, 5], expected "
                      "attention maps [N, heads, length, length] or [N, length, length] of the same length"));
  CHECK_THAT(refusal("kdhost.masked_kd", {}, logits()),
             Contains("'student.logits' is [4, 10], expected [N, length, C]"));
  CHECK_THAT(refusal("kdhost.masked_kd", {},
                     {{"student.logits", generated({2, 3, 4}, 1)}, {"teacher.logits", generated({2, 3, 5}, 1)}}),
             Contains("'teacher.logits' is [2, 3, 5], expected [2, 3, 4] like 'student.logits'"));
}
