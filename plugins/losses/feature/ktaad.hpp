// SPDX-License-Identifier: MIT
//
// kdhost.ktaad: knowledge translation and adaptation with affinity distillation, made for segmentation.
//   He, Shen, Tian, Gong, Sun, Yan, Knowledge Adaptation for Efficient Semantic Segmentation, CVPR 2019
//
//   t = E(f_t), E the encoder of an auto-encoder;  a = A(f_s), b = B(f_s)
//   adaptation  mean |a / |a|_2 - t / |t|_2| over all elements, norms over the whole flattened sample
//   affinity    per channel the map as a unit vector u over the positions; |u_b u_b^T - u_t u_t^T|_F / HW summed over
//               the channels, mean over N
//   L           sum over taps of adapt_weight adaptation + affinity_weight affinity
//
// Default = torchdistill's KTALoss (p = 1, q = 2) and AffinityLoss with the weights of its configuration (50 and 1).
// Adaptor   auto-encoder on the teacher (that of kdhost.ft, k = 0.5, with batch norm), trained in a first stage (phase
//           = "reconstruct") by mean((D(E(f_t)) - f_t)^2) + 1e-7 sum |E(f_t)|, then kept. A: conv 3x3, batch norm,
//           ReLU; B: conv 3x3; both to kC channels.
// Not in the specification of shipped losses: its golden values are our own runs of torchdistill 1.1.4's functions.
// That code divides by norms that may be 0; here a zero vector stays zero. It also makes an HW x HW matrix for each
// channel; here |u u^T - v v^T|_F comes from |u - v|, |u + v| and the two lengths, which is exact at equality.
#pragma once
#include "paraphraser.hpp"

namespace kdhost::plugins {

struct KnowledgeAdaptation final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.ktaad").version("1.0.0").summary("knowledge adaptation with affinity between positions");
    s.source(
        "He et al., Knowledge Adaptation for Efficient Semantic Segmentation, CVPR 2019; default = torchdistill 1.1.4 "
        "(golden values: our own runs of its code)");
    s.details(
        "adapt_weight x mean |a/|a| - t/|t|| over all elements of samples scaled to unit L2, plus affinity_weight x "
        "the Frobenius norm of the difference of the channels' affinities u u^T / HW (u the channel's map as a unit "
        "vector), summed over channels, mean over N. t is what the encoder of an auto-encoder says of the teacher's "
        "map; it is trained in a first [[stage]] with phase = \"reconstruct\" (mean squared error + 1e-7 sum |code|) "
        "and kept in the second; both stages name the term alike. a and b come from two 3x3 convolutions on the "
        "student. Sizes must be equal.\n"
        "Trained: auto-encoders and convolutions. State: their running statistics.");
    s.recipe(
        "[[stage]]\nname = \"autoencoder\"\nepochs = 1\n[[stage.loss]]\nuse = \"kdhost.ktaad\"\nname = \"knowledge\"\n"
        "params = { phase = \"reconstruct\" }\ninputs = { student = [\"layer3\"], teacher = [\"layer3\"] }\n\n"
        "[[stage]]\nname = \"transfer\"\nepochs = 30\n[[stage.loss]]\nuse = \"kdhost.cross_entropy\"\n"
        "[[stage.loss]]\nuse = \"kdhost.ktaad\"\nname = \"knowledge\"\n"
        "inputs = { student = [\"layer3\"], teacher = [\"layer3\"] }\n");
    s.number("adapt_weight", 50.0).at_least(0.0).doc("weight of the adaptation part").schedulable();
    s.number("affinity_weight", 1.0).at_least(0.0).doc("weight of the affinity part").schedulable();
    describe_phase(s);
    s.number("rate", 0.5).above(0.0).doc("k: channels of the code, as a share of the teacher's");
    s.choice("adaptor", {"auto", "none"}).doc("auto: auto-encoder and two convolutions; none: the maps themselves");
    s.inputs("student.features").doc("maps [N, C, H, W]");
    s.inputs("teacher.features").doc("as many, in the same order and of the same sizes");
  }

  KnowledgeAdaptation(const Params& p, const Ports& ports, Builder& b) : reconstructs_(reconstructs(p)) {
    if (p.text("adaptor") == "none") return;
    nn::ConvOptions same_size;
    same_size.padding = 1;
    for (std::size_t i = 0; i < bound_pairs(ports); ++i) {
      const MapChannels ch = map_channels(ports, i);
      const std::int64_t code = factor_channels(ch.teacher, p.number("rate"));
      const Builder tap = b.scope("tap" + std::to_string(i));
      adaptors_.push_back({FactorLayers::encoder(tap.scope("autoencoder.encoder"), ch.teacher, code, true),
                           FactorLayers::decoder(tap.scope("autoencoder.decoder"), ch.teacher, code, true),
                           tap.conv2d("adaptation.conv", ch.student, code, 3, same_size),
                           tap.batch_norm2d("adaptation.norm", code),
                           tap.conv2d("affinity.conv", ch.student, code, 3, same_size)});
    }
  }

  Tensor compute(const Call& c) override {
    Tensor adaptation, affinity, reconstruction;
    for (const TapPair& p : tap_pairs(c)) {
      need_maps(p);
      Tensor a = p.student, b = p.student, t = p.teacher;
      if (p.index < adaptors_.size()) {
        const Adaptor& made = adaptors_[p.index];
        if (reconstructs_) {
          const Tensor code = made.encode(c, t);
          accumulate(reconstruction, mse_loss(made.decode(c, code), t) + abs(code).sum() * 1e-7);
          continue;
        }
        a = relu(made.adapt_norm(c, made.adapt(c, p.student)));
        b = made.relate(c, p.student);
        const NoGrad kept;
        t = made.encode(c, t, false);
      }
      if (a.shape() != t.shape())
        refuse_pair(p, adaptors_.empty() ? "equal shapes; set adaptor = \"auto\" where channels differ"
                                         : "equal sizes: choose other taps");
      accumulate(adaptation, abs(normalize(a.flatten(1)) - normalize(t.flatten(1))).mean());
      accumulate(affinity, affinity_difference(b, t));
    }
    if (reconstructs_) return reconstruction;
    c.report("adaptation", adaptation);
    c.report("affinity", affinity);
    return adaptation * c.number("adapt_weight") + affinity * c.number("affinity_weight");
  }

 private:
  struct Adaptor {
    FactorLayers encode, decode;
    nn::Conv2d adapt;
    nn::BatchNorm2d adapt_norm;
    nn::Conv2d relate;
  };

  static Tensor affinity_difference(const Tensor& s, const Tensor& t) {
    const Tensor u = normalize(s.flatten(2), 2, 2), v = normalize(t.flatten(2), 2, 2);
    // |u u^T - v v^T|^2 = (|u - v|^2 |u + v|^2 + (|u|^2 - |v|^2)^2) / 2. The second part is 0 but for a zero channel.
    const Tensor apart = vector_norm(u - v, 2, 2) * vector_norm(u + v, 2, 2);
    const Tensor lengths = square(u).sum({2}) - square(v).sum({2});
    const Tensor difference = vector_norm(stack({apart, lengths}), 2, 0) * 0.70710678118654752440;
    return difference.sum() / static_cast<double>(s.size(0) * u.size(2));
  }

  bool reconstructs_;
  std::vector<Adaptor> adaptors_;
};

}  // namespace kdhost::plugins
