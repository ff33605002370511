// SPDX-License-Identifier: MIT
//
// kdhost.transformer: a small encoder for sequences, made of the layers of BERT: what losses of hidden states and
// attention maps are for.
//   Vaswani et al., NIPS 2017, arXiv 1706.03762; Devlin, Chang, Lee, Toutanova (BERT), NAACL 2019, arXiv 1810.04805
//
//   x = norm(embedding or projection + positions)                                       tap hidden0
//   layer i:  a = q k^T / sqrt(width / heads), padding left out                         tap attention i (before that)
//             x = norm1(x + out_proj(softmax(a) v)),  x = norm2(x + linear2(gelu(linear1(x))))      tap hidden i
//   embedding = x of the first position, as BERT's [CLS];  logits = classifier(embedding)
//   position_logits = classifier(x): one answer at each position
//
// Parameters are named and initialised as PyTorch's Embedding, Linear and TransformerEncoder(norm_first = False,
// activation = "gelu"): encoder.layers.0.self_attn.in_proj_weight, encoder.layers.0.linear1.bias, ...
#pragma once
#include "model_inputs.hpp"

namespace kdhost::plugins {

struct Transformer final : Model {
  static void describe(Spec& s) {
    s.id("kdhost.transformer")
        .version("1.0.0")
        .summary("a small encoder for sequences of words or numbers, as in BERT");
    s.source(
        "Vaswani et al., Attention Is All You Need, NIPS 2017, arXiv 1706.03762; Devlin et al., BERT, NAACL 2019, "
        "arXiv 1810.04805");
    s.details(
        "Numbers of words [N, length] go through an embedding, vectors [N, length, D] through a linear layer, images "
        "count as the sequence of their rows. Each layer: attention, then linear, GELU, linear; sums and layer norm "
        "behind both; dropout before both sums and behind the embedding. Taps hidden0 (before the layers), hidden1, "
        "hidden2, ... [N, length, width]; attention1, attention2, ... [N, heads, length, length], scores before the "
        "softmax and the mask; embedding, the state of the first position; position_logits. Names and initial values "
        "of the parameters are PyTorch's: encoder.layers.0.self_attn.in_proj_weight.");
    s.recipe("[student]\nuse = \"kdhost.transformer\"\nparams = { layers = 2, width = 64, heads = 4 }\n");
    s.integer("layers", 2).at_least(1).doc("number of layers");
    s.integer("width", 64).at_least(4).doc("features of each position");
    s.integer("heads", 4).at_least(1).doc("attention heads; they share the width");
    s.integer("inner", 256).at_least(1).doc("features between the two linear layers");
    s.integer("vocabulary").at_least(1).doc("how many numbers of words there are; needed for words");
    s.number("dropout", 0.1).at_least(0.0).below(1.0).doc("share left out in training").schedulable();
    describe_classes(s);
    s.input("batch.input")
        .doc("[N, length, D] vectors, [N, length] numbers of words, or images, whose rows are the positions");
    s.input("batch.mask")
        .doc("[N, length], 0 where a position is padding; without it every position counts")
        .optional();
    s.output("logits").doc("[N, classes]");
    s.output("embedding").doc("[N, width], the first position");
    s.output("position_logits").doc("[N, length, classes]");
  }

  Transformer(const Params& p, const Ports& ports, Builder& b)
      : width_(p.integer("width")), heads_(p.integer("heads")), masked_(ports.has("batch.mask")) {
    const Shape input = ports.shape("batch.input");
    words_ = !is_floating(ports.dtype("batch.input"));
    if (words_ ? input.size() != 2 : input.size() != 3 && input.size() != 4)
      throw std::invalid_argument("'batch.input' is " + to_string(input) + " " + name_of(ports.dtype("batch.input")) +
                                  ", expected numbers of words [N, length], or [N, length, D] or images [N, channels, "
                                  "height, width] in floating point");
    const std::int64_t length = ports.size("batch.input", input.size() == 4 ? 2 : 1);
    if (words_ && !p.has("vocabulary"))
      throw std::invalid_argument(
          "the input holds numbers of words, and the parameter 'vocabulary' is absent, expected how many there are, as "
          "in the params of the data set");
    if (words_)
      embedding_ = b.embedding("embedding", p.integer("vocabulary"), width_);
    else
      projection_ = b.linear("projection",
                             input.size() == 3 ? ports.size("batch.input", 2)
                                               : ports.size("batch.input", 1) * ports.size("batch.input", 3),
                             width_);
    positions_ = b.embedding("positions", length, width_);
    norm_ = b.layer_norm("norm", {width_});
    const Builder encoder = b.scope("encoder").scope("layers");
    for (std::int64_t i = 0; i < p.integer("layers"); ++i) {
      const Builder layer = encoder.scope(std::to_string(i));
      Layer l;
      l.attention = layer.attention("self_attn", width_, heads_);
      l.linear1 = layer.linear("linear1", width_, p.integer("inner"));
      l.linear2 = layer.linear("linear2", p.integer("inner"), width_);
      l.norm1 = layer.layer_norm("norm1", {width_});
      l.norm2 = layer.layer_norm("norm2", {width_});
      layers_.push_back(l);
    }
    classifier_ = b.linear("classifier", width_, classes_of(p, ports));
  }

