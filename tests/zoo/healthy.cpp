// SPDX-License-Identifier: MIT
// A plugin as it should be: one component of each kind, and parameters and ports of each sort. Tests of the registry,
// of parameters and of experiment checks use it where the shipped plugins would tie them to real components.
#include <kdhost/plugin.hpp>

using namespace kdhost;

namespace {

struct Divergence final : Loss {
  static void describe(Spec& s) {
    s.id("zoo.divergence").version("1.2.0").summary("distance of logits, with one parameter of each type");
    s.source("Nobody et al., section 3");
    s.details("L = T^2 sum (s - t)^2\nwith T the temperature.");
    s.number("temperature", 4.0).above(0).doc("divides both sides").schedulable();
    s.number("margin").range(-1.0, 1.0);
    s.integer("neighbours", 3).range(1, 10).schedulable();
    s.integer("seed", 0);
    s.flag("symmetric", false);
    s.choice("form", {"code", "paper|as printed"}).doc("published \"variant\"");
    s.text("note", "tab\there");
    s.integers("sizes", {1, 2});
    s.numbers("levels", {0.5, 1.0}).below(2.0);
    s.texts("names", {"a", "b"});
    s.input("student.logits").doc("[N, C]");
    s.input("teacher.logits").doc("[N, C]");
    s.input("batch.label").doc("[N]").optional();
  }
  Tensor compute(const Call& c) override {
    const Tensor d = c["student.logits"] - c["teacher.logits"];
    return (d * d).mean();
  }
};

struct Feature final : Loss {
  static void describe(Spec& s) {
    s.id("zoo.feature").version("1.0.0").summary("distance of hidden layers");
    s.number("power").required().range(1, 4);
    s.inputs("student.features");
    s.inputs("teacher.features");
  }
  Tensor compute(const Call& c) override { return c.list("student.features")[0].mean(); }
};

struct Plain final : Loss {
  static void describe(Spec& s) {
    s.id("zoo.plain").version("1.0.0").summary("needs no teacher");
    s.input("student.logits");
    s.input("batch.label");
  }
  Tensor compute(const Call& c) override { return c["student.logits"].mean(); }
};

struct Net final : Model {
  static void describe(Spec& s) {
    s.id("zoo.net").version("1.0.0").summary("passes its input on");
    s.integers("hidden", {8}).range(1, 4096);
    s.number("dropout", 0.0).range(0.0, 1.0).schedulable();
    s.input("batch.input");
    s.output("logits");
  }
  void forward(const Call& c, Outputs& out) override { out.set("logits", c["batch.input"]); }
};

struct Ramp final : Scheduler {
  static void describe(Spec& s) {
    s.id("zoo.ramp").version("1.0.0").summary("up to `to`");
    s.number("to", 1.0);
  }
  double value(const Moment& m, const Params& p) override { return m.progress() * p.number("to"); }
};

struct Nothing final : DataSet {
  static void describe(Spec& s) {
    s.id("zoo.nothing").version("1.0.0").summary("a data set without samples");
    s.text("root");
  }
  explicit Nothing(const Params&) {}
  const DataInfo& info() const override { return info_; }
  void fetch(Split, const std::int64_t*, std::size_t, void* const*) const override {}

 private:
  DataInfo info_;
};

struct Shift final : Transform {
  static void describe(Spec& s) {
    s.id("zoo.shift").version("1.0.0").summary("moves images");
    s.number("pixels", 2.0).at_least(0).schedulable();
  }
  void apply(const Call&) override {}
};

struct Agreement final : Metric {
  static void describe(Spec& s) {
    s.id("zoo.agreement").version("1.0.0").summary("share of samples on which student and teacher agree");
    s.input("student.logits");
    s.input("teacher.logits");
  }
  Tensor sums(const Call& c) override { return c["student.logits"].sum(); }
  void result(const Call& c, const std::vector<double>& sums) override { c.emit_number("agreement", sums[0]); }
};

struct Hits final : Metric {
  static void describe(Spec& s) {
    s.id("zoo.hits").version("1.0.0").summary("share of samples that are right");
    s.input("student.logits");
    s.input("batch.label");
  }
  Tensor sums(const Call& c) override { return c["student.logits"].sum(); }
  void result(const Call& c, const std::vector<double>& sums) override { c.emit_number("hits", sums[0]); }
};

}  // namespace

KDHOST_PLUGIN("zoo.healthy", "3.1.4", Divergence, Feature, Plain, Net, Ramp, Nothing, Shift, Agreement, Hits)
