// SPDX-License-Identifier: MIT
// What the losses between hidden layers do at the edges: equality, zeros, single samples, several taps, and every
// refusal word for word.
#include "feature_case.hpp"

using namespace kdhost::test;
using Catch::Matchers::Contains;

namespace {

const Settings kPlain{{"adaptor", S("none")}};

/// Losses of one pair of maps that are 0 at equality, as they compare the taps themselves.
const std::vector<std::pair<const char*, Settings>> kMapLosses{
    {"kdhost.hint", kPlain},
    {"kdhost.attention", {}},
    {"kdhost.attention", {{"variant", S("paper")}}},
    {"kdhost.nst", {}},
    {"kdhost.ft", kPlain},
    {"kdhost.ft", {{"adaptor", S("none")}, {"variant", S("torchdistill")}}},
    {"kdhost.review", kPlain},
    {"kdhost.cwd", {}},
    {"kdhost.pkd", {}},
    {"kdhost.cat", {}},
    {"kdhost.ickd", kPlain},
    {"kdhost.mgd", kPlain},
    {"kdhost.ktaad", kPlain},
    {"kdhost.simkd", kPlain},
    {"kdhost.pad_l2", kPlain},
    {"kdhost.ofd", {{"adaptor", S("none")}, {"margin", -0.5}}}};

/// Those whose value for several taps is the plain sum over taps.
bool sums_taps(const std::string& id) { return id != "kdhost.ofd" && id != "kdhost.simkd"; }

const std::string kSizes =
    "tap 0: 'student.features.0' is [4, 8, 6, 6] and 'teacher.features.0' is [4, 8, 3, 3], expected ";
const std::string kChannels =
    "tap 0: 'student.features.0' is [4, 4, 6, 6] and 'teacher.features.0' is [4, 8, 6, 6], expected ";

Bound sizes() { return tap(f_s(), g_t()); }
Bound channels() { return tap(generated({4, 4, 6, 6}, 1), f_t()); }

}  // namespace

TEST_CASE("a student that equals its teacher has feature losses of 0 and finite gradients", "[losses]") {
  for (const auto& [id, settings] : kMapLosses) {
    INFO(id);
    // ofd is 0 where student and teacher are equal and above the margin, as behind a ReLU.
    const Evaluated e = evaluate(id, settings, tap(f_s(), f_s()));
    CHECK(std::abs(e.number()) < 1e-12);
    CHECK(finite(e));
  }
  const at::Tensor a = generated({4, 8, 6, 6}, 13), b = generated({4, 8, 3, 3}, 17);
  const Evaluated e = evaluate("kdhost.kdsvd", {}, taps(a, b, a, b));
  CHECK(std::abs(e.number()) < 1e-12);
  CHECK(finite(e));
}

TEST_CASE("at equality vid is half the logarithm of the variance, and srd the floor under its logarithm", "[losses]") {
  CHECK(evaluate("kdhost.vid", kPlain, tap(f_s(), f_s())).number() == Approx(0.5 * std::log(5.0)).epsilon(1e-12));
  Bound same = tap(e_s(), e_s());
  same.emplace_back("student.logits", z_s());
  same.emplace_back("teacher.logits", z_s());
  const Evaluated e = evaluate("kdhost.srd", kPlain, same);
  CHECK(e.number() == Approx(2 * std::log(1e-12)).epsilon(1e-12));
  CHECK(finite(e));
}

TEST_CASE("at equality ab counts the neurons within the margin", "[losses]") {
  const Evaluated e =
      evaluate("kdhost.ab", {{"variant", S("torchdistill")}, {"adaptor", S("none")}}, tap(f_s() * 3, f_s() * 3));
  const at::Tensor x = f_s() * 3;
  const at::Tensor wanted = at::where(x > 0, (x - 1).clamp_max(0).square(), at::ones_like(x)).sum() / 4;
  CHECK(e.number() == Approx(wanted.item<double>()).epsilon(1e-12));
}

