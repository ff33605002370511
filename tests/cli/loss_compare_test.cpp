// SPDX-License-Identifier: MIT
// kdhost loss --compare: two losses on the same tensors, the ratio of their values, ratio and angle of their gradients.
#include <cmath>

#include "base/text.hpp"
#include "cli/loss_files.hpp"

using namespace kdhost;
using namespace kdhost::test;

namespace {

struct Logits {
  Program p;
  at::Tensor student = pattern({6, 5}, 0.1), teacher = pattern({6, 5}, 1.3);
  Logits() { save(p, "in.safetensors", {{"student.logits", student}, {"teacher.logits", teacher}}); }
  Answer compare(const std::string& options) const {
    return p.kdhost("loss kdhost.kd --inputs in.safetensors " + options);
  }
};

double degrees(const at::Tensor& a, const at::Tensor& b) {
  return std::acos((a * b).sum().item<double>() / (a.norm() * b.norm()).item<double>()) * 180 / std::acos(-1.0);
}

}  // namespace

TEST_CASE("two variants of a loss that differ by a factor have its ratio and no angle") {
  const Logits logits;
  const auto json = logits.compare("--compare kdhost.kd --other-set 'scale=\"none\"' --json").json();
  CHECK(json["ratio"].get<double>() == Approx(1 / 16.0).epsilon(1e-12));
  CHECK(json["all_gradients"]["ratio"].get<double>() == Approx(1 / 16.0).epsilon(1e-12));
  CHECK(json["all_gradients"]["angle"].get<double>() < 1e-6);
  CHECK(json["first"]["value"].get<double>() / 16 == Approx(json["other"]["value"].get<double>()).epsilon(1e-12));
}

TEST_CASE("two losses have the ratio of their values, and ratio and angle of their gradients") {
  const Logits logits;
  const auto json =
      logits.compare("--compare kdhost.reverse_kl --set temperature=1 --grads out.safetensors --json").json();
  const SafetensorsFile out(logits.p / "out.safetensors");
  const at::Tensor first = out.tensor("student.logits"), other = out.tensor("other/student.logits");
  const auto gradients = json["gradients"]["student.logits"];
  CHECK(gradients["angle"].get<double>() == Approx(degrees(first, other)).epsilon(1e-9));
  CHECK(gradients["angle"].get<double>() > 1);
  CHECK(gradients["ratio"].get<double>() == Approx((other.norm() / first.norm()).item<double>()).epsilon(1e-12));
  CHECK(gradients["first_norm"].get<double>() == Approx(first.norm().item<double>()).epsilon(1e-12));
  CHECK(json["all_gradients"] == gradients);
  CHECK(json["first"]["loss"] == "kdhost.kd");
  CHECK(json["other"]["loss"] == "kdhost.reverse_kl");
}

TEST_CASE("the comparison is a small table") {
  const Logits logits;
  const Answer answer = logits.compare("--compare kdhost.kd --other-set temperature=1 --other-set 'form=\"ce\"'");
  REQUIRE(answer.exit == 0);
  const auto json =
      logits.compare("--compare kdhost.kd --other-set temperature=1 --other-set 'form=\"ce\"' --json").json();
  const auto figure = [&](const char* format, const nlohmann::ordered_json& number) {
    char text[32];
    std::snprintf(text, sizeof text, format, number.get<double>());
    return std::string(text);
  };
  const auto& g = json["all_gradients"];
  const std::string figures = padded(figure("%.6g", g["first_norm"]), 14) +
                              padded(figure("%.6g", g["other_norm"]), 14) + padded(figure("%.6g", g["ratio"]), 14) +
                              figure("%.4f", g["angle"]) + "\n";
  CHECK(answer.out == "first  " + padded(digits17(json["first"]["value"]), 24) + " kdhost.kd\n" + "other  " +
                          padded(digits17(json["other"]["value"]), 24) + " kdhost.kd (temperature=1, form=\"ce\")\n" +
                          "ratio  " + figure("%.6g", json["ratio"]) + "\n\n" +
                          "gradient of     first norm    other norm    ratio         angle in degrees\n"
                          "student.logits  " +
                          figures + "all             " + figures);
}

