// SPDX-License-Identifier: MIT
// What the losses between relations do at the edges: hand-written gradients, adaptors, pooling, refusals word for word,
// degenerate inputs.
#include "loss_case.hpp"

using namespace kdhost::test;
using Catch::Matchers::Contains;

namespace {

/// Those that take one tap a side of any kind.
const std::vector<std::pair<const char*, Settings>> kRelations{
    {"kdhost.gram", {}},
    {"kdhost.gram", {{"mode", S("spatial")}}},
    {"kdhost.sp", {}},
    {"kdhost.sp", {{"variant", S("torchdistill")}}},
    {"kdhost.rkd", {}},
    {"kdhost.pkt", {}},
    {"kdhost.cc", {{"adaptor", S("none")}}},
    {"kdhost.cc", {{"adaptor", S("none")}, {"variant", S("gaussian")}}},
    {"kdhost.affinity", {}},
    {"kdhost.affinity", {{"window", 0.0}, {"variant", S("full")}}}};

const std::vector<const char*> kOfSamples{"kdhost.sp", "kdhost.rkd", "kdhost.pkt", "kdhost.cc"};

std::vector<std::string> part_names(LossCase& loss) {
  std::vector<std::string> names;
  for (const auto& part : loss.parts().list()) names.push_back(part.name);
  return names;
}

Settings without_adaptor(const std::string& id) {
  return id == "kdhost.cc" ? Settings{{"adaptor", S("none")}} : Settings{};
}

/// kdhost.rkd from LibTorch's operators, every angle at once.
at::Tensor rkd(const at::Tensor& s, const at::Tensor& t) {
  const auto distances = [](const at::Tensor& e) {
    const at::Tensor squares = e.square().sum(1);
    const at::Tensor d = (squares.unsqueeze(1) + squares.unsqueeze(0) - 2 * e.matmul(e.t())).clamp_min(1e-12).sqrt();
    const at::Tensor apart = d * (1 - at::eye(e.size(0), e.options()));
    return apart / apart.masked_select(apart > 0).mean();
  };
  const auto angles = [](const at::Tensor& e) {
    const at::Tensor v = e.unsqueeze(0) - e.unsqueeze(1);
    const at::Tensor unit = v / v.norm(2, 2, true).clamp_min(1e-12);
    return unit.bmm(unit.transpose(1, 2));
  };
  return 25 * at::smooth_l1_loss(distances(s), distances(t)) + 50 * at::smooth_l1_loss(angles(s), angles(t));
}

at::Tensor similarity(const at::Tensor& x, double order) {
  const at::Tensor f = x.reshape({x.size(0), -1}), g = f.matmul(f.t());
  return g / g.norm(order, 1, true).clamp_min(1e-12);
}

}  // namespace

TEST_CASE("a student that equals its teacher has relation losses of 0 and finite gradients", "[losses]") {
  for (const auto& [id, settings] : kRelations) {
    INFO(id);
    const Evaluated e = evaluate(id, settings, tap(f_s(), f_s()));
    CHECK(std::abs(e.number()) < 1e-12);
    CHECK(finite(e));
  }
  for (const char* variant : {"repdistiller", "torchdistill"}) {
    const Evaluated e = evaluate("kdhost.fsp", {{"variant", S(variant)}},
                                 {{"student.features.0", f_s()},
                                  {"student.features.1", g_s()},
                                  {"teacher.features.0", f_s()},
                                  {"teacher.features.1", g_s()}});
    CHECK(std::abs(e.number()) < 1e-12);
    CHECK(finite(e));
  }
}

TEST_CASE("relation losses sum several taps", "[losses]") {
  for (const auto& [id, settings] : kRelations) {
    INFO(id);
    const double first = evaluate(id, settings, tap(f_s(), f_t())).number();
    const double second = evaluate(id, settings, tap(g_s(), g_t())).number();
    CHECK(evaluate(id, settings, two_taps()).number() == Approx(first + second).epsilon(1e-12));
  }
}

