// SPDX-License-Identifier: MIT
// The trained modules of the feature losses. Values and gradient norms were computed in float64 by running the named
// project's modules and functions with the parameters that filled() sets; the shapes follow from the taps.
#include <ATen/core/grad_mode.h>

#include "feature_case.hpp"

using namespace kdhost::test;
using Catch::Matchers::Contains;

namespace {

/// Sets the k-th parameter, in the order of declaration, to 0.4 * generated(its shape, 200 + k); buffers stay.
LossCase& filled(LossCase& loss) {
  uint64_t k = 200;
  for (std::size_t i = 0; i < loss.parts().size(); ++i) {
    if (loss.parts().spec(i).role == kdhost::PartRole::buffer) continue;
    const at::NoGradGuard off;
    loss.parts()[i].copy_(generated(loss.parts()[i].sizes().vec(), k++) * 0.4);
  }
  return loss;
}

std::vector<std::string> part_names(LossCase& loss) {
  std::vector<std::string> names;
  for (const auto& part : loss.parts().list()) names.push_back(part.name);
  return names;
}

at::Tensor student() { return generated({4, 4, 6, 6}, 41); }
at::Tensor teacher() { return generated({4, 6, 6, 6}, 42); }
at::Tensor small_teacher() { return generated({4, 6, 3, 3}, 43); }

Bound norms_bound() {
  at::Tensor weight = generated({6}, 45), bias = generated({6}, 46) * 2;
  weight[3] = 0.02;  // its channel is practically never negative: margin -3 |w|
  bias[3] = 0.9;
  Bound bound = tap(student(), teacher());
  bound.emplace_back("teacher.norm_weight.0", weight);
  bound.emplace_back("teacher.norm_bias.0", bias);
  return bound;
}

Bound review_bound() {
  return {{"student.features.0", student()},
          {"student.features.1", generated({4, 5, 3, 3}, 47)},
          {"student.features.2", generated({4, 7}, 48)},
          {"teacher.features.0", teacher()},
          {"teacher.features.1", small_teacher()},
          {"teacher.features.2", generated({4, 9}, 49)}};
}

Bound semckd_bound() { return taps(student(), generated({4, 5, 3, 3}, 47), teacher(), generated({4, 7, 3, 3}, 50)); }

std::vector<Golden> with_adaptors() {
  const Bound same = tap(student(), teacher()), smaller = tap(student(), small_teacher());
  const Bound two = taps(student(), generated({4, 4, 3, 3}, 44), teacher(), teacher());
  return {
      {"kdhost.hint", {}, smaller, 0.3987764795477, 0.011875200125, "SimKD's repository, ConvReg"},
      {"kdhost.vid", {}, smaller, 0.06400293946466, 0.0012599433507, "torchdistill"},
      {"kdhost.ab", {}, smaller, 0.1821320527767, 0.0046862689401, "torchdistill x 3/1000"},
      {"kdhost.ab", {{"variant", S("torchdistill")}}, smaller, 60.71068425889, 1.5620896467, "torchdistill"},
      {"kdhost.ofd", {}, norms_bound(), 63.41570042399, 2.6489494973, "mdistiller, margins of a batch norm"},
      {"kdhost.ofd", {{"margin", -0.5}}, two, 40.22219959195, 1.4870720782, "mdistiller, taps weigh 1/2 and 1"},
      {"kdhost.ickd", {}, same, 0.1690775163181, 0.017089576028, "torchdistill"},
      {"kdhost.mgd", {{"mask_ratio", 0.0}}, same, 0.007280537086491, 0.00084545415976, "MMRazor, nothing masked"},
      {"kdhost.srd", {{"exponent", 4.0}}, with_logits(same), 11.53229451908, 1.8914537887, "torchdistill"},
      {"kdhost.pad_l2", {}, tap(e_s(), e_t()), 0.7578166914601, 0.23853084038, "torchdistill"},
      {"kdhost.ft", {}, same, 0.1185947478081, 0.036495413598, "RepDistiller's factor, torchdistill's modules"},
      {"kdhost.ft", {{"variant", S("torchdistill")}}, same, 0.1365723396715, 0.011371691097, "torchdistill"},
      {"kdhost.ktaad", {}, same, 5.008462972015, 0.29585687485, "torchdistill, 50 KTALoss + AffinityLoss"},
      {"kdhost.review", {}, review_bound(), 1.031054019441, 0.099410816344, "mdistiller"},
      {"kdhost.semckd", {{"batch_size", 4.0}}, semckd_bound(), 0.3465236958508, 0.0086993794175, "authors"},
      {"kdhost.srrl", {}, with_classifier(7, 48), 10.56843318063, 0.60563808476, "SimKD's repository"},
      {"kdhost.simkd", {}, smaller, 0.3710300013426, 0.012952689281, "authors"},
  };
}

}  // namespace

