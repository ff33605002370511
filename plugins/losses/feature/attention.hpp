// SPDX-License-Identifier: MIT
//
// kdhost.attention: attention transfer.                           Zagoruyko & Komodakis, ICLR 2017, arXiv 1612.03928
//
//   q(f) = v / max(|v|_2, 1e-12) over the positions,  v = mean_c |f|^p
//   L    = sum over taps of the mean over N*H*W of (q_s - q_t)^2
//
// Variants  "author" (default) = the authors' code, RepDistiller, mdistiller, MMRazor.
//           "paper": (1/N) sum_i |q_s,i - q_t,i|_2 per tap; about 50 times larger (torchdistill's mode = "paper").
// Channels may differ; the larger map is pooled to the smaller. The published code raises f^p without absolute value,
// which is the same for even p and for maps behind a ReLU. Mean or sum over channels makes no difference: it is
// normalised away. For p = 2 on the CPU value and gradient are computed by hand (attention_rows.hpp); that gradient can
// be taken once only.
#pragma once
#include "../loss_inputs.hpp"
#include "attention_rows.hpp"

namespace kdhost::plugins {

struct Attention final : Loss {
  static void describe(Spec& s) {
    s.id("kdhost.attention").version("1.0.0").summary("attention transfer: where in the map the activation is");
    s.source(
        "Zagoruyko & Komodakis, Paying More Attention to Attention, ICLR 2017, arXiv 1612.03928; default = authors' "
        "code");
    s.details(
        "q(f) = mean_c |f|^p scaled to unit L2 over the positions; mean over N*H*W of (q_s - q_t)^2, summed over taps. "
        "variant = \"paper\" takes the L2 distance per sample instead (about 50 times larger). Channels may differ; "
        "the larger "
        "map is average-pooled to the smaller one. With p = 2 on the CPU the gradient can be taken once only "
        "(create_graph "
        "is refused).");
    s.recipe(
        "[[loss]]\nuse = \"kdhost.attention\"\nweight = 1000.0\n"
        "inputs = { student = [\"layer1\", \"layer2\", \"layer3\"], teacher = [\"layer1\", \"layer2\", \"layer3\"] "
        "}\n");
    s.number("p", 2.0).at_least(1.0).doc("power of the activations").schedulable();
    s.choice("variant", {"author", "paper"}).doc("whose definition");
    s.inputs("student.features").doc("maps [N, C, H, W]");
    s.inputs("teacher.features").doc("as many, in the same order; channels may differ");
  }

  explicit Attention(const Params& params) : paper_(params.text("variant") == "paper") {}

  Tensor compute(const Call& c) override {
    const double power = c.number("p");
    Tensor sum;
    for (TapPair& p : tap_pairs(c)) {
      need_maps(p);
      pool_to_smaller(p.student, p.teacher);
      if (power == 2.0 && p.student.on_cpu()) {
        accumulate(sum, p.student.dtype() == Dtype::f32 ? by_rows<float>(p) : by_rows<double>(p));
        continue;
      }
      const Tensor difference = where_active(p.student, power) - where_active(p.teacher, power);
      accumulate(sum, paper_ ? vector_norm(difference, 2, 1).mean() : square(difference).mean());
    }
    return sum;
  }

 private:
  /// The gradient with respect to a map f is weight * f, with one weight for each sample and position.
  struct WeightedMap {
    Tensor value, weight;
    Tensor forward(const Tensors& in, Tensors& saved) {
      saved = {in[0], std::move(weight)};
      return std::move(value);
    }
    Tensors backward(const Tensors& saved, const Tensor& grad) {
      once_differentiable();
      return {saved[0] * (saved[1] * grad)};
    }
  };

  template <class T>
  Tensor by_rows(const TapPair& p) const {
    const Tensor s = without_gaps(p.student), t = without_gaps(p.teacher);
    const std::int64_t n = s.size(0), channels = s.size(1), h = s.size(2), w = s.size(3);
    const double share = paper_ ? 1.0 / static_cast<double>(n) : 1.0 / static_cast<double>(n * h * w);
    const bool wants_gradient = grad_enabled() && p.student.requires_grad();
    Tensor weight = wants_gradient ? Tensor::empty({n, 1, h, w}, s.dtype(), s) : Tensor();
    std::vector<double> values(static_cast<std::size_t>(n));
    std::vector<T> room(static_cast<std::size_t>(2 * n * h * w));
    const AttentionRows<T> work{map<T>(s),
                                map<T>(t),
                                h * w,
                                paper_,
                                static_cast<T>(2.0 * share / static_cast<double>(channels)),
                                wants_gradient ? weight.mutable_data<T>() : nullptr,
                                values.data(),
                                room.data()};
    parallel_for(n, std::max<std::int64_t>(1, 32768 / (channels * h * w)),
                 [&](std::int64_t begin, std::int64_t end) noexcept { attention_rows(work, begin, end); });
    double sum = 0;
    for (const double v : values) sum += v;
    Tensor value = Tensor::of<T>({static_cast<T>(sum * share)}, {});
    if (!wants_gradient) return value;
    return custom_grad("kdhost.attention", WeightedMap{std::move(value), std::move(weight)}, {p.student});
  }

  static bool has_channels_last(const Tensor& x) {
    const kdh_tensor_info i = x.info();
    return i.strides[1] == 1 && i.strides[3] == i.sizes[1] && i.strides[2] == i.sizes[3] * i.sizes[1] &&
           i.strides[0] == i.sizes[2] * i.sizes[3] * i.sizes[1];
  }
  static Tensor without_gaps(const Tensor& x) { return has_channels_last(x) ? x : x.contiguous(); }
  template <class T>
  static AttentionMap<T> map(const Tensor& x) {
    return {x.data<T>(), x.size(1), !x.is_contiguous()};
  }

  /// [N, H*W], unit length per sample; a zero map stays zero.
  static Tensor where_active(const Tensor& f, double power) {
    const Tensor raised = power == 2.0 ? square(f) : abs(f).pow(power);
    return normalize(raised.mean({1}).flatten(1));
  }

  bool paper_;
};

}  // namespace kdhost::plugins