TEST_CASE("a zero sample and a zero map give relation losses finite values and gradients", "[losses]") {
  at::Tensor zero_sample = f_s();
  zero_sample[1] = 0;
  for (const auto& [id, settings] : kRelations) {
    for (const at::Tensor& s : {zero_sample, at::zeros_like(zero_sample)}) {
      INFO(id);
      CHECK(finite(evaluate(id, settings, tap(s, f_t()))));
      CHECK(finite(evaluate(id, settings, tap(f_s(), s))));
    }
  }
  // Nothing comes through the norm of the zero sample's own row: divided by its floor of 1e-12 it would be huge.
  CHECK(evaluate("kdhost.sp", {}, tap(zero_sample, f_t())).gradient_norm() < 0.1);
}

TEST_CASE("relation losses of channels_last maps have the values and gradients of contiguous ones", "[losses]") {
  const auto last = [](const at::Tensor& x) { return x.contiguous(at::MemoryFormat::ChannelsLast); };
  for (const auto& [id, settings] : kRelations) {
    INFO(id);
    const Evaluated plain = evaluate(id, settings, tap(f_s(), f_t()));
    const Evaluated strided = evaluate(id, settings, tap(last(f_s()), last(f_t())));
    CHECK(strided.number() == Approx(plain.number()).epsilon(1e-12));
    CHECK(
        at::allclose(strided.gradient.at("student.features.0"), plain.gradient.at("student.features.0"), 1e-9, 1e-14));
  }
}

TEST_CASE("a NaN in an embedding reaches the value of every relation loss", "[losses]") {
  at::Tensor bad = f_s();
  bad[2][1][0][0] = std::nan("");
  for (const auto& [id, settings] : kRelations) {
    INFO(id);
    CHECK(std::isnan(evaluate(id, settings, tap(bad, f_t())).number()));
    CHECK(std::isnan(evaluate(id, settings, tap(f_s(), bad)).number()));
  }
}

TEST_CASE("rkd gives value and gradient of the formula, whatever the widths and the number of samples", "[losses]") {
  for (const int64_t n : {3, 5, 17, 64}) {
    const at::Tensor s = generated({n, 7}, 11) + 3, t = generated({n, 13}, 12);
    const at::Tensor leaf = s.clone().requires_grad_();
    const at::Tensor wanted = rkd(leaf, t);
    wanted.backward();
    const Evaluated e = evaluate("kdhost.rkd", {}, tap(s, t));
    CHECK(e.number() == Approx(wanted.item<double>()).epsilon(1e-11));
    CHECK((e.gradient.at("student.features.0") - leaf.grad()).norm().item<double>() <
          1e-10 * leaf.grad().norm().item<double>());
    const Evaluated coarse = evaluate("kdhost.rkd", {}, tap(s.to(at::kFloat), t.to(at::kFloat)));
    CHECK(coarse.number() == Approx(wanted.item<double>()).epsilon(2e-5));
    CHECK((coarse.gradient.at("student.features.0").to(at::kDouble) - leaf.grad()).norm().item<double>() <
          1e-4 * leaf.grad().norm().item<double>());
  }
}

TEST_CASE("sp gives value and gradient of the formula", "[losses]") {
  for (const auto& [variant, order] : {std::pair<const char*, double>{"author", 2.0}, {"torchdistill", 1.0}}) {
    const at::Tensor s = generated({6, 4, 3, 2}, 13), t = generated({6, 9}, 14);
    const at::Tensor leaf = s.clone().requires_grad_();
    const at::Tensor wanted = (similarity(leaf, order) - similarity(t, order)).square().sum() / 36;
    wanted.backward();
    const Evaluated e = evaluate("kdhost.sp", {{"variant", S(variant)}}, tap(s, t));
    CHECK(e.number() == Approx(wanted.item<double>()).epsilon(1e-12));
    CHECK((e.gradient.at("student.features.0") - leaf.grad()).norm().item<double>() <
          1e-12 * leaf.grad().norm().item<double>());
  }
}