  void forward(const Call& c, Outputs& out) override {
    const nn::Dropout drop{c.number("dropout")};
    Tensor x = drop(c, norm_(c, positions_of(c, c["batch.input"]) + c.part(positions_.weight)));
    const Tensor mask = masked_ ? added_mask(c["batch.mask"], x) : Tensor();
    if (out.wants("hidden0")) out.tap("hidden0", x);
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      const Layer& l = layers_[i];
      const std::string number = std::to_string(i + 1);
      x = l.norm1(c, x + drop(c, attended(c, l, x, mask, "attention" + number, out)));
      x = l.norm2(c, x + drop(c, l.linear2(c, drop(c, gelu(l.linear1(c, x))))));
      if (out.wants("hidden" + number)) out.tap("hidden" + number, x);
    }
    const Tensor first = x.select(1, 0);
    if (out.wants("embedding")) out.tap("embedding", first);
    if (out.wants("position_logits")) out.tap("position_logits", classifier_(c, x));
    out.set("logits", classifier_(c, first));
  }

 private:
  struct Layer {
    nn::MultiheadAttention attention;
    nn::Linear linear1{}, linear2{};
    nn::LayerNorm norm1{}, norm2{};
  };

  /// [N, length, width] without the positions.
  Tensor positions_of(const Call& c, const Tensor& input) const {
    if (words_) return embedding_(c, input.to(Dtype::i64));
    if (input.dim() == 3) return projection_(c, input);
    return projection_(c, input.permute({0, 2, 1, 3}).reshape({input.size(0), input.size(2), -1}));
  }

  /// Added to scores [N, heads, length, length]: 0, and for padding a number that leaves nothing of it behind the
  /// softmax, but no infinity, of which a row of nothing but padding would make no number.
  static Tensor added_mask(const Tensor& mask, const Tensor& x) {
    return (eq(mask, 0).to(x.dtype()) * -1e9).reshape({mask.size(0), 1, 1, mask.size(1)});
  }

  /// Self-attention; the scores are only there as a tensor where somebody wants them.
  Tensor attended(const Call& c, const Layer& l, const Tensor& x, const Tensor& mask, const std::string& tap,
                  Outputs& out) const {
    if (!out.wants(tap)) return l.attention(c, x, mask);
    const Tensors qkv = chunk(linear(x, c.part(l.attention.in_proj_weight), c.part(l.attention.in_proj_bias)), 3, -1);
    const auto heads = [&](const Tensor& t) {
      return t.reshape({x.size(0), x.size(1), heads_, width_ / heads_}).transpose(1, 2);
    };
    const double scale = 1.0 / std::sqrt(static_cast<double>(width_ / heads_));
    const Tensor scores = matmul(heads(qkv[0]), heads(qkv[1]).transpose(2, 3)) * scale;
    out.tap(tap, scores);
    const Tensor weights = softmax(mask ? scores + mask : scores, -1);
    return l.attention.out_proj(c, matmul(weights, heads(qkv[2])).transpose(1, 2).reshape(x.shape()));
  }

  std::int64_t width_, heads_;
  bool masked_ = false, words_ = false;
  nn::Embedding embedding_{}, positions_{};
  nn::Linear projection_{}, classifier_{};
  nn::LayerNorm norm_{};
  std::vector<Layer> layers_;
};

}  // namespace kdhost::plugins
