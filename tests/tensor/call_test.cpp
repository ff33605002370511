// SPDX-License-Identifier: MIT
// What a call is made of: named values that own their memory, ports, results by name.
#include <catch2/catch.hpp>

#include "boundary_values.hpp"
#include "tensor/component_call.hpp"

namespace kdhost {
namespace {

TEST_CASE("arguments own what they show, and a copy is independent") {
  Arguments copy;
  {
    Arguments original;
    std::string text = "mean, with a text too long for the small-string buffer";
    original.add("reduction", std::string_view(text)).add("places", std::vector<std::string>{"a", "bb"});
    original.add("hidden", std::vector<int64_t>{3, 4}).add("temperature", 4.0).add("classes", 10).add("flag", true);
    text.assign(text.size(), 'x');
    copy = original;
  }
  const auto values = copy.values();
  REQUIRE(values.size() == 6);
  CHECK(std::string(values[0].value.u.s, values[0].value.count) ==
        "mean, with a text too long for the small-string buffer");
  CHECK(view(values[1].value.u.strings[1]) == "bb");
  CHECK(values[2].value.u.ints[1] == 4);
  CHECK(copy.number(3) == 4.0);
  CHECK(copy.find("classes") == 4);
  CHECK_FALSE(copy.find("missing").has_value());
}

TEST_CASE("a scheduled number keeps the type of its parameter") {
  Arguments params;
  params.add("temperature", 4.0).add("k", 5).add("enabled", true);
  params.set_number(0, 2.5);
  params.set_number(1, 2.6);
  params.set_number(2, 0.0);
  CHECK(params.values()[0].value.u.f == 2.5);
  CHECK(params.values()[1].value.u.i == 3);
  CHECK(params.values()[2].value.type == KDH_T_BOOL);
  CHECK(params.values()[2].value.u.i == 0);
}

TEST_CASE("ports lend tensors without counting references") {
  Inputs inputs;
  const std::size_t logits = inputs.add("student.logits");
  const std::size_t features = inputs.add_list("student.features", 2);
  const at::Tensor x = at::zeros({2});
  inputs.set(logits, x);
  inputs.set(features, 1, x);
  const Inputs moved = std::move(inputs);
  CHECK(x.use_count() == 1);
  CHECK(moved.port(1) == "student.features");
  CHECK(moved.find("student.features") == 1);
  CHECK(moved.values()[0].value.u.tensor == lend(x));
  CHECK(moved.values()[1].value.count == 2);
  CHECK(moved.values()[1].value.u.tensors[0] == nullptr);
  CHECK(moved.values()[1].value.u.tensors[1] == lend(x));
}

TEST_CASE("results keep their order, refuse a second of the same name, and can be used again") {
  Outputs out;
  CHECK(out.add("logits", at::zeros({1})));
  CHECK(out.add("hidden", at::ones({1})));
  CHECK_FALSE(out.add("logits", at::ones({1})));
  CHECK(out.size() == 2);
  CHECK(out[std::size_t{1}].name == "hidden");
  CHECK(out["hidden"].item<float>() == 1.0f);
  CHECK_FALSE(out["other"].defined());
  out.clear();
  CHECK(out.empty());
  CHECK(out.find("logits") == nullptr);
  CHECK(out.add("other", at::zeros({1})));
  CHECK(out.begin()->name == "other");
}

TEST_CASE("everything is wanted unless names are given") {
  CHECK(Wants().has("anything"));
  const Wants some({"logits"});
  CHECK(some.has("logits"));
  CHECK_FALSE(some.has("hidden"));
  CHECK_FALSE(Wants(std::vector<std::string>{}).has("logits"));
}

}  // namespace
}  // namespace kdhost