TEST_CASE("batches that cannot carry a relation give 0 with gradient 0", "[losses]") {
  for (const char* id : kOfSamples) {
    INFO(id);
    const Evaluated e = evaluate(id, without_adaptor(id), tap(generated({1, 6}, 1), generated({1, 6}, 2)));
    CHECK(std::abs(e.number()) < 1e-12);
    CHECK(e.gradient_norm() < 1e-9);
  }
  for (const char* variant : {"gaussian", "bilinear"})
    CHECK(evaluate("kdhost.cc", {{"variant", S(variant)}}, tap(generated({1, 6}, 1), generated({1, 4}, 2))).number() ==
          0);
  const Evaluated two = evaluate("kdhost.rkd", {}, tap(generated({2, 6}, 1), generated({2, 4}, 2)));
  CHECK(std::abs(two.number()) < 1e-12);
  CHECK(two.gradient_norm() < 1e-9);
}

TEST_CASE("equal rows give rkd finite values and gradients, the angle part none through coinciding samples",
          "[losses]") {
  at::Tensor e = e_s();
  e[1] = e[0];
  CHECK(finite(evaluate("kdhost.rkd", {}, tap(e, e_t()))));
  CHECK(finite(evaluate("kdhost.rkd", {}, tap(e_s(), at::ones_like(e)))));
  const at::Tensor same = at::ones_like(e);
  CHECK(finite(evaluate("kdhost.rkd", {}, tap(same, e_t()))));
  CHECK(evaluate("kdhost.rkd", {{"distance_weight", 0.0}}, tap(same, e_t())).gradient_norm() == 0);
  // All distances are the floor of 1e-6 and so 1 after the division by their mean; nothing pulls through the floor.
  const Evaluated distances =
      evaluate("kdhost.rkd", {{"distance_weight", 1.0}, {"angle_weight", 0.0}}, tap(same, same));
  CHECK(distances.number() == 0);
  CHECK(evaluate("kdhost.rkd", {{"angle_weight", 0.0}}, tap(same, e_t())).gradient_norm() == 0);
}

TEST_CASE("the sum of both rkd parts is what each gives alone, and a part of weight 0 is left out", "[losses]") {
  const Bound e = tap(e_s(), e_t());
  const double distance = evaluate("kdhost.rkd", {{"angle_weight", 0.0}}, e).number();
  const double angle = evaluate("kdhost.rkd", {{"distance_weight", 0.0}}, e).number();
  CHECK(evaluate("kdhost.rkd", {}, e).number() == Approx(distance + angle).epsilon(1e-13));
  CHECK(evaluate("kdhost.rkd", {{"distance_weight", 0.0}, {"angle_weight", 0.0}}, e).number() == 0);
}

TEST_CASE("the gram adaptor joins unequal channels, and is not made where it is not needed", "[losses]") {
  LossCase joined("kdhost.gram", {}, tap(generated({2, 4, 6, 6}, 1), generated({2, 6, 3, 3}, 2)));
  CHECK(part_names(joined) == std::vector<std::string>{"adaptor0.weight"});
  CHECK(joined.parts()[0].sizes().vec() == std::vector<int64_t>{6, 4, 1, 1});
  CHECK(finite(joined.evaluate()));
  CHECK(joined.parts()[0].grad().abs().max().item<double>() > 0);
  LossCase equal("kdhost.gram", {}, tap(f_s(), f_t()));
  CHECK(part_names(equal).empty());
  LossCase spatial("kdhost.gram", {{"mode", S("spatial")}},
                   tap(generated({2, 4, 6, 6}, 1), generated({2, 6, 3, 3}, 2)));
  CHECK(part_names(spatial).empty());
}

TEST_CASE("cc trains a linear layer on each side, and no gradient reaches the teacher", "[losses]") {
  Bound bound = tap(generated({5, 6}, 1), generated({5, 2, 3, 3}, 2));
  bound[1].second.requires_grad_();
  LossCase loss("kdhost.cc", {{"dim", 4.0}}, bound);
  CHECK(part_names(loss) ==
        std::vector<std::string>{"student0.weight", "student0.bias", "teacher0.weight", "teacher0.bias"});
  CHECK(loss.parts()[2].sizes().vec() == std::vector<int64_t>{4, 18});
  const Evaluated e = loss.evaluate();
  CHECK(finite(e));
  CHECK(e.gradient_norm() > 0);
  for (std::size_t slot = 0; slot < 4; ++slot) CHECK(loss.parts()[slot].grad().abs().max().item<double>() > 0);
  CHECK_FALSE(bound[1].second.grad().defined());
}

