// SPDX-License-Identifier: MIT
// The published numbers of the losses on logits. See golden_case.hpp for how they were computed and what each must
// pass.
#include "golden_case.hpp"

using namespace kdhost::test;

namespace {

std::vector<Golden> golden() {
  const char* four = "RepDistiller, mdistiller, MMRazor, ModelOpt";
  return {
      {"kdhost.kd", {{"temperature", 4.0}}, logits(), 5.62981756929, 0.534863723, four},
      {"kdhost.kd", {{"scale", S("none")}}, logits(), 0.351863598081, 0, "torchdistill with alpha = 0"},
      {"kdhost.kd", {{"scale", S("none")}, {"form", S("ce")}}, logits(), 2.41533694469, 0, "TextBrewer"},
      {"kdhost.logit_mse", {{"temperature", 4.0}}, logits(), 1.00511118046, 0, "TextBrewer"},
      {"kdhost.dkd", {{"beta", 8.0}}, labelled(), 43.8080000845, 4.579286805, "mdistiller"},
      {"kdhost.dkd", {{"beta", 0.0}}, labelled(), 0.931066534126, 0, "mdistiller"},
      {"kdhost.dkd", {{"reduction", S("sum")}}, labelled(), 175.232000338, 0, "MMRazor with reduction mean"},
      {"kdhost.dist", {{"variant", S("torchdistill")}}, logits(), 2.09172821829, 0.2678856928, "torchdistill"},
      {"kdhost.dist", {{"temperature", 4.0}}, logits(), 38.4186174955, 0, "MMRazor"},
      {"kdhost.lskd", {{"temperature", 2.0}}, logits(), 1.09705100863, 0.09525157788, "authors"},
      {"kdhost.kd", {{"temperature", 2.0}, {"standardize", true}}, logits(), 1.09705100863, 0.09525157788, "lskd"},
      {"kdhost.wsld", {{"temperature", 2.0}}, labelled(), 7.30085731642, 0, "MMRazor"},
      {"kdhost.ttm", {{"exponent", 0.2}}, logits(), 1.12246968081, 0, "authors"},
      {"kdhost.wttm", {{"exponent", 0.2}}, logits(), 4.73621304473, 0, "authors"},
      {"kdhost.nkd", {}, labelled(), 4.94257505895, 0, "authors"},
      {"kdhost.jsd", {{"beta", 0.5}}, logits(), 0.405532209929, 0.04855954525, "Liger-Kernel / N"},
      {"kdhost.jsd", {{"beta", 1.0}}, logits(), 3.65558804443, 0, "Liger-Kernel / N"},
      {"kdhost.reverse_kl", {}, logits(), 3.65558804443, 0, "Liger-Kernel / N"},
      {"kdhost.skew_kl", {{"form", S("ce")}}, logits(), 2.31787283602, 0, "distillm"},
      {"kdhost.tvd", {{"temperature", 4.0}}, logits(), 5.52507158636, 0, "DistillKit"},
      {"kdhost.logit_cosine", {}, logits(), 1.3927210479, 0, "Liger-Kernel / N"},
      {"kdhost.mft", {}, labelled(), 2.82024793501, 0, "ModelOpt"},
  };
}

}  // namespace

TEST_CASE("the generator of the inputs gives the stated numbers", "[golden]") {
  const at::Tensor made = z_s();
  const double* z = made.data_ptr<double>();
  CHECK(z[0] == Approx(-0.46074497513473034).epsilon(1e-15));
  CHECK(z[1] == Approx(0.056444655172526836).epsilon(1e-15));
  CHECK(z[2] == Approx(0.8901563622057438).epsilon(1e-15));
  CHECK(z[3] == Approx(-0.7028196584433317).epsilon(1e-15));
}

TEST_CASE("every loss on logits gives the value of the published code in float64, to 1e-10", "[golden]") {
  CHECK(wrong_values(golden()) == kNoDifferences);
}

TEST_CASE("every loss on logits gives the gradient of the published code in float64, to 1e-8", "[golden]") {
  CHECK(wrong_gradient_norms(golden()) == kNoDifferences);
}

TEST_CASE("losses on logits give in float32 the value and gradient of float64, to 1e-5", "[golden]") {
  CHECK(wrong_in_float32(golden()) == kNoDifferences);
}

TEST_CASE("losses on logits compute half precision in float32", "[golden]") {
  CHECK(wrong_in_half_precision(golden()) == kNoDifferences);
}

TEST_CASE("no gradient of a loss on logits reaches the teacher", "[golden]") {
  CHECK(teacher_gradients(golden()) == kNoDifferences);
}

TEST_CASE("gradients of the losses on logits agree with central differences", "[golden]") {
  CHECK(wrong_gradients(
            {{"kdhost.kd", {}, logits()},
             {"kdhost.kd", {{"form", S("ce")}, {"reduction", S("mean")}, {"temperature", 1.5}}, logits()},
             {"kdhost.kd", {{"reduction", S("sum")}, {"scale", S("none")}}, logits()},
             {"kdhost.kd", {{"standardize", true}}, logits()},
             {"kdhost.cross_entropy", {}, {{"student.logits", z_s()}, {"batch.label", y()}}},
             {"kdhost.cross_entropy", {{"label_smoothing", 0.1}}, {{"student.logits", z_s()}, {"batch.label", y()}}},
             {"kdhost.cross_entropy",
              {{"label_smoothing", 0.1}},
              {{"student.logits", z_s()}, {"batch.label", z_t().softmax(1)}}},
             {"kdhost.logit_mse", {{"temperature", 2.0}}, logits()},
             {"kdhost.dkd", {{"beta", 2.0}}, labelled()},
             {"kdhost.dkd", {{"standardize", true}}, labelled()},
             {"kdhost.dist", {{"beta", 2.0}, {"temperature", 2.0}}, logits()},
             {"kdhost.dist", {{"variant", S("torchdistill")}}, logits()},
             {"kdhost.lskd", {}, logits()},
             {"kdhost.ttm", {{"exponent", 0.3}}, logits()},
             {"kdhost.wttm", {{"exponent", 0.3}}, logits()},
             {"kdhost.nkd", {{"gamma", 2.0}}, labelled()},
             {"kdhost.nkd", {{"temperature", 3.0}}, labelled()},
             {"kdhost.jsd", {{"beta", 0.0}}, logits()},
             {"kdhost.jsd", {{"beta", 0.3}}, logits()},
             {"kdhost.reverse_kl", {}, logits()},
             {"kdhost.skew_kl", {}, logits()},
             {"kdhost.skew_kl", {{"form", S("ce")}, {"lambda", 0.4}}, logits()},
             {"kdhost.skew_kl", {{"direction", S("reverse")}}, logits()},
             {"kdhost.skew_kl", {{"direction", S("reverse")}, {"form", S("ce")}}, logits()},
             {"kdhost.tvd", {{"temperature", 2.0}}, logits()},
             {"kdhost.logit_cosine", {}, logits()},
             {"kdhost.mft", {{"temperature", 2.0}}, labelled()}}) == kNoDifferences);
}
