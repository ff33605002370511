// SPDX-License-Identifier: MIT
// kdhost.transformer against LibTorch's own encoder layer, its padding, its taps, and the inputs it takes.
#include <c10/core/GradMode.h>
#include <catch2/catch.hpp>

#include "model_case.hpp"

using namespace kdhost;
using namespace kdhost::test;
using Catch::Matchers::Contains;

namespace {

const Settings kSmall = {{"layers", 2.0}, {"width", 12.0}, {"heads", 3.0}, {"inner", 20.0}, {"vocabulary", 30.0}};

at::Tensor words(int64_t n = 4, int64_t length = 7) {
  return (generated({n, length}, 5) * 15 + 15).to(at::kLong).clamp(0, 29);
}

/// Sentences of 7, 5, 3 and 1 words.
at::Tensor word_mask() { return at::arange(7).unsqueeze(0).lt(at::tensor({7, 5, 3, 1}).unsqueeze(1)).to(at::kLong); }

ModelCase encoder(const std::vector<at::Tensor>& inputs, const Settings& settings = kSmall) {
  return ModelCase("kdhost_models", "kdhost.transformer", settings, inputs, 6, "batch.mask");
}

/// Layer `i` by LibTorch's one operator for all of it.
at::Tensor layer_of_libtorch(ModelCase& model, int i, const at::Tensor& x) {
  const std::string l = "encoder.layers." + std::to_string(i) + ".";
  const auto part = [&](const char* name) { return model.part(l + name); };
  return at::_transformer_encoder_layer_fwd(
      x, 12, 3, part("self_attn.in_proj_weight"), part("self_attn.in_proj_bias"), part("self_attn.out_proj.weight"),
      part("self_attn.out_proj.bias"), /*use_gelu=*/true, /*norm_first=*/false, 1e-5, part("norm1.weight"),
      part("norm1.bias"), part("norm2.weight"), part("norm2.bias"), part("linear1.weight"), part("linear1.bias"),
      part("linear2.weight"), part("linear2.bias"));
}

}  // namespace

TEST_CASE("each layer of the transformer is LibTorch's encoder layer, and the logits come from the first position",
          "[models]") {
  ModelCase model = encoder({words()});
  const c10::NoGradGuard off;
  std::map<std::string, at::Tensor> out;
  for (const auto& entry : model.forward(0)) out[entry.name] = entry.value.clone();

  const at::Tensor embedded =
      at::layer_norm(model.part("embedding.weight").index_select(0, words().flatten()).reshape({4, 7, 12}) +
                         model.part("positions.weight"),
                     {12}, model.part("norm.weight"), model.part("norm.bias"));
  CHECK(out["hidden0"].allclose(embedded, 1e-5, 1e-6));
  CHECK(out["hidden1"].allclose(layer_of_libtorch(model, 0, out["hidden0"]), 1e-4, 1e-5));
  CHECK(out["hidden2"].allclose(layer_of_libtorch(model, 1, out["hidden1"]), 1e-4, 1e-5));
  CHECK(out["embedding"].equal(out["hidden2"].select(1, 0)));
  const at::Tensor scores = at::linear(out["hidden2"], model.part("classifier.weight"), model.part("classifier.bias"));
  CHECK(out["position_logits"].allclose(scores, 1e-5, 1e-6));
  CHECK(out["logits"].allclose(scores.select(1, 0), 1e-5, 1e-6));
  CHECK(out["attention1"].sizes() == at::IntArrayRef({4, 3, 7, 7}));
  // The head 1 of the first layer, written out: features 4 to 7 of q and k.
  const at::Tensor qkv = at::linear(out["hidden0"], model.part("encoder.layers.0.self_attn.in_proj_weight"),
                                    model.part("encoder.layers.0.self_attn.in_proj_bias"));
  const at::Tensor q = qkv.narrow(2, 4, 4), k = qkv.narrow(2, 12 + 4, 4);
  CHECK(out["attention1"].select(1, 1).allclose(at::bmm(q, k.transpose(1, 2)) / 2, 1e-4, 1e-5));
}