TEST_CASE("fsp over sequences is the mean squared difference of products of first and last layer", "[losses]") {
  const at::Tensor a = generated({2, 5, 3}, 1), b = generated({2, 5, 4}, 2), c = generated({2, 5, 3}, 3),
                   d = generated({2, 5, 4}, 4);
  const at::Tensor wanted = ((a.transpose(1, 2).bmm(b) - c.transpose(1, 2).bmm(d)) / 5).square().mean();
  CHECK(
      evaluate(
          "kdhost.fsp", {{"variant", S("sequence")}},
          {{"student.features.0", a}, {"student.features.1", b}, {"teacher.features.0", c}, {"teacher.features.1", d}})
          .number() == Approx(wanted.item<double>()).epsilon(1e-13));
}

TEST_CASE("relation losses refuse taps that cannot be compared, with tap and both shapes", "[losses]") {
  const Bound narrow = tap(generated({4, 4, 6, 6}, 1), f_t());
  const std::string channels =
      "tap 0: 'student.features.0' is [4, 4, 6, 6] and 'teacher.features.0' is [4, 8, 6, 6], expected ";
  CHECK_THAT(refusal("kdhost.gram", {{"adaptor", S("none")}}, narrow),
             Contains(channels + "the same number of channels; set adaptor = \"auto\" or mode = \"spatial\""));
  CHECK_THAT(refusal("kdhost.cc", {{"adaptor", S("none")}}, narrow),
             Contains("tap 0: 'student.features.0' is [4, 4, 6, 6] and 'teacher.features.0' is [4, 8, 6, 6], expected "
                      "embeddings of the same width; set adaptor = \"auto\""));
  CHECK_THAT(refusal("kdhost.fsp", {},
                     {{"student.features.0", generated({4, 4, 6, 6}, 1)},
                      {"student.features.1", g_s()},
                      {"teacher.features.0", f_t()},
                      {"teacher.features.1", g_t()}}),
             Contains(channels + "the same number of channels"));
  CHECK_THAT(refusal("kdhost.fsp", {{"variant", S("sequence")}}, two_taps()),
             Contains("tap 0: 'student.features.0' is [4, 8, 6, 6] and 'teacher.features.0' is [4, 8, 6, 6], expected "
                      "sequences [N, length, width] of the same width"));
  for (const char* id : {"kdhost.gram", "kdhost.affinity"})
    CHECK_THAT(
        refusal(id, {}, tap(e_s(), e_t())),
        Contains("tap 0: 'student.features.0' is [4, 16] and 'teacher.features.0' is [4, 16], expected feature maps "
                 "[N, C, H, W] on both sides"));
  CHECK_THAT(
      refusal("kdhost.fsp", {}, tap(f_s(), f_t())),
      Contains(
          "'student.features' and 'teacher.features' have one tap each, expected two or more: the loss compares what "
          "happens between consecutive taps"));
}

TEST_CASE("relation losses refuse unequal numbers of taps or samples", "[losses]") {
  for (const char* id :
       {"kdhost.gram", "kdhost.fsp", "kdhost.sp", "kdhost.rkd", "kdhost.pkt", "kdhost.cc", "kdhost.affinity"}) {
    INFO(id);
    CHECK_THAT(
        refusal(id, {}, {{"student.features.0", f_s()}, {"student.features.1", f_s()}, {"teacher.features.0", f_t()}}),
        Contains(
            "'student.features' has 2 taps and 'teacher.features' has 1, expected the same number, at least one: they "
            "are paired in order"));
    CHECK_THAT(refusal(id, {}, tap(generated({4, 8, 6, 6}, 1), generated({3, 8, 6, 6}, 2))),
               Contains("'student.features.0' is [4, 8, 6, 6] and 'teacher.features.0' is [3, 8, 6, 6], expected the "
                        "same number of samples in every tap"));
    CHECK_THAT(refusal(id, {}, tap(generated({0, 8, 6, 6}, 1), generated({0, 8, 6, 6}, 2))),
               Contains("'student.features.0' is [0, 8, 6, 6], expected at least one sample"));
  }
}
