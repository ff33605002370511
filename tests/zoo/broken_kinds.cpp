// SPDX-License-Identifier: MIT
// As broken.cpp, for models, schedulers, data sets, transforms and metrics: each component breaks one promise of its
// kind and has its name.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <kdhost/plugin.hpp>
#include <limits>

using namespace kdhost;

namespace {

// ---- models: a linear layer on the flattened image, and one fault

class Flat : public Model {
 public:
  static void describe(Spec& s, const char* id) {
    s.id(id).version("1.0.0").summary("breaks a promise");
    s.input("batch.input").doc("[N, channels, height, width]");
    s.output("logits").doc("[N, classes]");
  }
  Flat(const Ports& ports, Builder& b, std::int64_t more_classes = 0)
      : fc_(b.linear("fc", ports.size("batch.input", 1), ports.classes() + more_classes)) {}

 protected:
  Tensor logits(const Call& c) { return fc_(c, c["batch.input"].mean({2, 3})); }

 private:
  nn::Linear fc_;
};

struct MissingTap final : Flat {
  static void describe(Spec& s) {
    Flat::describe(s, "zoo.missing_tap");
    s.output("hidden").doc("[N, 8]");
  }
  MissingTap(const Params&, const Ports& p, Builder& b) : Flat(p, b) {}
  void forward(const Call& c, Outputs& out) override { out.set("logits", logits(c)); }
};

struct OneClassMore final : Flat {
  static void describe(Spec& s) { Flat::describe(s, "zoo.one_class_more"); }
  OneClassMore(const Params&, const Ports& p, Builder& b) : Flat(p, b, 1) {}
  void forward(const Call& c, Outputs& out) override { out.set("logits", logits(c)); }
};

struct IdleLayer final : Flat {
  static void describe(Spec& s) { Flat::describe(s, "zoo.idle_layer"); }
  IdleLayer(const Params&, const Ports& p, Builder& b) : Flat(p, b), idle_(b.linear("idle", 2, 2)) {}
  void forward(const Call& c, Outputs& out) override { out.set("logits", logits(c)); }
  nn::Linear idle_;
};

struct SecretMode final : Flat {
  static void describe(Spec& s) { Flat::describe(s, "zoo.secret_mode"); }
  SecretMode(const Params&, const Ports& p, Builder& b) : Flat(p, b) {}
  void forward(const Call& c, Outputs& out) override { out.set("logits", logits(c) * (c.training() ? 2.0 : 1.0)); }
};

struct WritesAlways final : Flat {
  static void describe(Spec& s) { Flat::describe(s, "zoo.writes_always"); }
  WritesAlways(const Params&, const Ports& p, Builder& b) : Flat(p, b), seen_(b.buffer("seen", {1}, Init::zeros())) {}
  void forward(const Call& c, Outputs& out) override {
    c.write(seen_, c.part(seen_) + 1.0);
    out.set("logits", logits(c));
  }
  Slot seen_;
};

struct SecretMember final : Flat {
  static void describe(Spec& s) { Flat::describe(s, "zoo.secret_member"); }
  SecretMember(const Params&, const Ports& p, Builder& b) : Flat(p, b) {}
  void forward(const Call& c, Outputs& out) override {
    if (c.training()) trained_ = true;
    out.set("logits", logits(c) * (trained_ ? 2.0 : 1.0) + 0.0 * c["batch.input"].mean());
  }
  bool trained_ = false;
};

struct OtherParts final : Flat {
  static void describe(Spec& s) { Flat::describe(s, "zoo.other_parts"); }
  OtherParts(const Params&, const Ports& p, Builder& b)
      : Flat(p, b), scale_(b.buffer("scale" + std::to_string(made++ % 2), {1}, Init::ones())) {}
  void forward(const Call& c, Outputs& out) override { out.set("logits", logits(c) * c.part(scale_)); }
  static inline int made = 0;
  Slot scale_;
};

struct FixedBatch final : Flat {
  static void describe(Spec& s) { Flat::describe(s, "zoo.fixed_batch"); }
  FixedBatch(const Params&, const Ports& p, Builder& b) : Flat(p, b) {}
  void forward(const Call& c, Outputs& out) override {
    const Tensor y = logits(c);
    out.set("logits", y.size(0) == 17 ? y.reshape({1, y.numel()}) : y);
  }
};

struct MixesSamples final : Flat {
  static void describe(Spec& s) { Flat::describe(s, "zoo.mixes_samples"); }
  MixesSamples(const Params&, const Ports& p, Builder& b) : Flat(p, b) {}
  void forward(const Call& c, Outputs& out) override {
    const Tensor y = logits(c);
    out.set("logits", y + 3.0 * y.mean({0}, true));
  }
};

struct InfiniteFar final : Flat {
  static void describe(Spec& s) { Flat::describe(s, "zoo.infinite_far"); }
  InfiniteFar(const Params&, const Ports& p, Builder& b) : Flat(p, b) {}
  void forward(const Call& c, Outputs& out) override {
    out.set("logits", logits(c) / c["batch.input"].mean({1, 2, 3}).reshape({c["batch.input"].size(0), 1}));
  }
};

// ---- schedulers

struct CountsCalls final : Scheduler {
  static void describe(Spec& s) { s.id("zoo.counts_calls").version("1.0.0").summary("breaks a promise"); }
  double value(const Moment& m, const Params&) override { return m.base() + (m.step() == 0 ? calls_ = 0 : ++calls_); }
  double calls_ = 0.0;
};

struct NeedsBeginning final : Scheduler {
  static void describe(Spec& s) { s.id("zoo.needs_beginning").version("1.0.0").summary("breaks a promise"); }
  double value(const Moment& m, const Params&) override {
    begun_ = begun_ || m.step() == 0;
    return begun_ ? m.progress() : 0.5;
  }
  bool begun_ = false;
};

struct EndsInNan final : Scheduler {
  static void describe(Spec& s) { s.id("zoo.ends_in_nan").version("1.0.0").summary("breaks a promise"); }
  double value(const Moment& m, const Params&) override { return m.step() < 900000 ? 1.0 : std::sqrt(-1.0); }
};

// One thread after the other would be right.
struct SharedScratch final : Scheduler {
  static void describe(Spec& s) { s.id("zoo.shared_scratch").version("1.0.0").summary("breaks a promise"); }
  double value(const Moment& m, const Params&) override {
    scratch_ = m.progress();
    ::usleep(100);
    return scratch_;
  }
  std::atomic<double> scratch_{0.0};
};

// ---- data sets: four numbers and a label a sample

class Numbers : public DataSet {
 public:
  static constexpr std::int64_t kSamples = 40;
  static void describe(Spec& s, const char* id) { s.id(id).version("1.0.0").summary("breaks a promise"); }
  Numbers() {
    info_.samples = {kSamples, 0, kSamples};
    info_.classes = 5;
    info_.fields = {{"input", Dtype::f32, {4}, 1.0}, {"label", Dtype::i64, {}, 1.0}};
  }
  const DataInfo& info() const override { return info_; }
  void fetch(Split, const std::int64_t* index, std::size_t n, void* const* out) const override {
    for (std::size_t i = 0; i < n; ++i) {
      for (int k = 0; k < 4; ++k)
        static_cast<float*>(out[0])[4 * i + static_cast<std::size_t>(k)] = number(index[i], k);
      static_cast<std::int64_t*>(out[1])[i] = label(index[i]);
    }
  }

