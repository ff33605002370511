// SPDX-License-Identifier: MIT
//
// kdhost.ft: factor transfer, what the teacher's maps say in fewer channels.
//   Kim, Park, Kwak, NeurIPS 2018, arXiv 1802.04977
//
//   "repdistiller" (default)   factor(f) = mean_c f^2 scaled to unit L2 over the positions
//   "torchdistill", MMRazor    factor(f) = the whole sample scaled to unit L2
//   L = sum over taps of mean |factor(S(f_s)) - factor(P(f_t))|
//
// Adaptor   P, the paraphraser: encoder of three conv 3x3 (C, C, kC channels) and decoder back, LeakyReLU 0.1, trained
//           in a first stage (phase = "reconstruct") by mean((decoder(encoder(f_t)) - f_t)^2), then kept.
//           S, the translator: the same encoder from the student's channels, with batch norm, trained with the student.
// The larger factor map is pooled to the smaller.
#pragma once
#include "attention_rows.hpp"
#include "paraphraser.hpp"

namespace kdhost::plugins {

struct FactorTransfer final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.ft").version("1.0.0").summary("factor transfer: paraphrased teacher maps, translated student maps");
    s.source(
        "Kim, Park, Kwak, Paraphrasing Complex Network: Network Compression via Factor Transfer, NeurIPS 2018, arXiv "
        "1802.04977; default = RepDistiller");
    s.details(
        "mean |factor_s - factor_t|, summed over taps. variant = \"repdistiller\": factor = mean_c f^2 scaled to unit "
        "L2 over the positions; \"torchdistill\": the whole sample scaled to unit L2. adaptor = \"auto\": a "
        "paraphraser (auto-encoder to rate x C channels) on the teacher, trained in a first [[stage]] with phase = "
        "\"reconstruct\" and kept in the second, and a translator on the student; both stages name the term alike. "
        "The larger map is average-pooled to the smaller one.\n"
        "Trained: paraphrasers and translators. State: the translators' running statistics.");
    s.recipe(
        "[[stage]]\nname = \"paraphraser\"\nepochs = 30\n[[stage.loss]]\nuse = \"kdhost.ft\"\nname = \"factors\"\n"
        "params = { phase = \"reconstruct\" }\ninputs = { student = [\"layer3\"], teacher = [\"layer3\"] }\n\n"
        "[[stage]]\nname = \"transfer\"\nepochs = 240\n[[stage.loss]]\nuse = \"kdhost.cross_entropy\"\n"
        "[[stage.loss]]\nuse = \"kdhost.ft\"\nname = \"factors\"\nweight = 200.0\n"
        "inputs = { student = [\"layer3\"], teacher = [\"layer3\"] }\n");
    s.choice("variant", {"repdistiller", "torchdistill"}).doc("what a factor is");
    describe_phase(s);
    s.number("rate", 0.5).above(0.0).doc("k: channels of the factors, as a share of the teacher's");
    s.choice("adaptor", {"auto", "none"}).doc("auto: paraphraser and translator; none: the maps themselves");
    s.inputs("student.features").doc("maps [N, C, H, W]");
    s.inputs("teacher.features").doc("as many, in the same order");
  }

  FactorTransfer(const Params& p, const Ports& ports, Builder& b)
      : by_position_(p.text("variant") == "repdistiller"), reconstructs_(reconstructs(p)) {
    if (p.text("adaptor") == "none") return;
    for (std::size_t i = 0; i < bound_pairs(ports); ++i) {
      const MapChannels ch = map_channels(ports, i);
      const std::int64_t factors = factor_channels(ch.teacher, p.number("rate"));
      const Builder tap = b.scope("tap" + std::to_string(i));
      adaptors_.push_back({FactorLayers::encoder(tap.scope("paraphraser.encoder"), ch.teacher, factors, false),
                           FactorLayers::decoder(tap.scope("paraphraser.decoder"), ch.teacher, factors, false),
                           FactorLayers::encoder(tap.scope("translator"), ch.student, factors, true)});
    }
  }

  Tensor compute(const Call& c) override {
    TapSum sum(c);
    for (TapPair& p : tap_pairs(c)) {
      need_maps(p);
      if (p.index < adaptors_.size()) {
        const Adaptor& a = adaptors_[p.index];
        if (reconstructs_) {
          sum.add(mse_loss(a.decode(c, a.encode(c, p.teacher)), p.teacher));
          continue;
        }
        p.student = a.translate(c, p.student);
        const NoGrad kept;
        p.teacher = a.encode(c, p.teacher);
      }
      if (!by_position_ && p.student.size(1) != p.teacher.size(1))
        refuse_pair(p, "the same number of channels; set adaptor = \"auto\" or variant = \"repdistiller\"");
      pool_to_smaller(p.student, p.teacher);
      sum.add(by_position_ && p.student.on_cpu()
                  ? attention_sum("kdhost.ft", AttentionTerm::absolute, p.student, p.teacher,
                                  1.0 / static_cast<double>(p.student.size(0) * p.student.size(2) * p.student.size(3)))
                  : abs(factor(p.student) - factor(p.teacher)).mean());
    }
    return sum.value();
  }

 private:
  struct Adaptor {
    FactorLayers encode, decode, translate;
  };

  Tensor factor(const Tensor& f) const {
    return normalize(by_position_ ? square(f).mean({1}).flatten(1) : f.flatten(1));
  }

  bool by_position_, reconstructs_;
  std::vector<Adaptor> adaptors_;
};

}  // namespace kdhost::plugins