TEST_CASE("with given adaptors feature losses have the value and gradient of the published code", "[golden]") {
  for (const Golden& g : with_adaptors()) {
    INFO(g.id << " as in " << g.code);
    LossCase loss(g.id, g.settings, g.bound);
    const Evaluated e = filled(loss).evaluate();
    CHECK(e.number() == Approx(g.value).epsilon(1e-10));
    CHECK(e.gradient_norm() == Approx(g.gradient_norm).epsilon(1e-8));
  }
}

TEST_CASE("with given adaptors float32 gives the value of float64 to 1e-5 and its gradient", "[golden]") {
  for (const Golden& g : with_adaptors()) {
    INFO(g.id << " as in " << g.code);
    LossCase loss(g.id, g.settings, g.bound), coarse(g.id, g.settings, converted(g.bound, at::kFloat));
    const Evaluated fine = filled(loss).evaluate(), e = filled(coarse).evaluate();
    CHECK(e.value.scalar_type() == at::kFloat);
    CHECK(e.number() == Approx(fine.number()).epsilon(1e-5));
    CHECK(e.gradient_norm() == Approx(fine.gradient_norm()).epsilon(1e-4));
  }
}

TEST_CASE("every part of a feature loss's adaptor learns, and no gradient reaches the teacher", "[losses]") {
  for (const Golden& g : with_adaptors()) {
    Bound bound = g.bound;
    for (auto& [port, value] : bound)
      if (port.rfind("teacher.", 0) == 0) value = value.detach().clone().requires_grad_();
    LossCase loss(g.id, g.settings, bound);
    filled(loss).evaluate();
    for (const auto& [port, value] : bound) {
      INFO(g.id << ", " << port);
      if (port.rfind("teacher.", 0) == 0) CHECK_FALSE(value.grad().defined());
    }
    const bool two_stages = g.id == S("kdhost.ft") || g.id == S("kdhost.ktaad");
    for (std::size_t i = 0; i < loss.parts().size(); ++i) {
      const std::string& name = loss.parts().spec(i).name;
      if (loss.parts().spec(i).role == kdhost::PartRole::buffer) continue;
      INFO(g.id << ", " << name);
      const bool kept = two_stages && name.find("coder.") != std::string::npos;
      CHECK(loss.parts()[i].grad().defined() == !kept);
    }
  }
}

TEST_CASE("the auto-encoders of ft and ktaad learn in the first phase, from the teacher alone", "[losses]") {
  const Settings first{{"phase", S("reconstruct")}};
  LossCase factors("kdhost.ft", first, tap(student(), teacher()));
  CHECK(filled(factors).evaluate().number() == Approx(0.3690456992859).epsilon(1e-10));
  LossCase knowledge("kdhost.ktaad", first, tap(student(), teacher()));
  CHECK(filled(knowledge).evaluate().number() == Approx(0.3342591564227).epsilon(1e-10));
  for (LossCase* loss : {&factors, &knowledge}) {
    CHECK(loss->evaluate().gradient_norm() == 0);
    for (std::size_t i = 0; i < loss->parts().size(); ++i) {
      const std::string& name = loss->parts().spec(i).name;
      INFO(name);
      if (loss->parts().spec(i).role == kdhost::PartRole::buffer) continue;
      CHECK(loss->parts()[i].grad().defined() == (name.find("coder.") != std::string::npos));
    }
  }
  for (const char* id : {"kdhost.ft", "kdhost.ktaad"}) {
    LossCase one(id, first, tap(student(), teacher())), other(id, {}, tap(student(), teacher()));
    CHECK(part_names(one) == part_names(other));
    CHECK_THAT(refusal(id, {{"phase", S("reconstruct")}, {"adaptor", S("none")}}, tap(student(), teacher())),
               Contains("phase is \"reconstruct\" and adaptor is \"none\", expected adaptor = \"auto\": without the "
                        "auto-encoder there is nothing to train; leave the stage out, or leave the adaptor at "
                        "\"auto\""));
  }
}