TEST_CASE("a NaN on either side makes the value of a feature loss NaN, whatever it compares", "[losses]") {
  at::Tensor broken = f_s().clone();
  broken.view(-1)[5] = std::nan("");
  std::vector<std::pair<const char*, Settings>> losses = kMapLosses;
  losses.insert(losses.end(), {{"kdhost.ab", kPlain}, {"kdhost.vid", kPlain}});
  for (const auto& [id, settings] : losses) {
    INFO(id);
    CHECK(std::isnan(evaluate(id, settings, tap(broken, f_t())).number()));
    CHECK(std::isnan(evaluate(id, settings, tap(f_s(), broken)).number()));
  }
}

TEST_CASE("the gradient of squared differences is that of mse_loss in any layout, and has a gradient itself",
          "[losses]") {
  const at::Tensor s = generated({4, 8, 6, 6}, 5), t = generated({4, 8, 6, 6}, 7);
  for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
    LossCase loss("kdhost.hint", kPlain, tap(s.contiguous(format), t.contiguous(format)));
    at::Tensor& x = loss.input(0);
    const at::Tensor once = loss.evaluate().gradient.at("student.features.0");
    CHECK(once.is_contiguous(format));
    CHECK(at::allclose(once, (s - t) * (2.0 / static_cast<double>(s.numel())), 1e-14, 0));
    x.mutable_grad().reset();
    loss.evaluate(false).value.backward({}, true, /*create_graph=*/true);
    const at::Tensor slope = x.grad().clone();
    CHECK(at::allclose(slope, once, 1e-14, 0));
    x.mutable_grad().reset();
    slope.sum().backward();
    CHECK(at::allclose(x.grad(), at::full_like(x, 2.0 / static_cast<double>(s.numel())), 1e-14, 0));
  }
}

TEST_CASE("several taps of feature losses are summed", "[losses]") {
  for (const auto& [id, settings] : kMapLosses) {
    if (!sums_taps(id)) continue;
    INFO(id);
    const double first = evaluate(id, settings, tap(f_s(), f_t())).number();
    const double second = evaluate(id, settings, tap(g_s(), g_t())).number();
    CHECK(evaluate(id, settings, two_taps()).number() == Approx(first + second).epsilon(1e-12));
  }
}

TEST_CASE("a zero sample and a zero map give finite feature losses and gradients", "[losses]") {
  at::Tensor zero_sample = f_s();
  zero_sample[1] = 0;
  for (const auto& [id, settings] : kMapLosses) {
    for (const at::Tensor& s : {zero_sample, at::zeros_like(zero_sample)}) {
      INFO(id);
      CHECK(finite(evaluate(id, settings, tap(s, f_t()))));
      CHECK(finite(evaluate(id, settings, tap(f_s(), s))));
      CHECK(finite(evaluate(id, settings, tap(s, s))));
    }
  }
}

TEST_CASE("one sample is an ordinary batch for feature losses", "[losses]") {
  for (const auto& [id, settings] : kMapLosses) {
    INFO(id);
    const Evaluated e =
        evaluate(id, settings, tap(generated({1, 8, 6, 6}, 3).relu(), generated({1, 8, 6, 6}, 4).relu()));
    CHECK(finite(e));
    CHECK(e.number() > 0);
  }
  CHECK(finite(evaluate("kdhost.pad_l2", {}, tap(generated({1, 16}, 5), generated({1, 16}, 6)))));
  const Evaluated alone =
      evaluate("kdhost.semckd", {{"batch_size", 4.0}}, tap(generated({1, 8, 6, 6}, 3), generated({1, 8, 6, 6}, 4)));
  CHECK(alone.number() == 0);
  CHECK(alone.gradient_norm() == 0);
}

