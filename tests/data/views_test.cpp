// SPDX-License-Identifier: MIT
// Several views of a sample: which forward a name asks for, what the model sees in it, and in which order rows come
// back.
#include "data/views.hpp"
#include "tensor/aten.hpp"

#include <catch2/catch.hpp>

#include "tensor/arguments.hpp"

namespace kdhost {
namespace {

/// Three samples of two numbers; "turned" has two views of each, "strong" one, and `mask` is a second input.
Batch batch_with_views() {
  Batch batch;
  batch.samples = {4, 5, 6};
  batch.set("input", at::arange(6, at::kFloat).reshape({3, 2}));
  batch.set("label", at::tensor({0, 1, 0}, at::kLong));
  batch.set("mask", at::tensor({10, 20, 30}, at::kLong));
  batch.set("strong", -*batch.find("input"));
  batch.set("turned", at::arange(12, at::kFloat).reshape({3, 2, 2}) + 100);
  return batch;
}

/// A model that reads `input` and `mask` and gives their sum as "logits" and the input as "hidden".
struct Model {
  Inputs inputs;
  std::vector<std::string> calls;  ///< what each forward was asked for

  Model() {
    inputs.add("batch.input");
    inputs.add("batch.mask");
  }
  Outputs run(const Batch& batch, const std::vector<std::string>& wants) {
    Outputs out;
    forward_views(inputs, batch, Wants(wants), out, [&](const Batch& seen, const Wants& wanted, Outputs& found) {
      std::string names;
      for (const std::string& name : wanted.names()) names += name + " ";
      calls.push_back(names);
      const at::Tensor &x = *seen.find("input"), &mask = *seen.find("mask");
      if (wanted.has("hidden")) found.add("hidden", x);
      if (wanted.has("logits")) found.add("logits", x + mask.unsqueeze(1));
    });
    return out;
  }
};

}  // namespace

TEST_CASE("a name with @ is a tap and a view") {
  CHECK(viewed_tap("layer1.pre").tap == "layer1.pre");
  CHECK(viewed_tap("layer1.pre").view.empty());
  CHECK(viewed_tap("layer1.pre@weak").tap == "layer1.pre");
  CHECK(viewed_tap("layer1.pre@weak").view == "weak");
  CHECK(wants_views(Wants({"logits", "logits@weak"})));
  CHECK_FALSE(wants_views(Wants({"logits"})));
  CHECK_FALSE(wants_views(Wants()));
}

TEST_CASE("without a view there is one forward on the batch itself") {
  Model model;
  const Batch batch = batch_with_views();
  const Outputs out = model.run(batch, {"hidden", "logits"});
  CHECK(model.calls == std::vector<std::string>{"hidden logits "});
  REQUIRE(out.find("hidden") != nullptr);
  CHECK(out["hidden"].is_same(*batch.find("input")));
}

TEST_CASE("each view has one forward, in which the model sees it in place of the input") {
  Model model;
  const Batch batch = batch_with_views();
  const Outputs out = model.run(batch, {"hidden@strong", "logits", "logits@strong"});
  CHECK(model.calls == std::vector<std::string>{"hidden logits ", "logits "});
  REQUIRE(out.size() == 3);
  CHECK(at::equal(out["hidden@strong"], *batch.find("strong")));
  CHECK(at::equal(out["logits"], at::tensor({10.f, 11.f, 22.f, 23.f, 34.f, 35.f}).reshape({3, 2})));
  CHECK(at::equal(out["logits@strong"], at::tensor({10.f, 9.f, 18.f, 17.f, 26.f, 25.f}).reshape({3, 2})));
}

TEST_CASE("several views of a sample become rows side by side, and other inputs are repeated for them") {
  Model model;
  const Batch batch = batch_with_views();
  const Outputs out = model.run(batch, {"logits@turned", "hidden@turned"});
  CHECK(model.calls.size() == 1);
  CHECK(at::equal(out["hidden@turned"], at::arange(12, at::kFloat).reshape({6, 2}) + 100));
  const at::Tensor mask = at::tensor({10, 10, 20, 20, 30, 30}, at::kLong).unsqueeze(1);
  CHECK(at::equal(out["logits@turned"], out["hidden@turned"] + mask));
}

TEST_CASE("a view keeps the layout of the images, and only fields of the input's shape and type are views") {
  const at::Tensor images = at::rand({2, 3, 4, 4}).contiguous(at::MemoryFormat::ChannelsLast);
  Model model;
  Batch batch;
  batch.samples = {0, 1};
  batch.set("input", images);
  batch.set("mask", at::zeros({2, 1, 1}));
  batch.set("four", at::stack({images, images, images, images}, 1));
  const Outputs out = model.run(batch, {"hidden@four"});
  CHECK(out["hidden@four"].sizes() == at::IntArrayRef({8, 3, 4, 4}));
  CHECK(out["hidden@four"].is_contiguous(at::MemoryFormat::ChannelsLast));

  CHECK(rows_of_view(images, images) == 1);
  CHECK(rows_of_view(images, *batch.find("four")) == 4);
  CHECK(rows_of_view(images, images.to(at::kDouble)) == 0);
  CHECK(rows_of_view(images, at::zeros({2}, at::kFloat)) == 0);
  CHECK(rows_of_view(images, at::zeros({2, 4, 3, 4, 5})) == 0);
  CHECK(rows_of_view(images, at::zeros({3, 4, 3, 4, 4})) == 0);
}

}  // namespace kdhost
