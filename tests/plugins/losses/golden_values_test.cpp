// SPDX-License-Identifier: MIT
// The published number of each shipped loss. Values and gradient norms were computed in float64 with the named
// project's own function on the generated inputs of loss_case.hpp, without term weight and without adaptor.
#include "loss_case.hpp"

using namespace kdhost::test;

namespace {

struct Golden {
  const char* id;
  Settings settings;
  Bound bound;
  double value;
  double gradient_norm;  ///< 0: not recorded
  const char* code;
};

std::vector<Golden> golden() {
  const Bound f = tap(f_s(), f_t()), e = tap(e_s(), e_t());
  return {
      {"kdhost.kd",
       {{"temperature", 4.0}},
       logits(),
       5.62981756929,
       0.534863723,
       "RepDistiller, mdistiller, MMRazor, ModelOpt"},
      {"kdhost.kd",
       {{"temperature", 4.0}, {"scale", S("none")}},
       logits(),
       0.351863598081,
       0,
       "torchdistill with alpha = 0"},
      {"kdhost.kd",
       {{"temperature", 4.0}, {"scale", S("none")}, {"form", S("ce")}},
       logits(),
       2.41533694469,
       0,
       "TextBrewer"},
      {"kdhost.logit_mse", {{"temperature", 4.0}}, logits(), 1.00511118046, 0, "TextBrewer"},
      {"kdhost.dkd", {{"beta", 8.0}}, labelled(), 43.8080000845, 4.579286805, "mdistiller"},
      {"kdhost.dkd", {{"beta", 0.0}}, labelled(), 0.931066534126, 0, "mdistiller"},
      {"kdhost.dkd", {{"reduction", S("sum")}}, labelled(), 175.232000338, 0, "MMRazor with reduction mean"},
      {"kdhost.dist", {{"variant", S("torchdistill")}}, logits(), 2.09172821829, 0.2678856928, "torchdistill"},
      {"kdhost.dist", {{"temperature", 4.0}}, logits(), 38.4186174955, 0, "MMRazor"},
      {"kdhost.hint", {{"adaptor", S("none")}}, f, 0.23040794401, 0, "RepDistiller"},
      {"kdhost.hint", {{"adaptor", S("none")}, {"variant", S("mmrazor_l2")}}, f, 1.31895433794, 0, "MMRazor"},
      {"kdhost.hint",
       {},
       tap(generated({4, 5, 8}, 21), generated({4, 5, 8}, 22)),
       0.786954762688,
       0,
       "TextBrewer, hid_mse"},
      {"kdhost.attention", {}, f, 0.0139407434978, 0.004405801735, "RepDistiller, mdistiller, MMRazor"},
      {"kdhost.attention", {{"variant", S("paper")}}, f, 0.707742893123, 0, "torchdistill"},
      {"kdhost.sp", {}, f, 0.00259882835732, 0.00458603447, "RepDistiller, mdistiller"},
      {"kdhost.sp", {{"variant", S("torchdistill")}}, f, 0.000862955616439, 0, "torchdistill"},
      {"kdhost.rkd", {{"distance_weight", 1.0}, {"angle_weight", 0.0}}, e, 0.0130464497782, 0, "RepDistiller"},
      {"kdhost.rkd", {{"distance_weight", 0.0}, {"angle_weight", 1.0}}, e, 0.00961359085727, 0, "RepDistiller"},
      {"kdhost.rkd",
       {{"variant", S("mmrazor")}, {"distance_weight", 25.0}, {"angle_weight", 0.0}},
       e,
       0.435199410352,
       0,
       "MMRazor"},
      {"kdhost.pkt", {}, e, 0.00629465355423, 0.007715117133, "RepDistiller, mdistiller, torchdistill"},
      {"kdhost.fsp", {}, two_taps(), 0.00273614416454, 0, "RepDistiller"},
      {"kdhost.fsp", {{"variant", S("torchdistill")}}, two_taps(), 2.21668947932, 0, "torchdistill"},
      {"kdhost.gram", {}, f, 0.00228284621628, 0.001197968007, "the formula"},
      {"kdhost.gram", {{"mode", S("spatial")}}, f, 0.00759765837195, 0.001823432139, "the formula"},
      {"kdhost.gram",
       {{"mode", S("spatial")}},
       tap(f_s(), g_t()),
       0.00359423919271,
       0.001217158678,
       "the formula, pooled"},
      {"kdhost.gram", {{"mode", S("gatys")}}, f, 0.00057071155407, 0.0002994920019, "the formula"},
  };
}

Bound in_float32(const Bound& bound) {
  Bound made;
  for (const auto& [port, value] : bound)
    made.emplace_back(port, value.is_floating_point() ? value.to(at::kFloat) : value);
  return made;
}

}  // namespace