TEST_CASE("a constant channel is 0 for pkd and uniform for cwd", "[losses]") {
  at::Tensor constant = f_s();
  constant.select(1, 2).fill_(0.7);
  at::Tensor standardised = constant.clone();
  const Evaluated pearson = evaluate("kdhost.pkd", {}, tap(constant, constant));
  CHECK(std::abs(pearson.number()) < 1e-12);
  CHECK(finite(evaluate("kdhost.pkd", {}, tap(constant, f_t()))));
  const at::Tensor only = constant.narrow(1, 2, 1), other = f_t().narrow(1, 2, 1);
  const double uniform = (at::softmax(other.flatten(2), 2) * (at::log_softmax(other.flatten(2), 2) + std::log(36.0)))
                             .sum()
                             .item<double>() /
                         4;
  CHECK(evaluate("kdhost.cwd", {}, tap(only, other)).number() == Approx(uniform).epsilon(1e-12));
}

TEST_CASE("channels_last maps, on both sides or one, give feature losses the values and gradients of contiguous ones",
          "[losses]") {
  const auto last = [](const at::Tensor& x) { return x.contiguous(at::MemoryFormat::ChannelsLast); };
  std::vector<std::pair<const char*, Settings>> losses = kMapLosses;
  losses.push_back({"kdhost.ab", kPlain});
  losses.push_back({"kdhost.ab", {{"adaptor", S("none")}, {"variant", S("torchdistill")}}});
  losses.push_back({"kdhost.vid", kPlain});
  const at::Tensor s = f_s() - 0.5, t = f_t() - 0.5;
  for (const auto& [id, settings] : losses) {
    const Evaluated expected = evaluate(id, settings, tap(s, t));
    for (const Bound& bound : {tap(last(s), last(t)), tap(last(s), t), tap(s, last(t))}) {
      INFO(id << ", student " << bound[0].second.strides() << ", teacher " << bound[1].second.strides());
      const Evaluated e = evaluate(id, settings, bound);
      CHECK(e.number() == Approx(expected.number()).epsilon(1e-12));
      CHECK(
          at::allclose(e.gradient.at("student.features.0"), expected.gradient.at("student.features.0"), 1e-10, 1e-14));
    }
  }
}

TEST_CASE("attention takes odd powers of absolute values, and different channels and sizes", "[losses]") {
  const at::Tensor p_s = generated({4, 8, 6, 6}, 3), p_t = generated({4, 8, 6, 6}, 4);
  CHECK(evaluate("kdhost.attention", {{"p", 3.0}}, tap(p_s, p_t)).number() ==
        Approx(evaluate("kdhost.attention", {{"p", 3.0}}, tap(p_s.abs(), p_t.abs())).number()).epsilon(1e-14));
  CHECK(finite(evaluate("kdhost.attention", {}, tap(generated({4, 3, 6, 6}, 3), generated({4, 8, 3, 3}, 4)))));
}

TEST_CASE("feature losses that pool take the larger map to the size of the smaller, either way", "[losses]") {
  const auto pooled = [](const at::Tensor& x) { return at::adaptive_avg_pool2d(x, {3, 3}); };
  for (const auto& [id, settings] : std::vector<std::pair<const char*, Settings>>{{"kdhost.attention", {}},
                                                                                  {"kdhost.nst", {}},
                                                                                  {"kdhost.ft", kPlain},
                                                                                  {"kdhost.vid", kPlain},
                                                                                  {"kdhost.simkd", kPlain}}) {
    INFO(id);
    CHECK(evaluate(id, settings, tap(f_s(), g_t())).number() ==
          Approx(evaluate(id, settings, tap(pooled(f_s()), g_t())).number()).epsilon(1e-13));
    CHECK(evaluate(id, settings, tap(g_s(), f_t())).number() ==
          Approx(evaluate(id, settings, tap(g_s(), pooled(f_t()))).number()).epsilon(1e-13));
  }
  const Settings ofd{{"adaptor", S("none")}, {"margin", -0.5}};
  CHECK(evaluate("kdhost.ofd", ofd, tap(g_s(), f_t())).number() ==
        Approx(evaluate("kdhost.ofd", ofd, tap(g_s(), pooled(f_t()))).number()).epsilon(1e-13));
}

