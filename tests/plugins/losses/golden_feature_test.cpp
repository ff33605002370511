// SPDX-License-Identifier: MIT
// The published numbers of the losses between hidden layers that compare the taps as they are. See golden_case.hpp for
// how they were computed; those of kdhost.pad_l2, kdhost.srrl and kdhost.ktaad are our own runs of the code that is
// named. With trained adaptors: feature_adaptors_test.cpp.
#include "feature_case.hpp"

using namespace kdhost::test;

namespace {

const std::pair<std::string, std::variant<double, std::string, bool, std::vector<int64_t>>> kNone{"adaptor", S("none")};

at::Tensor p_s() { return generated({4, 8, 6, 6}, 3); }
at::Tensor p_t() { return generated({4, 8, 6, 6}, 4); }

std::vector<Golden> golden() {
  const Bound f = tap(f_s(), f_t()), p = tap(p_s(), p_t()), e = tap(e_s(), e_t());
  return {
      {"kdhost.hint", {kNone}, f, 0.23040794401, 0, "RepDistiller"},
      {"kdhost.hint", {kNone, {"variant", S("mmrazor_l2")}}, f, 1.31895433794, 0, "MMRazor"},
      {"kdhost.hint",
       {},
       tap(generated({4, 5, 8}, 21), generated({4, 5, 8}, 22)),
       0.786954762688,
       0,
       "TextBrewer, hid_mse"},
      {"kdhost.attention", {}, f, 0.0139407434978, 0.004405801735, "RepDistiller, mdistiller, MMRazor"},
      {"kdhost.attention", {{"variant", S("paper")}}, f, 0.707742893123, 0, "torchdistill"},
      {"kdhost.nst", {}, f, 0.22724824909, 0.04517572954, "RepDistiller, mdistiller"},
      {"kdhost.ab", {kNone}, p, 1.22450795299, 0, "RepDistiller, MMRazor"},
      {"kdhost.ab", {kNone, {"variant", S("torchdistill")}}, p, 1.22450795299 / 0.003, 0, "torchdistill"},
      {"kdhost.ft", {kNone}, p, 0.0516594930686, 0, "RepDistiller"},
      {"kdhost.ft", {kNone, {"variant", S("torchdistill")}}, p, 0.0706555824839, 0, "torchdistill, MMRazor"},
      {"kdhost.ofd", {kNone, {"margin", -0.5}}, p, 176.248019451, 13.27584346, "mdistiller"},
      {"kdhost.ofd", {kNone, {"margin", -0.5}, {"variant", S("mmrazor")}}, p, 0.176248019451, 0, "MMRazor"},
      {"kdhost.review", {kNone}, f, 0.143270897954, 0, "mdistiller, torchdistill"},
      {"kdhost.vid", {kNone}, f, 0.8277597506, 0.002828475885, "mdistiller, identity regressor"},
      {"kdhost.cwd", {{"temperature", 4.0}}, p, 0.350351444587, 0.02468819046, "MMRazor"},
      {"kdhost.pkd", {}, p, 1.05263886864, 0, "MMRazor"},
      {"kdhost.mgd", {kNone}, f, 0.0013271497575, 0, "MMRazor"},
      {"kdhost.mgd", {kNone, {"variant", S("modelopt")}}, f, 0.23040794401, 0, "the hint's mean"},
      {"kdhost.cat", {}, p, 0.55273334383, 0, "authors"},
      {"kdhost.srd", {kNone}, with_logits(e), 9.8743459131, 0, "torchdistill"},
      {"kdhost.ickd", {kNone}, f, 0.0315435877313, 0, "torchdistill"},
      {"kdhost.ickd", {kNone, {"variant", S("batch_mean")}}, f, 4 * 0.0315435877313, 0, "one N less"},
      {"kdhost.pad_l2", {kNone}, e, 0.7064568121069, 0.21012735805, "torchdistill, variance 1"},
      {"kdhost.ktaad", {kNone}, p, 3.842593072378, 0.12108854488, "torchdistill, 50 KTALoss + AffinityLoss"},
      {"kdhost.srrl", {kNone}, with_classifier(9, 53), 10.05020381735, 1.6020780198, "SimKD's repository"},
      {"kdhost.simkd", {kNone}, f, 0.23040794401, 0, "the hint's mean"},
  };
}

}  // namespace

TEST_CASE("feature losses give the value of the published code in float64", "[golden]") {
  CHECK(wrong_values(golden()) == kNoDifferences);
}

TEST_CASE("feature losses give the gradient of the published code in float64", "[golden]") {
  CHECK(wrong_gradient_norms(golden()) == kNoDifferences);
}

