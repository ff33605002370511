// SPDX-License-Identifier: MIT
// kdhost.view: keeps the batch as it is at this place among the transforms under another name, so that a model can look
// at it beside what later transforms make of it.
#pragma once
#include "new_field.hpp"

namespace kdhost::plugins {

struct KeptView final : Transform {
  static void describe(Spec& s) {
    s.id("kdhost.view").version("1.0.0").summary("keeps the input as it is here as a further field of the batch");
    s.fixed();
    s.source("our own definition; a weak and a strong view as in Jin, Wang, Lin, Multi-Level Logit Distillation, 2023");
    s.details(
        "The field `name` is the input as the transforms before have made it; those behind change the input alone. A "
        "tap\n"
        "with that name behind it, as in \"logits@weak\", is that of a forward on this view.");
    s.recipe(
        "[[data.transform]]\nuse = \"kdhost.random_crop\"\n[[data.transform]]\nuse    = \"kdhost.view\"\n"
        "on     = \"train\"\nparams = { name = \"weak\" }\n[[data.transform]]\nuse = \"kdhost.cutout\"\n");
    declare_new_field(s, "weak");
    s.input(kInputPort).doc("[N, ...]");
  }
  explicit KeptView(const Params& p) : name_(new_field(p)) {}

  void apply(const Call& c) override { c.emit(name_, c[kInputPort]); }

 private:
  std::string name_;
};

}  // namespace kdhost::plugins