TEST_CASE("review leaves out levels that are not smaller than the map", "[losses]") {
  const at::Tensor a = generated({2, 3, 2, 2}, 1), b = generated({2, 3, 2, 2}, 2);
  const double whole = (a - b).square().mean().item<double>();
  const double one = (a.mean({2, 3}) - b.mean({2, 3})).square().mean().item<double>();
  CHECK(evaluate("kdhost.review", kPlain, tap(a, b)).number() == Approx((whole + one / 2) / 1.5).epsilon(1e-13));
  CHECK(evaluate("kdhost.review", kPlain, tap(generated({2, 3}, 1), generated({2, 3}, 2))).number() ==
        Approx((generated({2, 3}, 1) - generated({2, 3}, 2)).square().mean().item<double>()).epsilon(1e-13));
}

TEST_CASE("taps of shapes that a feature loss cannot compare are refused with tap and both shapes", "[losses]") {
  CHECK_THAT(refusal("kdhost.hint", kPlain, sizes()), Contains(kSizes + "equal shapes, since adaptor = \"none\""));
  CHECK_THAT(refusal("kdhost.ab", kPlain, sizes()), Contains(kSizes + "equal shapes; set adaptor = \"auto\""));
  CHECK_THAT(refusal("kdhost.review", kPlain, sizes()), Contains(kSizes + "equal shapes; set adaptor = \"auto\""));
  CHECK_THAT(refusal("kdhost.cwd", {}, sizes()), Contains(kSizes + "equal shapes: choose other taps"));
  CHECK_THAT(refusal("kdhost.mgd", kPlain, sizes()),
             Contains(kSizes + "equal shapes; set adaptor = \"auto\" where channels differ"));
  CHECK_THAT(refusal("kdhost.mgd", {}, sizes()),
             Contains(kSizes + "equal shapes but for the channels: choose other taps"));
  CHECK_THAT(refusal("kdhost.ktaad", {}, sizes()), Contains(kSizes + "equal sizes: choose other taps"));
  CHECK_THAT(refusal("kdhost.pad_l2", kPlain, sizes()),
             Contains(kSizes + "as many numbers a sample on both sides: choose other taps"));
  CHECK_THAT(refusal("kdhost.srd", kPlain, with_logits(sizes())),
             Contains(kSizes + "equal shapes; set adaptor = \"auto\""));

  for (const char* id : {"kdhost.vid", "kdhost.ickd", "kdhost.simkd"}) {
    INFO(id);
    CHECK_THAT(refusal(id, kPlain, channels()),
               Contains(kChannels + "the same number of channels; set adaptor = \"auto\""));
  }
  CHECK_THAT(refusal("kdhost.ofd", {{"adaptor", S("none")}, {"margin", -1.0}}, channels()),
             Contains(kChannels + "the same number of channels; set adaptor = \"auto\""));
  CHECK_THAT(refusal("kdhost.pkd", {}, channels()),
             Contains(kChannels + "the same number of channels: choose other taps"));
  CHECK_THAT(refusal("kdhost.cat", {}, channels()),
             Contains(kChannels + "the same number of channels, one map for each class"));
  CHECK_THAT(refusal("kdhost.ft", {{"adaptor", S("none")}, {"variant", S("torchdistill")}}, channels()),
             Contains(kChannels + "the same number of channels; set adaptor = \"auto\" or variant = \"repdistiller\""));
  CHECK_THAT(refusal("kdhost.ktaad", kPlain, channels()),
             Contains(kChannels + "equal shapes; set adaptor = \"auto\" where channels differ"));
}

