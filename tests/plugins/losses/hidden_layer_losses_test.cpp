// SPDX-License-Identifier: MIT
// What the losses between hidden layers do at the edges: adaptors, pooling, refusals word for word, degenerate inputs.
#include "loss_case.hpp"

using namespace kdhost::test;
using Catch::Matchers::Contains;

namespace {

const std::vector<std::pair<const char*, Settings>> kMapLosses{{"kdhost.hint", {{"adaptor", S("none")}}},
                                                               {"kdhost.attention", {}},
                                                               {"kdhost.attention", {{"variant", S("paper")}}},
                                                               {"kdhost.gram", {}},
                                                               {"kdhost.gram", {{"mode", S("spatial")}}},
                                                               {"kdhost.sp", {}},
                                                               {"kdhost.sp", {{"variant", S("torchdistill")}}},
                                                               {"kdhost.rkd", {}},
                                                               {"kdhost.pkt", {}}};

std::vector<std::string> part_names(LossCase& loss) {
  std::vector<std::string> names;
  for (const auto& part : loss.parts().list()) names.push_back(part.name);
  return names;
}

}  // namespace

TEST_CASE("a student that equals its teacher has hidden-layer losses of 0 and finite gradients", "[losses]") {
  for (const auto& [id, settings] : kMapLosses) {
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

TEST_CASE("several taps are summed", "[losses]") {
  for (const auto& [id, settings] : kMapLosses) {
    INFO(id);
    const double first = evaluate(id, settings, tap(f_s(), f_t())).number();
    const double second = evaluate(id, settings, tap(g_s(), g_t())).number();
    CHECK(evaluate(id, settings, two_taps()).number() == Approx(first + second).epsilon(1e-12));
  }
}

TEST_CASE("a zero sample and a zero map give finite values and gradients", "[losses]") {
  at::Tensor zero_sample = f_s();
  zero_sample[1] = 0;
  for (const auto& [id, settings] : kMapLosses) {
    for (const at::Tensor& s : {zero_sample, at::zeros_like(zero_sample)}) {
      INFO(id);
      CHECK(finite(evaluate(id, settings, tap(s, f_t()))));
      CHECK(finite(evaluate(id, settings, tap(f_s(), s))));
    }
  }
}

TEST_CASE("channels_last maps give the values of contiguous ones", "[losses]") {
  const auto last = [](const at::Tensor& x) { return x.contiguous(at::MemoryFormat::ChannelsLast); };
  for (const auto& [id, settings] : kMapLosses) {
    INFO(id);
    CHECK(evaluate(id, settings, tap(last(f_s()), last(f_t()))).number() ==
          Approx(evaluate(id, settings, tap(f_s(), f_t())).number()).epsilon(1e-12));
  }
}

TEST_CASE("attention takes odd powers of absolute values, and different channels and sizes", "[losses]") {
  const at::Tensor p_s = generated({4, 8, 6, 6}, 3), p_t = generated({4, 8, 6, 6}, 4);
  CHECK(evaluate("kdhost.attention", {{"p", 3.0}}, tap(p_s, p_t)).number() ==
        Approx(evaluate("kdhost.attention", {{"p", 3.0}}, tap(p_s.abs(), p_t.abs())).number()).epsilon(1e-14));
  CHECK(finite(evaluate("kdhost.attention", {}, tap(generated({4, 3, 6, 6}, 3), generated({4, 8, 3, 3}, 4)))));
}

TEST_CASE("the hint's regressor follows the sizes and its parameters are trained", "[losses]") {
  struct Wanted {
    std::vector<int64_t> student, teacher, weight;
  };
  for (const Wanted& w : std::vector<Wanted>{{{2, 4, 8, 8}, {2, 6, 8, 8}, {6, 4, 1, 1}},
                                             {{2, 4, 8, 8}, {2, 6, 4, 4}, {6, 4, 3, 3}},
                                             {{2, 4, 4, 4}, {2, 6, 8, 8}, {4, 6, 4, 4}},
                                             {{2, 4, 7, 8}, {2, 6, 5, 5}, {6, 4, 3, 4}}}) {
    LossCase loss("kdhost.hint", {}, tap(generated(w.student, 1), generated(w.teacher, 2).relu()));
    CHECK(part_names(loss) == std::vector<std::string>{"regressor0.conv.weight", "regressor0.conv.bias",
                                                       "regressor0.norm.weight", "regressor0.norm.bias",
                                                       "regressor0.norm.running_mean", "regressor0.norm.running_var",
                                                       "regressor0.norm.num_batches_tracked"});
    CHECK(loss.parts()[0].sizes().vec() == w.weight);
    const Evaluated e = loss.evaluate();
    CHECK(finite(e));
    CHECK(e.gradient_norm() > 0);
    CHECK(loss.parts()[0].grad().abs().max().item<double>() > 0);
    CHECK(loss.parts()[6].item<int64_t>() == 1);
  }
  LossCase vectors("kdhost.hint", {}, tap(generated({4, 5}, 1), generated({4, 9}, 2)));
  CHECK(part_names(vectors) == std::vector<std::string>{"regressor0.linear.weight", "regressor0.linear.bias"});
  CHECK(finite(vectors.evaluate()));
  LossCase equal("kdhost.hint", {}, tap(generated({4, 9}, 1), generated({4, 9}, 2)));
  CHECK(part_names(equal).empty());
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

TEST_CASE("batches that cannot carry a relation give 0 with gradient 0", "[losses]") {
  const Bound one = tap(generated({1, 6}, 1), generated({1, 4}, 2));
  for (const char* id : {"kdhost.sp", "kdhost.rkd", "kdhost.pkt"}) {
    INFO(id);
    const Evaluated e = evaluate(id, {}, one);
    CHECK(std::abs(e.number()) < 1e-12);
    CHECK(e.gradient_norm() < 1e-9);
  }
  const Evaluated two = evaluate("kdhost.rkd", {}, tap(generated({2, 6}, 1), generated({2, 4}, 2)));
  CHECK(std::abs(two.number()) < 1e-12);
  CHECK(two.gradient_norm() < 1e-9);
}

TEST_CASE("equal rows give rkd finite values and gradients, the angle part none through coinciding samples",
          "[losses]") {
  at::Tensor e = e_s();
  e[1] = e[0];
  CHECK(finite(evaluate("kdhost.rkd", {}, tap(e, e_t()))));
  CHECK(finite(evaluate("kdhost.rkd", {}, tap(at::ones_like(e), e_t()))));
  CHECK(evaluate("kdhost.rkd", {{"distance_weight", 0.0}}, tap(at::ones_like(e), e_t())).gradient_norm() == 0);
}

TEST_CASE("the sum of both rkd parts is what each gives alone, and a part of weight 0 is left out", "[losses]") {
  const Bound e = tap(e_s(), e_t());
  const double distance = evaluate("kdhost.rkd", {{"angle_weight", 0.0}}, e).number();
  const double angle = evaluate("kdhost.rkd", {{"distance_weight", 0.0}}, e).number();
  CHECK(evaluate("kdhost.rkd", {}, e).number() == Approx(distance + angle).epsilon(1e-13));
  CHECK(evaluate("kdhost.rkd", {{"distance_weight", 0.0}, {"angle_weight", 0.0}}, e).number() == 0);
}

TEST_CASE("taps that cannot be compared are refused with tap and both shapes", "[losses]") {
  const std::string shapes =
      "tap 0: 'student.features.0' is [4, 8, 6, 6] and 'teacher.features.0' is [4, 8, 3, 3], expected ";
  CHECK_THAT(refusal("kdhost.hint", {{"adaptor", S("none")}}, tap(f_s(), g_t())),
             Contains(shapes + "equal shapes, since adaptor = \"none\""));
  const Bound narrow = tap(generated({4, 4, 6, 6}, 1), f_t());
  const std::string channels =
      "tap 0: 'student.features.0' is [4, 4, 6, 6] and 'teacher.features.0' is [4, 8, 6, 6], expected ";
  CHECK_THAT(refusal("kdhost.gram", {{"adaptor", S("none")}}, narrow),
             Contains(channels + "the same number of channels; set adaptor = \"auto\" or mode = \"spatial\""));
  CHECK_THAT(refusal("kdhost.fsp", {},
                     {{"student.features.0", generated({4, 4, 6, 6}, 1)},
                      {"student.features.1", g_s()},
                      {"teacher.features.0", f_t()},
                      {"teacher.features.1", g_t()}}),
             Contains(channels + "the same number of channels"));
  CHECK_THAT(
      refusal("kdhost.hint", {}, tap(generated({2, 4, 5, 5}, 1), generated({2, 4, 8, 8}, 2))),
      Contains(
          "tap 0: 'student.features.0' is [2, 4, 5, 5] and 'teacher.features.0' is [2, 4, 8, 8], expected sizes that a "
          "regressor can join: the student's at least the teacher's, or exactly half of it; choose other taps"));
  CHECK_THAT(
      refusal("kdhost.hint", {}, tap(generated({2, 4}, 1), generated({2, 4, 8, 8}, 2))),
      Contains(
          "tap 0: 'student.features.0' is [2, 4] and 'teacher.features.0' is [2, 4, 8, 8], expected taps of the same "
          "kind: maps, vectors or sequences"));
  for (const char* id : {"kdhost.attention", "kdhost.gram"})
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

TEST_CASE("unequal numbers of taps or samples are refused", "[losses]") {
  for (const char* id :
       {"kdhost.hint", "kdhost.attention", "kdhost.gram", "kdhost.fsp", "kdhost.sp", "kdhost.rkd", "kdhost.pkt"}) {
    INFO(id);
    CHECK_THAT(
        refusal(id, {}, {{"student.features.0", f_s()}, {"student.features.1", f_s()}, {"teacher.features.0", f_t()}}),
        Contains(
            "'student.features' has 2 taps and 'teacher.features' has 1, expected the same number, at least one: they "
            "are paired in order"));
    CHECK_THAT(refusal(id, {}, tap(generated({4, 8, 6, 6}, 1), generated({3, 8, 6, 6}, 2))),
               Contains("'student.features.0' is [4, 8, 6, 6] and 'teacher.features.0' is [3, 8, 6, 6], expected the "
                        "same number of "
                        "samples in every tap"));
    CHECK_THAT(refusal(id, {}, tap(generated({0, 8, 6, 6}, 1), generated({0, 8, 6, 6}, 2))),
               Contains("'student.features.0' is [0, 8, 6, 6], expected at least one sample"));
  }
}
