// SPDX-License-Identifier: MIT
//
// kdhost.simkd: the reused classifier, a student whose last map fits into the teacher's head.
//   Chen, Mei, Zhang, Wang, Feng, Chen, CVPR 2022, arXiv 2203.14001
//
//   L = mean((A(f_s) - f_t)^2), the larger map pooled to the smaller before A
//
// Adaptor   projector: conv 1x1 to C_t / 2, conv 3x3, conv 1x1 to C_t, without bias, each with batch norm and ReLU.
//           "none": A(f_s) = f_s, for a student that has the projector in itself.
// The method uses the teacher's classifier on the projected map in training and afterwards, with no other term. For
// that the student needs the projector and the classifier in itself: kdhost.cifar_resnet with projector = C_t, the
// teacher's classifier loaded and frozen, adaptor = "none". With "auto" the projector belongs to the loss, is left out
// of the exported student, and the student's own classifier learns nothing from this loss. With
// `teacher.classifier.weight` bound the loss reports how often that classifier says the same of the projected map as of
// the teacher's own.
#pragma once
#include "../squared_difference.hpp"
#include "adaptors.hpp"
#include "classifier.hpp"

namespace kdhost::plugins {

struct ReusedClassifier final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.simkd").version("1.0.0").summary("reused classifier: the student's last map fits the teacher's head");
    s.source(
        "Chen et al., Knowledge Distillation with the Reused Teacher Classifier, CVPR 2022, arXiv 2203.14001; default "
        "= authors' code (golden values: our own runs of it)");
    s.details(
        "mean((A(f_s) - f_t)^2) on the last map; the larger is average-pooled to the smaller first. adaptor = "
        "\"auto\": 1x1 convolution to C_t / factor, 3x3 convolution, 1x1 convolution to C_t, each with batch norm and "
        "ReLU, trained; \"none\": A(f_s) = f_s. With the teacher's classifier bound, the share of samples of which it "
        "says the same on the projected map as on the teacher's is reported as \"reused_classifier\". A student that "
        "is "
        "to be used with the teacher's classifier has both in itself: kdhost.cifar_resnet with projector = C_t, the "
        "classifier loaded from the teacher's weights and frozen, adaptor = \"none\". With \"auto\" the projector "
        "belongs to the loss and is left out of the exported student.\n"
        "Trained: the projector. State: its running statistics.");
    s.recipe(
        "[student]\nuse     = \"kdhost.cifar_resnet\"\nparams  = { depth = 20, projector = 64 }\n"
        "weights = \"teacher.safetensors\"\nload    = [\"linear.*\"]\n\n"
        "[[stage]]\nepochs = 240\nfreeze = [\"linear.*\"]\n[[stage.loss]]\nuse = \"kdhost.simkd\"\n"
        "params = { adaptor = \"none\" }\ninputs = { student = [\"projected\"], teacher = [\"layer3\"] }\n");
    s.integer("factor", 2).at_least(1).doc("how many times fewer channels the projector has inside");
    s.choice("adaptor", {"auto", "none"}).doc("auto: a trained projector; none: channels must agree");
    s.inputs("student.features").doc("one tap: the last map [N, C, H, W]");
    s.inputs("teacher.features").doc("one tap: the last map");
    describe_classifier(s, true);
  }

  ReusedClassifier(const Params& p, const Ports& ports, Builder& b) {
    if (p.text("adaptor") == "none" || bound_pairs(ports) == 0) return;
    const MapChannels ch = map_channels(ports, 0);
    const std::int64_t middle = std::max<std::int64_t>(1, ch.teacher / p.integer("factor"));
    const Builder at = b.scope("projector");
    projector_.push_back(conv_norm(at.scope("1"), ch.student, middle, 1));
    projector_.push_back(conv_norm(at.scope("2"), middle, middle, 3));
    projector_.push_back(conv_norm(at.scope("3"), middle, ch.teacher, 1));
  }

  Tensor compute(const Call& c) override {
    TapPair p = one_tap(c);
    need_maps(p);
    pool_to_smaller(p.student, p.teacher);
    for (const ConvNorm& layer : projector_) p.student = relu(layer(c, p.student));
    need_equal_channels(p, "; set adaptor = \"auto\"");
    if (c.has("teacher.classifier.weight")) report(c, p);
    return squared_difference(p.student, p.teacher);
  }

 private:
  static void report(const Call& c, const TapPair& p) {
    const NoGrad off;
    const Tensor same = eq(argmax(classified(c, p.student), 1), argmax(classified(c, p.teacher), 1));
    c.report("reused_classifier", to(same, p.student.dtype()).mean());
  }

  std::vector<ConvNorm> projector_;
};

}  // namespace kdhost::plugins