TEST_CASE("taps that are no maps are refused where a feature loss needs maps", "[losses]") {
  const std::string vectors =
      "tap 0: 'student.features.0' is [4, 16] and 'teacher.features.0' is [4, 16], expected feature maps [N, C, H, W] "
      "on both sides";
  for (const char* id :
       {"kdhost.attention", "kdhost.nst", "kdhost.ab", "kdhost.ft", "kdhost.ofd", "kdhost.vid", "kdhost.cwd",
        "kdhost.pkd", "kdhost.mgd", "kdhost.cat", "kdhost.ickd", "kdhost.ktaad", "kdhost.simkd"}) {
    INFO(id);
    CHECK_THAT(refusal(id, id == S("kdhost.ofd") ? Settings{{"margin", -1.0}} : Settings{}, tap(e_s(), e_t())),
               Contains(vectors));
  }
  const Bound sequences = tap(generated({4, 5, 3}, 1), generated({4, 5, 3}, 2));
  const std::string shapes =
      "tap 0: 'student.features.0' is [4, 5, 3] and 'teacher.features.0' is [4, 5, 3], expected ";
  CHECK_THAT(refusal("kdhost.review", {}, sequences), Contains(shapes + "feature maps [N, C, H, W] or vectors [N, D]"));
  CHECK_THAT(refusal("kdhost.srd", {}, with_logits(sequences)),
             Contains(shapes + "embeddings [N, D] or maps [N, C, H, W]"));
  Bound classified = sequences;
  classified.emplace_back("teacher.classifier.weight", generated({10, 5}, 3));
  classified.emplace_back("teacher.logits", z_t());
  for (const Settings& settings : {Settings{}, kPlain})
    CHECK_THAT(refusal("kdhost.srrl", settings, classified), Contains(shapes + "vectors [N, D] or maps [N, C, H, W]"));
  CHECK_THAT(refusal("kdhost.semckd", {{"batch_size", 4.0}}, sequences),
             Contains("'student.features.0' is [4, 5, 3], expected a feature map [N, C, H, W]"));
  CHECK_THAT(
      refusal("kdhost.hint", {}, tap(generated({2, 4}, 1), generated({2, 4, 8, 8}, 2))),
      Contains("tap 0: 'student.features.0' is [2, 4] and 'teacher.features.0' is [2, 4, 8, 8], expected taps of the "
               "same kind: maps, vectors or sequences"));
}

TEST_CASE("sizes that no regressor joins are refused", "[losses]") {
  for (const char* id : {"kdhost.hint", "kdhost.ab"}) {
    INFO(id);
    CHECK_THAT(
        refusal(id, {}, tap(generated({2, 4, 5, 5}, 1), generated({2, 4, 8, 8}, 2))),
        Contains("tap 0: 'student.features.0' is [2, 4, 5, 5] and 'teacher.features.0' is [2, 4, 8, 8], expected "
                 "sizes that a regressor can join: the student's at least the teacher's, or exactly half of it; "
                 "choose other taps"));
  }
}

TEST_CASE("ofd without margins, or with margins that do not fit, is refused", "[losses]") {
  CHECK_THAT(
      refusal("kdhost.ofd", kPlain, tap(f_s(), f_t())),
      Contains("nothing says where the margins come from, expected 'teacher.norm_weight' and 'teacher.norm_bias' "
               "bound to the batch norms before the teacher's ReLUs (\"teacher:param/layer3.2.bn2.weight\"), or "
               "'teacher.margin', or the parameter margin"));
  Bound wrong = tap(f_s(), f_t());
  wrong.emplace_back("teacher.margin.0", at::zeros({7}, at::kDouble));
  CHECK_THAT(refusal("kdhost.ofd", kPlain, wrong),
             Contains("'teacher.margin.0' is [7], expected [8], one number for each channel of 'teacher.features.0'"));
  Bound few = two_taps();
  few.emplace_back("teacher.margin.0", at::zeros({8}, at::kDouble));
  CHECK_THAT(refusal("kdhost.ofd", kPlain, few),
             Contains("'teacher.margin' has 1 tensors, expected one for each of the 2 taps"));
}