TEST_CASE("the generator of the inputs gives the stated numbers", "[golden]") {
  const double* z = nullptr;
  const at::Tensor made = z_s();
  z = made.data_ptr<double>();
  CHECK(z[0] == Approx(-0.46074497513473034).epsilon(1e-15));
  CHECK(z[1] == Approx(0.056444655172526836).epsilon(1e-15));
  CHECK(z[2] == Approx(0.8901563622057438).epsilon(1e-15));
  CHECK(z[3] == Approx(-0.7028196584433317).epsilon(1e-15));
}

TEST_CASE("every loss gives the value of the published code in float64, to 1e-10", "[golden]") {
  for (const Golden& g : golden()) {
    INFO(g.id << " as in " << g.code);
    CHECK(evaluate(g.id, g.settings, g.bound).number() == Approx(g.value).epsilon(1e-10));
  }
}

TEST_CASE("every loss gives the gradient of the published code in float64, to 1e-8", "[golden]") {
  for (const Golden& g : golden()) {
    if (g.gradient_norm == 0) continue;
    INFO(g.id << " as in " << g.code);
    CHECK(evaluate(g.id, g.settings, g.bound).gradient_norm() == Approx(g.gradient_norm).epsilon(1e-8));
  }
}

TEST_CASE("float32 gives the value and gradient of float64, to 1e-5", "[golden]") {
  for (const Golden& g : golden()) {
    INFO(g.id << " as in " << g.code);
    const Evaluated fine = evaluate(g.id, g.settings, g.bound);
    const Evaluated coarse = evaluate(g.id, g.settings, in_float32(g.bound));
    CHECK(coarse.value.scalar_type() == at::kFloat);
    CHECK(coarse.number() == Approx(fine.number()).epsilon(1e-5));
    for (const auto& [port, gradient] : fine.gradient) {
      const double scale = gradient.abs().max().item<double>();
      CHECK((coarse.gradient.at(port).to(at::kDouble) - gradient).abs().max().item<double>() <= 1e-5 * scale);
    }
  }
}

TEST_CASE("half precision is computed in float32", "[golden]") {
  for (const auto& [id, settings, bound, value, norm, code] : golden()) {
    INFO(id);
    Bound low;
    Bound same;
    for (const auto& [port, x] : bound) {
      low.emplace_back(port, x.is_floating_point() ? x.to(at::kBFloat16) : x);
      same.emplace_back(port, x.is_floating_point() ? x.to(at::kBFloat16).to(at::kFloat) : x);
    }
    // An adaptor's parameters have the precision of the run, so only losses without one take part.
    if (std::string(id) == "kdhost.hint") continue;
    const Evaluated from_low = evaluate(id, settings, low);
    CHECK(from_low.value.scalar_type() == at::kFloat);
    CHECK(from_low.number() == evaluate(id, settings, same).number());
  }
}