 protected:
  virtual float number(std::int64_t sample, int k) const { return static_cast<float>(sample * 4 + k); }
  virtual std::int64_t label(std::int64_t sample) const { return sample % 5; }
  DataInfo info_;
};

struct OtherEachTime final : Numbers {
  static void describe(Spec& s) { Numbers::describe(s, "zoo.other_each_time"); }
  explicit OtherEachTime(const Params&) : made_(++made) {}
  float number(std::int64_t sample, int k) const override {
    return Numbers::number(sample, k) + static_cast<float>(made_);
  }
  static inline int made = 0;
  int made_;
};

struct SortsIndex final : Numbers {
  static void describe(Spec& s) { Numbers::describe(s, "zoo.sorts_index"); }
  explicit SortsIndex(const Params&) {}
  void fetch(Split split, const std::int64_t* index, std::size_t n, void* const* out) const override {
    std::vector<std::int64_t> rotated(index, index + n);
    if (n > 1) std::rotate(rotated.begin(), rotated.begin() + 1, rotated.end());
    Numbers::fetch(split, rotated.data(), n, out);
  }
};

struct LabelsFromOne final : Numbers {
  static void describe(Spec& s) { Numbers::describe(s, "zoo.labels_from_one"); }
  explicit LabelsFromOne(const Params&) {}
  std::int64_t label(std::int64_t sample) const override { return sample % 5 + 1; }
};

struct HasNan final : Numbers {
  static void describe(Spec& s) { Numbers::describe(s, "zoo.has_nan"); }
  explicit HasNan(const Params&) {}
  float number(std::int64_t sample, int k) const override {
    return sample == 39 ? std::numeric_limits<float>::quiet_NaN() : Numbers::number(sample, k);
  }
};

struct OneReader final : Numbers {
  static void describe(Spec& s) { Numbers::describe(s, "zoo.one_reader"); }
  explicit OneReader(const Params&) {}
  float number(std::int64_t sample, int k) const override {
    current_ = sample;
    if (k == 0) ::usleep(20);
    return Numbers::number(current_, k);
  }
  mutable std::atomic<std::int64_t> current_{0};
};

struct OtherResident final : Numbers {
  static void describe(Spec& s) { Numbers::describe(s, "zoo.other_resident"); }
  explicit OtherResident(const Params&) : zeros_(kSamples * 4) {}
  const void* resident(Split, std::size_t field) const override { return field == 0 ? zeros_.data() : nullptr; }
  std::vector<float> zeros_;
};

// ---- transforms

struct Field : Transform {
  static void describe(Spec& s, const char* id) {
    s.id(id).version("1.0.0").summary("breaks a promise");
    s.input("batch.input").doc("[N, C, H, W] images");
  }
};

struct EmitsNothing final : Field {
  static void describe(Spec& s) { Field::describe(s, "zoo.emits_nothing"); }
  void apply(const Call&) override {}
};

struct ByPlace final : Field {
  static void describe(Spec& s) {
    Field::describe(s, "zoo.by_place");
    s.fixed();
  }
  void apply(const Call& c) override {
    const Tensor x = c["batch.input"];
    c.emit("input", x + place(x));
  }
  static Tensor place(const Tensor& x) {
    std::vector<double> places;
    for (std::int64_t i = 0; i < x.size(0); ++i) places.push_back(static_cast<double>(i));
    return Tensor::of(places, {x.size(0), 1, 1, 1}, x).to(x.dtype());
  }
};

struct LiesFixed final : Field {
  static void describe(Spec& s) {
    Field::describe(s, "zoo.lies_fixed");
    s.fixed();
  }
  void apply(const Call& c) override {
    const Tensor x = c["batch.input"];
    std::vector<double> noise;
    for (std::int64_t i = 0; i < x.size(0); ++i) {
      Stream stream = c.stream(i);
      noise.push_back(stream.normal());
    }
    c.emit("input", x + Tensor::of(noise, {x.size(0), 1, 1, 1}, x).to(x.dtype()));
  }
};

struct SilentlyFixed final : Field {
  static void describe(Spec& s) { Field::describe(s, "zoo.silently_fixed"); }
  void apply(const Call& c) override { c.emit("input", c["batch.input"] * 2.0); }
};

// ---- metrics

struct Score : Metric {
  static void describe(Spec& s, const char* id) {
    s.id(id).version("1.0.0").summary("breaks a promise");
    s.input("student.logits").doc("[N, C]");
  }
};

struct MeanOfMeans final : Score {
  static void describe(Spec& s) { Score::describe(s, "zoo.mean_of_means"); }
  Tensor sums(const Call& c) override {
    const Tensor mean = c["student.logits"].to(Dtype::f64).mean();
    return cat({mean.reshape({1}), mean.reshape({1}) * 0.0 + 1.0}, 0);
  }
  void result(const Call& c, const std::vector<double>& sums) override { c.emit_number("score", sums[0] / sums[1]); }
};

struct FirstSample final : Score {
  static void describe(Spec& s) { Score::describe(s, "zoo.first_sample"); }
  Tensor sums(const Call& c) override {
    const Tensor x = c["student.logits"].to(Dtype::f64);
    return narrow(x.sum({1}), 0, 0, 1);
  }
  void result(const Call& c, const std::vector<double>& sums) override { c.emit_number("score", sums[0]); }
};

struct Hoards final : Score {
  static void describe(Spec& s) { Score::describe(s, "zoo.hoards"); }
  Tensor sums(const Call& c) override {
    hoard_ += static_cast<double>(c["student.logits"].size(0));
    return c["student.logits"].to(Dtype::f64).sum().reshape({1}) * 0.0 + hoard_;
  }
  void result(const Call& c, const std::vector<double>& sums) override { c.emit_number("score", sums[0]); }
  double hoard_ = 0.0;
};

}  // namespace

KDHOST_PLUGIN("zoo.broken_kinds", "1.0.0", MissingTap, OneClassMore, IdleLayer, SecretMode, WritesAlways, SecretMember,
              OtherParts, FixedBatch, MixesSamples, InfiniteFar, CountsCalls, NeedsBeginning, EndsInNan, SharedScratch,
              OtherEachTime, SortsIndex, LabelsFromOne, HasNan, OneReader, OtherResident, EmitsNothing, ByPlace,
              LiesFixed, SilentlyFixed, MeanOfMeans, FirstSample, Hoards)