TEST_CASE("kdsvd refuses one tap, unequal channels and a rank that the maps do not carry", "[losses]") {
  CHECK_THAT(
      refusal("kdhost.kdsvd", {}, tap(f_s(), f_t())),
      Contains("'student.features' and 'teacher.features' have one tap each, expected two or more: the loss compares "
               "what happens between consecutive taps"));
  CHECK_THAT(refusal("kdhost.kdsvd", {}, taps(generated({4, 4, 6, 6}, 1), g_s(), f_t(), g_t())),
             Contains(kChannels + "the same number of channels"));
  CHECK_THAT(refusal("kdhost.kdsvd", {{"rank", 6.0}}, taps(f_s(), g_s(), f_t(), g_t())),
             Contains("tap 0: 'student.features.0' is [4, 8, 6, 6] and 'teacher.features.0' is [4, 8, 6, 6], expected "
                      "matrices with both sides of at least rank + 3 = 9 (the smallest side is 8): lower 'rank', or "
                      "choose larger taps"));
  CHECK_THAT(refusal("kdhost.kdsvd", {{"variant", S("mdistiller")}}, taps(f_s(), g_s(), f_t(), g_t())),
             Contains("tap 1: 'student.features.1' is [4, 8, 3, 3] and 'teacher.features.1' is [4, 8, 3, 3], expected "
                      "matrices with both sides of at least rank + 3 = 4 (the smallest side is 3): lower 'rank', or "
                      "choose larger taps"));
}

TEST_CASE("a classifier that does not fit the teacher's tap is refused", "[losses]") {
  const auto bound = [](const at::Tensor& weight, const at::Tensor& bias) {
    return Bound{{"student.features.0", generated({4, 9}, 1)},
                 {"teacher.features.0", generated({4, 9}, 2)},
                 {"teacher.logits", z_t()},
                 {"teacher.classifier.weight", weight},
                 {"teacher.classifier.bias", bias}};
  };
  CHECK_THAT(refusal("kdhost.srrl", kPlain, bound(generated({10, 8}, 3), generated({10}, 4))),
             Contains("'teacher.classifier.weight' is [10, 8], expected [classes, 9], as wide as the teacher's tap"));
  CHECK_THAT(refusal("kdhost.srrl", kPlain, bound(generated({10, 9}, 3), generated({9}, 4))),
             Contains("'teacher.classifier.bias' is [9], expected [10], one for each row of "
                      "'teacher.classifier.weight'"));
  CHECK_THAT(refusal("kdhost.srrl", kPlain, bound(generated({7, 9}, 3), generated({7}, 4))),
             Contains("'teacher.logits' is [4, 10], expected [4, 7], what 'teacher.classifier.weight' makes of the "
                      "features"));
  CHECK_THAT(refusal("kdhost.simkd", {}, two_taps()),
             Contains("'student.features' and 'teacher.features' have 2 taps each, expected one: the last before the "
                      "classifier"));
}

TEST_CASE("feature losses refuse unequal numbers of taps or samples", "[losses]") {
  for (const char* id : {"kdhost.hint", "kdhost.attention", "kdhost.nst", "kdhost.ab", "kdhost.ft", "kdhost.ofd",
                         "kdhost.review", "kdhost.vid", "kdhost.cwd", "kdhost.pkd", "kdhost.mgd", "kdhost.cat",
                         "kdhost.ickd", "kdhost.ktaad", "kdhost.pad_l2", "kdhost.kdsvd", "kdhost.simkd"}) {
    INFO(id);
    CHECK_THAT(
        refusal(id, {}, {{"student.features.0", f_s()}, {"student.features.1", f_s()}, {"teacher.features.0", f_t()}}),
        Contains("'student.features' has 2 taps and 'teacher.features' has 1, expected the same number, at least one: "
                 "they are paired in order"));
    CHECK_THAT(refusal(id, {}, tap(generated({4, 8, 6, 6}, 1), generated({3, 8, 6, 6}, 2))),
               Contains("'student.features.0' is [4, 8, 6, 6] and 'teacher.features.0' is [3, 8, 6, 6], expected the "
                        "same number of samples in every tap"));
    CHECK_THAT(refusal(id, {}, tap(generated({0, 8, 6, 6}, 1), generated({0, 8, 6, 6}, 2))),
               Contains("'student.features.0' is [0, 8, 6, 6], expected at least one sample"));
  }
  CHECK_THAT(
      refusal("kdhost.semckd", {{"batch_size", 4.0}}, tap(generated({4, 8, 6, 6}, 1), generated({3, 8, 6, 6}, 2))),
      Contains("the taps have batches of 4 and 3 samples, expected the same number in every tap"));
}