TEST_CASE("gradients agree with central differences", "[golden]") {
  const Bound small = tap(generated({3, 4, 4, 4}, 51), generated({3, 4, 4, 4}, 52));
  const Bound pooled = tap(generated({3, 4, 4, 4}, 53), generated({3, 2, 2, 2}, 54));
  const Bound same_channels = tap(generated({3, 4, 4, 4}, 55), generated({3, 4, 2, 2}, 56));
  const Bound rows = tap(generated({5, 6}, 57), generated({5, 3}, 58));
  const Bound two{{"student.features.0", generated({2, 3, 4, 4}, 61)},
                  {"student.features.1", generated({2, 4, 2, 2}, 62)},
                  {"teacher.features.0", generated({2, 3, 4, 4}, 63)},
                  {"teacher.features.1", generated({2, 4, 2, 2}, 64)}};
  const Bound sequences{{"student.features.0", generated({2, 5, 3}, 65)},
                        {"student.features.1", generated({2, 5, 4}, 66)},
                        {"teacher.features.0", generated({2, 5, 3}, 67)},
                        {"teacher.features.1", generated({2, 5, 4}, 68)}};
  const std::vector<std::tuple<const char*, Settings, Bound>> cases{
      {"kdhost.kd", {}, logits()},
      {"kdhost.kd", {{"form", S("ce")}, {"reduction", S("mean")}, {"temperature", 1.5}}, logits()},
      {"kdhost.kd", {{"reduction", S("sum")}, {"scale", S("none")}}, logits()},
      {"kdhost.cross_entropy", {}, {{"student.logits", z_s()}, {"batch.label", y()}}},
      {"kdhost.cross_entropy", {{"label_smoothing", 0.1}}, {{"student.logits", z_s()}, {"batch.label", y()}}},
      {"kdhost.cross_entropy",
       {{"label_smoothing", 0.1}},
       {{"student.logits", z_s()}, {"batch.label", z_t().softmax(1)}}},
      {"kdhost.logit_mse", {}, logits()},
      {"kdhost.dkd", {{"beta", 2.0}}, labelled()},
      {"kdhost.dkd", {{"standardize", true}}, labelled()},
      {"kdhost.dist", {{"beta", 2.0}, {"temperature", 2.0}}, logits()},
      {"kdhost.dist", {{"variant", S("torchdistill")}}, logits()},
      {"kdhost.hint", {}, small},
      {"kdhost.hint", {{"variant", S("mmrazor_l2")}, {"adaptor", S("none")}}, small},
      {"kdhost.attention", {}, pooled},
      {"kdhost.attention", {{"p", 3.0}, {"variant", S("paper")}}, pooled},
      {"kdhost.gram", {}, same_channels},
      {"kdhost.gram", {}, pooled},
      {"kdhost.gram", {{"mode", S("spatial")}}, pooled},
      {"kdhost.fsp", {}, two},
      {"kdhost.fsp", {{"variant", S("torchdistill")}}, two},
      {"kdhost.fsp", {{"variant", S("sequence")}}, sequences},
      {"kdhost.sp", {}, pooled},
      {"kdhost.sp", {{"variant", S("torchdistill")}}, rows},
      {"kdhost.rkd", {}, rows},
      {"kdhost.rkd", {{"variant", S("mmrazor")}}, rows},
      {"kdhost.pkt", {}, rows}};
  for (const auto& [id, settings, bound] : cases) {
    INFO(id << (settings.empty() ? "" : " with " + settings.front().first));
    CHECK(gradient_error(id, settings, bound) < 1e-5);
  }
}

TEST_CASE("no gradient reaches the teacher", "[golden]") {
  for (const Golden& g : golden()) {
    INFO(g.id);
    Bound bound = g.bound;
    for (auto& [port, value] : bound)
      if (port.rfind("teacher.", 0) == 0) value = value.detach().clone().requires_grad_();
    evaluate(g.id, g.settings, bound);
    for (auto& [port, value] : bound)
      if (port.rfind("teacher.", 0) == 0) CHECK_FALSE(value.grad().defined());
  }
}