TEST_CASE("feature losses in float32 agree with float64", "[golden]") {
  CHECK(wrong_in_float32(golden()) == kNoDifferences);
}

TEST_CASE("feature losses compute half precision in float32", "[golden]") {
  CHECK(wrong_in_half_precision(golden()) == kNoDifferences);
}

TEST_CASE("feature losses give the teacher no gradient", "[golden]") {
  CHECK(teacher_gradients(golden()) == kNoDifferences);
}

TEST_CASE("kdsvd gives the value of the published code to 1e-6, and of its other matrix", "[golden]") {
  const std::vector<Golden> both{{"kdhost.kdsvd",
                                  {},
                                  taps(generated({4, 8, 6, 6}, 13), generated({4, 8, 3, 3}, 17),
                                       generated({4, 8, 6, 6}, 14), generated({4, 8, 3, 3}, 18)),
                                  0.140819058107,
                                  0,
                                  "RepDistiller",
                                  1e-6},
                                 {"kdhost.kdsvd",
                                  {{"variant", S("mdistiller")}},
                                  taps(generated({4, 8, 6, 6}, 13), generated({4, 8, 4, 6}, 17),
                                       generated({4, 8, 6, 6}, 14), generated({4, 8, 4, 6}, 18)),
                                  0.0975388246751,
                                  0,
                                  "mdistiller without its cast to float32",
                                  1e-6}};
  CHECK(wrong_values(both) == kNoDifferences);
  CHECK(teacher_gradients(both) == kNoDifferences);
}

TEST_CASE("gradients of feature losses agree with central differences", "[golden]") {
  const Bound small = tap(generated({3, 4, 4, 4}, 51), generated({3, 4, 4, 4}, 52));
  const Bound pooled = tap(generated({3, 4, 4, 4}, 53), generated({3, 2, 2, 2}, 54));
  const Bound same_channels = tap(generated({3, 4, 4, 4}, 55), generated({3, 4, 2, 2}, 56));
  const Bound grows = tap(generated({3, 4, 2, 2}, 57), generated({3, 4, 4, 4}, 58));
  const Bound wider = tap(generated({3, 4, 4, 4}, 59), generated({3, 6, 4, 4}, 60));
  const Bound rows = with_logits(tap(generated({4, 6}, 61), generated({4, 5}, 62)));
  const Bound two = taps(generated({4, 3, 4, 4}, 63), generated({4, 4, 2, 2}, 64), generated({4, 5, 4, 4}, 65),
                         generated({4, 6, 2, 2}, 66));
  CHECK(wrong_gradients({{"kdhost.hint", {}, small},
                         {"kdhost.hint", {{"variant", S("mmrazor_l2")}, kNone}, small},
                         {"kdhost.attention", {}, pooled},
                         {"kdhost.attention", {{"p", 3.0}, {"variant", S("paper")}}, pooled},
                         {"kdhost.nst", {}, pooled},
                         {"kdhost.ab", {}, pooled},
                         {"kdhost.ab", {{"variant", S("torchdistill")}}, small},
                         {"kdhost.ft", {}, pooled},
                         {"kdhost.ft", {{"variant", S("torchdistill")}, kNone}, small},
                         {"kdhost.ofd", {{"margin", -0.25}}, pooled},
                         {"kdhost.review", {}, two},
                         {"kdhost.review", {kNone}, small},
                         {"kdhost.vid", {}, pooled},
                         {"kdhost.cwd", {{"temperature", 0.5}}, small},
                         {"kdhost.pkd", {}, grows},
                         {"kdhost.pkd", {}, same_channels},
                         {"kdhost.mgd", {}, wider},
                         {"kdhost.mgd", {{"variant", S("modelopt")}, kNone}, small},
                         {"kdhost.cat", {}, same_channels},
                         {"kdhost.srd", {{"exponent", 3.0}}, rows},
                         {"kdhost.ickd", {}, pooled},
                         {"kdhost.pad_l2", {}, tap(e_s(), e_t())},
                         {"kdhost.ktaad", {}, wider},
                         {"kdhost.semckd", {{"batch_size", 4.0}}, two},
                         {"kdhost.srrl", {}, with_classifier(9, 53)},
                         {"kdhost.simkd", {}, pooled},
                         {"kdhost.kdsvd",
                          {},
                          taps(generated({2, 4, 3, 3}, 13), generated({2, 4, 2, 2}, 17), generated({2, 4, 3, 3}, 14),
                               generated({2, 4, 2, 2}, 18))}}) == kNoDifferences);
}