TEST_CASE("a tensor that only one of the losses takes has a gradient of zero in the other, and no angle") {
  const Program p;
  save(p, "in.safetensors",
       {{"student.logits", pattern({4, 3}, 0.1)},
        {"teacher.logits", pattern({4, 3}, 1.3)},
        {"student.features.0", pattern({4, 5}, 0.4)},
        {"teacher.features.0", pattern({4, 5}, 0.6)}});
  const auto json = p.kdhost("loss kdhost.kd --inputs in.safetensors --compare kdhost.sp --json").json();
  CHECK(json["gradients"]["student.logits"]["ratio"] == 0.0);
  CHECK(json["gradients"]["student.logits"]["angle"].is_null());
  CHECK(json["gradients"]["student.features.0"]["ratio"].is_null());
  CHECK(json["all_gradients"]["angle"].get<double>() == Approx(90.0));
}

TEST_CASE("two variants of one loss start with the same parts, and --other-inputs gives the other its own tensors") {
  const Program p;
  const std::vector<NamedTensor> taps{{"student.features.0", pattern({4, 3}, 0.1)},
                                      {"teacher.features.0", pattern({4, 2}, 1.3)}};
  save(p, "in.safetensors", taps);
  save(p, "half.safetensors", {{"student.features.0", taps[0].value / 2}, {"teacher.features.0", taps[1].value}});
  const Answer same = p.kdhost("loss kdhost.hint --inputs in.safetensors --compare kdhost.hint");
  CHECK(contains(same.out, "\nratio  1\n"));
  const auto json =
      p.kdhost("loss kdhost.hint --inputs in.safetensors --compare kdhost.hint --other-inputs half.safetensors --json")
          .json();
  CHECK(json["other"]["value"].get<double>() == std::stod(p.kdhost("loss kdhost.hint --inputs half.safetensors").out));
  save(p, "state.safetensors",
       {{"regressor0.linear.weight", pattern({2, 3}, 0)}, {"regressor0.linear.bias", pattern({2}, 0)}});
  const auto given =
      p.kdhost("loss kdhost.hint --inputs in.safetensors --compare kdhost.hint --state state.safetensors --json")
          .json();
  CHECK(given["ratio"] == 1.0);
  CHECK(given["other"]["parts"]["not_given"].empty());
}

TEST_CASE("a comparison that cannot be made says why") {
  const Logits logits;
  const Answer unknown = logits.compare("--compare kdhost.kl");
  CHECK(unknown.exit == 3);
  CHECK(contains(unknown.err, "error: --compare: no plugin offers 'kdhost.kl'.\n"));
  const Answer parameter = logits.compare("--compare kdhost.kd --other-set temperature=0");
  CHECK(parameter.exit == 3);
  CHECK(contains(parameter.err, "error: --other-set temperature=0: "));
  const Answer port = logits.compare("--compare kdhost.dkd");
  CHECK(port.exit == 4);
  CHECK(port.err ==
        "error: in.safetensors: has no tensor 'batch.label', which kdhost.dkd needs.\n"
        "  The file holds: student.logits, teacher.logits.\n");
  save(logits.p, "wide.safetensors",
       {{"student.logits", pattern({6, 7}, 0.1)}, {"teacher.logits", pattern({6, 7}, 0.2)}});
  const Answer shapes = logits.compare("--compare kdhost.reverse_kl --other-inputs wide.safetensors");
  CHECK(shapes.exit == 4);
  CHECK(shapes.err ==
        "error: student.logits: is [6, 5] for kdhost.kd and [6, 7] for kdhost.reverse_kl.\n"
        "  Expected the same shape, or there is no angle between gradients. Give both losses the same student.\n");
  const Answer alone = logits.compare("--other-set temperature=1");
  CHECK(alone.exit == 2);
  CHECK(alone.err ==
        "error: kdhost loss: --other-set is given without --compare.\n"
        "  Expected --compare OTHER beside it. Example: kdhost loss kdhost.sp --inputs in.safetensors --compare "
        "kdhost.sp --other-set 'variant=\"torchdistill\"'\n");
}
