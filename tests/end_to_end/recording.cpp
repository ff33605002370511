// SPDX-License-Identifier: MIT
// A plugin whose components say on the log when they are called, and what for; one loss of it ignores its teacher.
#include <kdhost/plugin.hpp>

using namespace kdhost;

namespace {

// Only the steps are of interest, not the dry batch before them.
void record(const Call& c, const std::string& text) {
  if (!c.dry()) log_info("call " + text);
}

struct RecordingModel final : Model {
  static void describe(Spec& s) {
    s.id("recording.model").version("1.0.0").summary("a linear layer that says when it is called");
    s.text("name", "").doc("what it calls itself");
    s.integer("classes", 3);
    s.input("batch.input");
    s.output("logits");
  }
  RecordingModel(const Params& p, const Ports& ports, Builder& b)
      : name_(p.text("name")), layer_(b.linear("fc1", ports.size("batch.input", 1), p.integer("classes"))) {}
  void forward(const Call& c, Outputs& out) override {
    record(c, name_ + (c.training() ? ", training" : ", evaluation"));
    out.set("logits", layer_(c, c["batch.input"]));
  }

 private:
  std::string name_;
  nn::Linear layer_;
};

struct RecordingLoss final : Loss {
  static void describe(Spec& s) {
    s.id("recording.loss").version("1.0.0").summary("mean squared difference that says when it is computed");
    s.text("name", "").doc("what it calls itself");
    s.input("student.logits");
    s.input("teacher.logits");
  }
  explicit RecordingLoss(const Params& p) : name_(p.text("name")) {}
  Tensor compute(const Call& c) override {
    record(c, name_);
    return mse_loss(c["student.logits"], c["teacher.logits"]);
  }

 private:
  std::string name_;
};

struct DeafLoss final : Loss {
  static void describe(Spec& s) {
    s.id("recording.deaf").version("1.0.0").summary("does not look at its teacher");
    s.input("student.logits");
    s.input("teacher.logits");
  }
  Tensor compute(const Call& c) override { return square(c["student.logits"]).mean(); }
};

struct RecordingTransform final : Transform {
  static void describe(Spec& s) {
    s.id("recording.transform").version("1.0.0").summary("says when it is applied");
    s.input("batch.input");
  }
  void apply(const Call& c) override { record(c, "transform"); }
};

}  // namespace

KDHOST_PLUGIN("recording", "1.0.0", RecordingModel, RecordingLoss, DeafLoss, RecordingTransform)
