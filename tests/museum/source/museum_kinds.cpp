// SPDX-License-Identifier: MIT
// The other kinds of the museum (README.md): a data set of small images, a transform with a random stream for each
// sample, a network with batch norm and taps, a schedule and a metric. Built once, by the SDK of ABI 1.0; not changed
// since.
#include <kdhost/plugin.hpp>

#include <algorithm>
using namespace kdhost;

namespace {

constexpr std::int64_t kSide = 6;

class Patches final : public DataSet {
 public:
  static void describe(Spec& s) {
    s.id("museum.patches").version("1.0.0").summary("noise with one bright quarter, which is the class");
    s.integer("samples", 64).range(4, 100000).doc("of each of the two splits");
  }
  explicit Patches(const Params& p) {
    const std::int64_t n = p.integer("samples");
    info_.samples = {n, 0, n};
    info_.classes = 4;
    info_.class_names = {"north-west", "north-east", "south-west", "south-east"};
    info_.fields = {{"input", Dtype::u8, {1, kSide, kSide}, 1.0 / 255}, {"label", Dtype::i64, {}, 1.0}};
    for (const std::size_t split : {0u, 2u}) {
      for (std::int64_t i = 0; i < n; ++i) {
        Stream stream(static_cast<std::uint64_t>(i) * 3 + split);
        const std::int64_t label = i % 4;
        for (std::int64_t y = 0; y < kSide; ++y) {
          for (std::int64_t x = 0; x < kSide; ++x) {
            const bool bright = (y >= kSide / 2) == (label / 2 == 1) && (x >= kSide / 2) == (label % 2 == 1);
            pixels_[split].push_back(static_cast<std::uint8_t>(stream.integer(150) + (bright ? 100 : 0)));
          }
        }
        labels_[split].push_back(label);
      }
    }
  }
  const DataInfo& info() const override { return info_; }
  void fetch(Split split, const std::int64_t* index, std::size_t n, void* const* out) const override {
    const auto s = static_cast<std::size_t>(split);
    for (std::size_t i = 0; i < n; ++i) {
      const std::int64_t pixels = kSide * kSide, row = index[i];
      std::copy_n(pixels_[s].data() + row * pixels, pixels, static_cast<std::uint8_t*>(out[0]) + i * kSide * kSide);
      static_cast<std::int64_t*>(out[1])[i] = labels_[s][static_cast<std::size_t>(row)];
    }
  }

 private:
  DataInfo info_;
  std::array<std::vector<std::uint8_t>, 3> pixels_;
  std::array<std::vector<std::int64_t>, 3> labels_;
};

struct Dim final : Transform {
  static void describe(Spec& s) {
    s.id("museum.dim").version("1.0.0").summary("each image darker by a random share");
    s.number("most", 0.2).range(0.0, 1.0).schedulable().doc("largest share");
    s.input("batch.input").doc("[N, C, H, W]");
  }
  void apply(const Call& c) override {
    const Tensor x = c["batch.input"];
    std::vector<double> keep;
    for (std::int64_t i = 0; i < x.size(0); ++i) keep.push_back(1.0 - c.number("most") * c.stream(i).uniform());
    c.emit("input", x * Tensor::of(keep, {x.size(0), 1, 1, 1}, x).to(x.dtype()));
  }
};

struct Net final : Model {
  static void describe(Spec& s) {
    s.id("museum.net").version("1.0.0").summary("a convolution with batch norm and two linear layers");
    s.integer("width", 4).range(1, 64).doc("channels; the first linear layer is twice as wide");
    s.number("dropout", 0.1).range(0.0, 0.9).schedulable().doc("before the last layer");
    s.input("batch.input").doc("[N, C, H, W]");
    s.output("logits").doc("[N, classes]");
    s.output("hidden").doc("[N, 2 width]");
  }
  Net(const Params& p, const Ports& ports, Builder& b)
      : conv_(b.conv2d("conv", ports.size("batch.input", 1), p.integer("width"), 3, without_bias())),
        norm_(b.batch_norm2d("norm", p.integer("width"))),
        fc1_(b.linear("fc1", p.integer("width"), 2 * p.integer("width"))),
        fc2_(b.linear("fc2", 2 * p.integer("width"), ports.classes())) {}
  void forward(const Call& c, Outputs& out) override {
    const Tensor map = nn::conv_bn_relu(c, conv_, norm_, c["batch.input"]);
    const Tensor hidden = relu(fc1_(c, map.mean({2, 3})));
    if (out.wants("hidden")) out.tap("hidden", hidden);
    out.set("logits", fc2_(c, nn::Dropout{c.number("dropout")}(c, hidden)));
  }

 private:
  static nn::ConvOptions without_bias() {
    nn::ConvOptions o;
    o.padding = 1;
    o.bias = false;
    return o;
  }
  nn::Conv2d conv_;
  nn::BatchNorm2d norm_;
  nn::Linear fc1_, fc2_;
};

struct Ramp final : Scheduler {
  static void describe(Spec& s) {
    s.id("museum.ramp").version("1.0.0").summary("from a value to another in even steps");
    s.number("from", 4.0).doc("at the first step");
    s.number("to", 1.0).doc("where the last step ends");
  }
  double value(const Moment& m, const Params& p) override {
    return p.number("from") + (p.number("to") - p.number("from")) * m.progress();
  }
};

struct Margin final : Metric {
  static void describe(Spec& s) {
    s.id("museum.margin").version("1.0.0").summary("mean gap of the right class to the best other one");
    s.input("student.logits").doc("[N, C]");
    s.input("batch.label").doc("[N]");
  }
  Tensor sums(const Call& c) override {
    const Tensor logits = c["student.logits"].to(Dtype::f64), label = c["batch.label"].unsqueeze(1);
    const Tensor right = gather(logits, 1, label).squeeze(1);
    const Tensor others = amax(scatter(logits, 1, label, -1e30), {1});
    return cat({(right - others).sum().unsqueeze(0), ones_like(right).sum().unsqueeze(0)}, 0);
  }
  void result(const Call& c, const std::vector<double>& sums) override {
    c.emit_number("margin", sums[0] / sums[1]);
    c.emit_number("samples", sums[1]);
  }
};

}  // namespace

KDHOST_PLUGIN("museum.kinds", "1.0.0", Patches, Dim, Net, Ramp, Margin)
