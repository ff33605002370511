// SPDX-License-Identifier: MIT
// The published numbers of the losses between relations. See golden_case.hpp for how they were computed.
#include "golden_case.hpp"

using namespace kdhost::test;

namespace {

std::vector<Golden> golden() {
  const Bound f = tap(f_s(), f_t()), e = tap(e_s(), e_t());
  const Bound p = tap(generated({4, 8, 6, 6}, 3), f_t());
  return {
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
      {"kdhost.cc", {{"adaptor", S("none")}}, e, 8.58908806099, 3.31677838, "RepDistiller"},
      {"kdhost.cc",
       {{"adaptor", S("none")}, {"variant", S("gaussian")}},
       e,
       0.622107923714,
       0.9132874503,
       "torchdistill"},
      {"kdhost.cc",
       {{"adaptor", S("none")}, {"variant", S("bilinear")}},
       e,
       0.540381666508,
       0.3596771352,
       "the formula, own computation"},
      {"kdhost.affinity", {}, p, 0.00417956947445, 0.01763247696, "the published code's formula, own computation"},
      {"kdhost.affinity",
       {{"variant", S("full")}},
       p,
       0.00417956947445,
       0.003623084685,
       "the formula, own computation"},
      {"kdhost.affinity", {{"window", 0.7}}, p, 0.00495727076743, 0.02248605382, "the formula, own computation"},
      {"kdhost.affinity", {{"window", 0.0}}, p, 0.322739743143, 0.0331289329, "the formula, own computation"},
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

}  // namespace

TEST_CASE("relation losses give the value of the published code in float64", "[golden]") {
  CHECK(wrong_values(golden()) == kNoDifferences);
}

TEST_CASE("relation losses give the gradient of the published code in float64", "[golden]") {
  CHECK(wrong_gradient_norms(golden()) == kNoDifferences);
}

TEST_CASE("relation losses in float32 agree with float64", "[golden]") {
  CHECK(wrong_in_float32(golden()) == kNoDifferences);
}

TEST_CASE("relation losses compute half precision in float32", "[golden]") {
  CHECK(wrong_in_half_precision(golden()) == kNoDifferences);
}

TEST_CASE("relation losses give the teacher no gradient", "[golden]") {
  CHECK(teacher_gradients(golden()) == kNoDifferences);
}

TEST_CASE("gradients of relation losses agree with central differences", "[golden]") {
  const Bound pooled = tap(generated({3, 4, 4, 4}, 53), generated({3, 2, 2, 2}, 54));
  const Bound same_channels = tap(generated({3, 4, 4, 4}, 55), generated({3, 4, 2, 2}, 56));
  const Bound rows = tap(generated({5, 6}, 57), generated({5, 3}, 58));
  const Bound equal_rows = tap(generated({5, 6}, 57), generated({5, 6}, 58));
  const Bound two{{"student.features.0", generated({2, 3, 4, 4}, 61)},
                  {"student.features.1", generated({2, 4, 2, 2}, 62)},
                  {"teacher.features.0", generated({2, 3, 4, 4}, 63)},
                  {"teacher.features.1", generated({2, 4, 2, 2}, 64)}};
  const Bound sequences{{"student.features.0", generated({2, 5, 3}, 65)},
                        {"student.features.1", generated({2, 5, 4}, 66)},
                        {"teacher.features.0", generated({2, 5, 3}, 67)},
                        {"teacher.features.1", generated({2, 5, 4}, 68)}};
  CHECK(wrong_gradients({{"kdhost.gram", {}, same_channels},
                         {"kdhost.gram", {}, pooled},
                         {"kdhost.gram", {{"mode", S("spatial")}}, pooled},
                         {"kdhost.fsp", {}, two},
                         {"kdhost.fsp", {{"variant", S("torchdistill")}}, two},
                         {"kdhost.fsp", {{"variant", S("sequence")}}, sequences},
                         {"kdhost.sp", {}, pooled},
                         {"kdhost.sp", {{"variant", S("torchdistill")}}, rows},
                         {"kdhost.rkd", {}, rows},
                         {"kdhost.rkd", {{"variant", S("mmrazor")}}, rows},
                         {"kdhost.pkt", {}, rows}}) == kNoDifferences);
}