TEST_CASE("in the second phase ktaad's auto-encoder keeps its parameters and its statistics", "[losses]") {
  LossCase loss("kdhost.ktaad", {}, tap(student(), teacher()));
  const auto find = [&](const std::string& name) {
    return loss.parts()[loss.parts().find("tap0." + name).value()].detach().clone();
  };
  const at::Tensor kept = find("autoencoder.encoder.norm1.running_mean"), moved = find("adaptation.norm.running_mean");
  loss.evaluate();
  CHECK(at::equal(find("autoencoder.encoder.norm1.running_mean"), kept));
  CHECK_FALSE(at::equal(find("adaptation.norm.running_mean"), moved));
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

TEST_CASE("ab makes a connector only where shapes differ", "[losses]") {
  LossCase loss("kdhost.ab", {}, taps(teacher(), student(), teacher(), small_teacher()));
  REQUIRE_FALSE(part_names(loss).empty());
  CHECK(part_names(loss).front() == "connector1.conv.weight");
}

TEST_CASE("vid's variances start at init_variance", "[losses]") {
  for (const double variance : {0.5, 5.0, 60.0}) {
    LossCase loss("kdhost.vid", {{"init_variance", variance}, {"adaptor", S("none")}}, tap(f_s(), f_s()));
    CHECK(part_names(loss) == std::vector<std::string>{"tap0.alpha"});
    CHECK(loss.evaluate().number() == Approx(0.5 * std::log(variance)).epsilon(1e-12));
  }
  CHECK_THAT(refusal("kdhost.vid", {{"init_variance", 0.1}, {"eps", 0.2}}, tap(f_s(), f_s())),
             Contains("init_variance is 0.100000 and eps is 0.200000, expected an init_variance above eps; raise "
                      "init_variance"));
}

TEST_CASE("mgd masks the asked share of the positions of every sample, all channels of one together", "[losses]") {
  // With a generator that hands its input on, what differs from the student is what the mask removed.
  const at::Tensor s = generated({16, 2, 20, 20}, 1).abs() + 1;
  LossCase loss("kdhost.mgd", {{"variant", S("modelopt")}}, tap(s, at::zeros_like(s)));
  {
    const at::NoGradGuard off;
    for (std::size_t i = 0; i < loss.parts().size(); ++i) {
      loss.parts()[i].zero_();
      if (loss.parts()[i].dim() == 4)
        for (int64_t channel = 0; channel < 2; ++channel) loss.parts()[i][channel][channel][1][1] = 1;
    }
  }
  const Evaluated e = loss.evaluate();
  const at::Tensor kept = e.gradient.at("student.features.0").ne(0);
  CHECK(kept.to(at::kDouble).mean().item<double>() == Approx(0.35).margin(0.02));
  CHECK(at::equal(kept.select(1, 0), kept.select(1, 1)));
  CHECK(loss.evaluate().number() == e.number());
}

TEST_CASE("ofd takes its margins from a list of channels before everything else", "[losses]") {
  Bound bound = norms_bound();
  bound.emplace_back("teacher.margin.0", at::full({6}, -0.5, at::kDouble));
  LossCase listed("kdhost.ofd", {{"margin", -0.1}}, bound),
      written("kdhost.ofd", {{"margin", -0.5}}, tap(student(), teacher()));
  CHECK(filled(listed).evaluate().number() == Approx(filled(written).evaluate().number()).epsilon(1e-14));
}

TEST_CASE("simkd reports how often the teacher's classifier says the same of both maps", "[losses]") {
  Bound bound = tap(student(), small_teacher());
  bound.emplace_back("teacher.classifier.weight", generated({10, 6}, 51));
  LossCase loss("kdhost.simkd", {}, bound);
  const double with = filled(loss).evaluate().number();
  LossCase without("kdhost.simkd", {}, tap(student(), small_teacher()));
  CHECK(with == filled(without).evaluate().number());
  REQUIRE(loss.terms().find("reused_classifier") != nullptr);
  const double share = loss.terms().find("reused_classifier")->item<double>();
  CHECK(share >= 0);
  CHECK(share <= 1);
}