TEST_CASE("what stands behind the padding does not change what the transformer says, with and without attention taps",
          "[models]") {
  const at::Tensor other = at::where(word_mask().ne(0), words(), 29 - words());
  REQUIRE_FALSE(other.equal(words()));
  const c10::NoGradGuard off;
  ModelCase one = encoder({words(), word_mask()}), two = encoder({other, word_mask()});
  for (const Wants& wants : {Wants({"logits"}), Wants({"logits", "attention1", "attention2"})})
    CHECK(one.forward(0, wants)["logits"].allclose(two.forward(0, wants)["logits"], 1e-5, 1e-6));
  CHECK(one.forward(0, Wants({"logits"}))["logits"].clone().allclose(one.forward(0)["logits"], 1e-5, 1e-6));
  CHECK_FALSE(one.forward(0)["logits"].allclose(encoder({words()}).forward(0)["logits"], 1e-3, 1e-3));
  // A row of nothing but padding is no question, and still gives numbers.
  ModelCase none = encoder({words(), at::zeros({4, 7}, at::kLong)});
  CHECK(none.forward(0)["logits"].isfinite().all().item<bool>());
}

TEST_CASE("the transformer's dropout acts in training, and its parameters get gradients through a mask", "[models]") {
  ModelCase model = encoder({words(), word_mask()});
  const at::Tensor z = model.forward(KDH_CALL_TRAINING)["logits"];
  at::cross_entropy_loss(z, at::tensor({0, 1, 2, 3}, at::kLong)).backward();
  for (std::size_t i = 0; i < model.parts().size(); ++i) {
    INFO(model.parts().spec(i).name);
    REQUIRE(model.parts()[i].grad().defined());
    CHECK(model.parts()[i].grad().isfinite().all().item<bool>());
    CHECK(model.parts()[i].grad().abs().max().item<double>() > 0);
  }
  const c10::NoGradGuard off;
  CHECK_FALSE(model.forward(0)["logits"].equal(z));
  CHECK(model.forward(0)["logits"].clone().equal(model.forward(0)["logits"]));
}

TEST_CASE("the transformer takes images as their rows, and vectors", "[models]") {
  const at::Tensor pictures = generated({2, 3, 5, 4}, 8).to(at::kFloat);
  ModelCase rows = encoder({pictures}), vectors = encoder({pictures.permute({0, 2, 1, 3}).reshape({2, 5, 12})});
  const c10::NoGradGuard off;
  CHECK(rows.part("projection.weight").sizes() == at::IntArrayRef({12, 12}));
  CHECK(rows.part("positions.weight").sizes() == at::IntArrayRef({5, 12}));
  CHECK(rows.forward(0)["logits"].clone().allclose(vectors.forward(0)["logits"], 1e-5, 1e-6));
  CHECK(rows.parts().find("embedding.weight") == std::nullopt);
}

TEST_CASE("the transformer says which input or parameter it cannot be made for", "[models]") {
  CHECK_THROWS_WITH(encoder({words()}, {}),
                    Contains("the input holds numbers of words, and the parameter 'vocabulary' is absent, expected how "
                             "many there are, as in the params of the data set"));
  CHECK_THROWS_WITH(encoder({words().unsqueeze(1)}),
                    Contains("'batch.input' is [4, 1, 7] int64, expected numbers of words [N, length], or [N, length, "
                             "D] or images [N, channels, height, width] in floating point"));
  CHECK_THROWS_WITH(encoder({generated({4, 7}, 1).to(at::kFloat)}), Contains("'batch.input' is [4, 7] float32"));
  CHECK_THROWS_WITH(encoder({words()}, {{"vocabulary", 30.0}, {"width", 10.0}}),
                    Contains("attention 'self_attn': 4 heads do not divide 10 features"));
}

TEST_CASE("class maps are the classifier at each position: their mean is the logits", "[models]") {
  ModelCase model("kdhost_models", "kdhost.cifar_resnet", {{"depth", 8.0}},
                  {generated({3, 3, 16, 16}, 9).to(at::kFloat)});
  const c10::NoGradGuard off;
  const auto& out = model.forward(0);
  CHECK(out["class_maps"].sizes() == at::IntArrayRef({3, 10, 4, 4}));
  CHECK(out["class_maps"].mean({2, 3}).allclose(out["logits"], 1e-4, 1e-5));
}
