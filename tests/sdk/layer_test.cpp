// SPDX-License-Identifier: MIT
// The layers of <kdhost/nn.hpp> against LibTorch's torch::nn: names, shapes, order and default initialisation of the
// parts, results, gradients and running statistics.
#include "sdk/layer_bench.hpp"

#include <torch/nn.h>

#include <catch2/catch.hpp>

#include "differences.hpp"

namespace {

using kdhost::test::append;
using kdhost::test::Differences;
using kdhost::test::kNoDifferences;
using layer_bench::LayerBench;
using layer_bench::Part;
using layer_bench::unwrap;
using layer_bench::wrap;

// Names as torch::nn orders them: parameters of the whole tree, then buffers.
std::vector<std::pair<std::string, at::Tensor>> state_of(torch::nn::Module& m) {
  std::vector<std::pair<std::string, at::Tensor>> list;
  for (const auto& p : m.named_parameters()) list.emplace_back(p.key(), p.value());
  for (const auto& b : m.named_buffers()) list.emplace_back(b.key(), b.value());
  return list;
}

// The declared distribution against the values that torch::nn has drawn.
bool initialised_as(const Part& part, const at::Tensor& drawn) {
  const double least = drawn.min().item<double>(), most = drawn.max().item<double>();
  const auto count = static_cast<double>(drawn.numel());
  switch (part.init) {
    case KDH_INIT_ZEROS:
      return least == 0.0 && most == 0.0;
    case KDH_INIT_ONES:
      return least == 1.0 && most == 1.0;
    case KDH_INIT_UNIFORM:
      return part.a == -part.b && least >= part.a && most <= part.b &&
             (count < 500 || std::max(-least, most) > 0.97 * part.b);
    case KDH_INIT_NORMAL:
      return std::abs(drawn.mean().item<double>() - part.a) <= 5.0 * part.b / std::sqrt(count) &&
             std::abs(drawn.std().item<double>() / part.b - 1) <= 0.1;
    default:
      return false;
  }
}

// Declares `layer`, compares its parts with those of `module` (made in float64), and gives both the same values.
template <class Layer>
Differences match(LayerBench& bench, Layer& layer, const std::function<Layer(const kdhost::Builder&)>& declare,
                  torch::nn::Module& module) {
  layer = declare(bench.builder());
  const auto state = state_of(module);
  if (bench.parts.size() != state.size()) return {std::to_string(bench.parts.size()) + " parts"};
  Differences wrong;
  for (std::size_t i = 0; i < state.size(); ++i) {
    Part& part = bench.parts[i];
    const auto& [name, value] = state[i];
    const auto expect = [&, &own = part.name](bool holds, const char* what) {
      if (!holds) wrong.push_back(std::string(what) + " of " + own);
    };
    const bool parameter = value.requires_grad();
    const bool norm_or_bias = value.dim() < 2 || part.init == KDH_INIT_ONES || part.init == KDH_INIT_ZEROS;
    expect(part.name == "x." + name, "name");
    expect(at::IntArrayRef(part.sizes) == value.sizes(), "shape");
    expect(part.role == (parameter ? KDH_PART_PARAMETER : KDH_PART_BUFFER), "role");
    expect(part.dtype == (value.is_floating_point() ? -1 : KDH_DTYPE_I64), "dtype");
    expect(!parameter || part.flags == (norm_or_bias ? KDH_PART_NO_DECAY : 0u), "flags");
    expect(initialised_as(part, value.detach()), "initialisation");
    part.value = value.detach().clone().set_requires_grad(parameter);
  }
  return wrong;
}

// Gradients of all parts after the same backward pass on both sides.
Differences wrong_gradients(const LayerBench& bench, torch::nn::Module& module, double tolerance) {
  const auto state = state_of(module);
  Differences wrong;
  for (std::size_t i = 0; i < state.size(); ++i) {
    const at::Tensor own = bench.parts[i].value.grad(), theirs = state[i].second.grad();
    if (own.defined() != theirs.defined() || (own.defined() && !at::allclose(own, theirs, tolerance, tolerance)))
      wrong.push_back("gradient of " + state[i].first);
  }
  return wrong;
}
Differences wrong_values(const LayerBench& bench, torch::nn::Module& module) {
  const auto state = state_of(module);
  Differences wrong;
  for (std::size_t i = 0; i < state.size(); ++i)
    if (!at::equal(bench.parts[i].value, state[i].second)) wrong.push_back("value of " + state[i].first);
  return wrong;
}

at::Tensor weighted(const at::Tensor& y) {
  return (y * at::linspace(0.5, 1.5, y.numel(), at::kDouble).reshape(y.sizes())).sum();
}

// The output of layers with one result, and of those that return their state as well.
at::Tensor output(const at::Tensor& y) { return y; }
template <class... More>
at::Tensor output(const std::tuple<at::Tensor, More...>& y) {
  return std::get<0>(y);
}
at::Tensor output(const kdhost::Tensor& y) { return unwrap(y); }
at::Tensor output(const kdhost::LstmResult& y) { return unwrap(y.output); }
at::Tensor output(const kdhost::GruResult& y) { return unwrap(y.output); }

// A layer of one input: twice in training (statistics move), once in evaluation, all bit for bit.
template <class Layer, class Module>
Differences differences(const std::function<Layer(const kdhost::Builder&)>& declare, Module module,
                        const at::Tensor& x) {
  module->to(at::kDouble);
  for (auto& b : module->named_buffers())
    if (b.key() == "num_batches_tracked") b.value().set_data(b.value().to(at::kLong));  // to() converts counters, too
  LayerBench bench;
  Layer layer;
  Differences wrong = match(bench, layer, declare, *module);
  if (!wrong.empty()) return wrong;
  for (int step = 0; step < 2; ++step) {
    const at::Tensor input = x.is_floating_point() ? x + step : x;
    const at::Tensor theirs = output(module->forward(input));
    const at::Tensor own =
        bench.call(KDH_CALL_TRAINING, [&](const kdhost::Call& c) { return output(layer(c, wrap(input))); });
    if (!at::equal(own, theirs)) wrong.push_back("output in training, step " + std::to_string(step));
    weighted(theirs).backward();
    weighted(own).backward();
  }
  append(wrong, wrong_gradients(bench, *module, 0.0));
  append(wrong, wrong_values(bench, *module));
  module->eval();
  const at::Tensor own = bench.call(0, [&](const kdhost::Call& c) { return output(layer(c, wrap(x))); });
  if (!at::equal(own, output(module->forward(x)))) wrong.push_back("output in evaluation");
  append(wrong, wrong_values(bench, *module));
  return wrong;
}

at::Tensor numbers(std::initializer_list<std::int64_t> shape) { return at::randn(at::IntArrayRef(shape), at::kDouble); }

}  // namespace

using Builder = kdhost::Builder;

TEST_CASE("a linear layer equals torch::nn::Linear bit for bit") {
  CHECK(differences<kdhost::nn::Linear>([](const Builder& b) { return b.linear("x", 40, 30); },
                                        torch::nn::Linear(40, 30), numbers({6, 40})) == kNoDifferences);
  CHECK(differences<kdhost::nn::Linear>([](const Builder& b) { return b.linear("x", 40, 30, false); },
                                        torch::nn::Linear(torch::nn::LinearOptions(40, 30).bias(false)),
                                        numbers({6, 40})) == kNoDifferences);
}

TEST_CASE("a convolution equals torch::nn::Conv2d bit for bit with every option") {
  CHECK(differences<kdhost::nn::Conv2d>([](const Builder& b) { return b.conv2d("x", 8, 12, 3); },
                                        torch::nn::Conv2d(torch::nn::Conv2dOptions(8, 12, 3)),
                                        numbers({2, 8, 9, 9})) == kNoDifferences);
  CHECK(
      differences<kdhost::nn::Conv2d>(
          [](const Builder& b) {
            return b.conv2d("x", 8, 12, {3, 5}, {2, {1, 0}, {1, 2}, 4, false});
          },
          torch::nn::Conv2d(
              torch::nn::Conv2dOptions(8, 12, {3, 5}).stride(2).padding({1, 0}).dilation({1, 2}).groups(4).bias(false)),
          numbers({2, 8, 13, 13})) == kNoDifferences);
}

TEST_CASE("a transposed convolution equals torch::nn::ConvTranspose2d bit for bit") {
  kdhost::nn::ConvOptions options{2, 1, 1, 2};
  options.output_padding = 1;
  CHECK(differences<kdhost::nn::ConvTranspose2d>(
            [=](const Builder& b) { return b.conv_transpose2d("x", 8, 12, 3, options); },
            torch::nn::ConvTranspose2d(
                torch::nn::ConvTranspose2dOptions(8, 12, 3).stride(2).padding(1).output_padding(1).groups(2)),
            numbers({2, 8, 5, 5})) == kNoDifferences);
}

TEST_CASE("batch norm equals torch::nn::BatchNorm2d bit for bit, running statistics and counter included") {
  CHECK(differences<kdhost::nn::BatchNorm2d>([](const Builder& b) { return b.batch_norm2d("x", 7); },
                                             torch::nn::BatchNorm2d(7), numbers({4, 7, 5, 5})) == kNoDifferences);
  CHECK(differences<kdhost::nn::BatchNorm2d>(
            [](const Builder& b) { return b.batch_norm2d("x", 7, 1e-3, 0.3); },
            torch::nn::BatchNorm1d(torch::nn::BatchNorm1dOptions(7).eps(1e-3).momentum(0.3)),
            numbers({9, 7})) == kNoDifferences);
}

TEST_CASE("layer norm and embedding equal torch::nn bit for bit") {
  CHECK(differences<kdhost::nn::LayerNorm>(
            [](const Builder& b) {
              return b.layer_norm("x", {5, 6});
            },
            torch::nn::LayerNorm(torch::nn::LayerNormOptions({5, 6})), numbers({3, 5, 6})) == kNoDifferences);
  CHECK(differences<kdhost::nn::Embedding>([](const Builder& b) { return b.embedding("x", 50, 20); },
                                           torch::nn::Embedding(50, 20),
                                           at::randint(0, 50, {4, 7}, at::kLong)) == kNoDifferences);
}

TEST_CASE("recurrent layers equal torch::nn::LSTM and GRU bit for bit, several layers and both directions") {
  CHECK(differences<kdhost::nn::Lstm>([](const Builder& b) { return b.lstm("x", 6, 16); },
                                      torch::nn::LSTM(torch::nn::LSTMOptions(6, 16).batch_first(true)),
                                      numbers({3, 5, 6})) == kNoDifferences);
  CHECK(differences<kdhost::nn::Lstm>(
            [](const Builder& b) { return b.lstm("x", 6, 8, 2, true); },
            torch::nn::LSTM(torch::nn::LSTMOptions(6, 8).num_layers(2).bidirectional(true).batch_first(true)),
            numbers({3, 5, 6})) == kNoDifferences);
  CHECK(differences<kdhost::nn::Gru>(
            [](const Builder& b) { return b.gru("x", 6, 8, 2, true); },
            torch::nn::GRU(torch::nn::GRUOptions(6, 8).num_layers(2).bidirectional(true).batch_first(true)),
            numbers({3, 5, 6})) == kNoDifferences);
}

TEST_CASE("attention equals torch::nn::MultiheadAttention to rounding, with other keys and with a mask") {
  torch::nn::MultiheadAttention theirs(torch::nn::MultiheadAttentionOptions(24, 4));
  theirs->to(at::kDouble);
  LayerBench bench;
  kdhost::nn::MultiheadAttention own;
  CHECK(match<kdhost::nn::MultiheadAttention>(
            bench, own, [](const Builder& b) { return b.attention("x", 24, 4); }, *theirs) == kNoDifferences);
  const at::Tensor x = numbers({3, 5, 24}), y = numbers({3, 7, 24});
  const auto direct = [&](const at::Tensor& q, const at::Tensor& k, const at::Tensor& mask) {
    const at::Tensor key = k.transpose(0, 1);
    return std::get<0>(theirs->forward(q.transpose(0, 1), key, key, {}, true, mask)).transpose(0, 1);
  };
  bench.call(KDH_CALL_TRAINING, [&](const kdhost::Call& c) {
    const kdhost::Tensor qx = wrap(x), ky = wrap(y);
    const at::Tensor self_attention = unwrap(own(c, qx));
    CHECK(at::allclose(self_attention, direct(x, x, {}), 1e-12, 1e-12));
    CHECK(at::allclose(unwrap(own.attention(c, qx, ky, ky)), direct(x, y, {}), 1e-12, 1e-12));
    const at::Tensor mask = at::full({5, 5}, -INFINITY, at::kDouble).triu(1);
    const at::Tensor causal = direct(x, x, mask);
    CHECK(at::allclose(unwrap(own(c, qx, wrap(mask))), causal, 1e-12, 1e-12));
    CHECK(at::allclose(unwrap(own(c, qx, {}, true)), causal, 1e-12, 1e-12));
    weighted(self_attention).backward();
    weighted(direct(x, x, {})).backward();
  });
  CHECK(wrong_gradients(bench, *theirs, 1e-10) == kNoDifferences);
}

TEST_CASE("dropout acts in training only") {
  LayerBench bench;
  const kdhost::nn::Dropout drop = bench.builder().dropout(0.4);
  const at::Tensor x = at::ones({1000}, at::kDouble);
  CHECK(at::equal(bench.call(0, [&](const kdhost::Call& c) { return output(drop(c, wrap(x))); }), x));
  const at::Tensor y = bench.call(KDH_CALL_TRAINING, [&](const kdhost::Call& c) { return output(drop(c, wrap(x))); });
  CHECK((y == 0).sum().item<double>() == Approx(400).margin(80));
  CHECK(y.max().item<double>() == Approx(1.0 / 0.6));
}

TEST_CASE("frozen, a convolution with its batch norm is one convolution, made once, equal to rounding") {
  const bool bias = GENERATE(true, false);
  LayerBench bench;
  const kdhost::nn::Conv2d conv = bench.builder().conv2d("conv", 6, 10, 3, {1, 1, 1, 2, bias});
  const kdhost::nn::BatchNorm2d norm = bench.builder().batch_norm2d("bn", 10);
  for (Part& p : bench.parts)
    if (p.value.is_floating_point()) p.value.uniform_(0.3, 1.3);
  const kdhost::Tensor x = wrap(numbers({2, 6, 7, 7}));
  const auto run = [&](std::uint32_t flags, auto f) {
    return bench.call(flags, [&](const kdhost::Call& c) { return unwrap(f(c, conv, norm, x)); });
  };
  const at::Tensor plain = run(0, kdhost::nn::conv_bn);
  CHECK(bench.derivations == 0);
  CHECK(at::allclose(run(KDH_CALL_FROZEN, kdhost::nn::conv_bn), plain, 1e-12, 1e-12));
  CHECK(at::allclose(run(KDH_CALL_FROZEN, kdhost::nn::conv_bn_relu), plain.relu(), 1e-12, 1e-12));
  CHECK(bench.derivations == 1);
  CHECK(at::equal(run(0, kdhost::nn::conv_bn_relu), plain.relu()));
  // Training uses the batch's statistics even where the parts are said to be frozen.
  const at::Tensor trained = run(KDH_CALL_FROZEN | KDH_CALL_TRAINING, kdhost::nn::conv_bn);
  CHECK_FALSE(at::allclose(trained, plain, 1e-3, 1e-3));
  CHECK(bench.derivations == 1);
}

TEST_CASE("a folded convolution keeps the dtype of the parts but is computed in float32") {
  LayerBench bench;
  const kdhost::nn::Conv2d conv = bench.builder().conv2d("conv", 4, 4, 3);
  const kdhost::nn::BatchNorm2d norm = bench.builder().batch_norm2d("bn", 4);
  for (Part& p : bench.parts)
    if (p.value.is_floating_point()) p.value = p.value.uniform_(0.3, 1.3).to(at::kBFloat16);
  const kdhost::Tensor x = wrap(numbers({1, 4, 5, 5}).to(at::kBFloat16));
  const at::Tensor y =
      bench.call(KDH_CALL_FROZEN, [&](const kdhost::Call& c) { return unwrap(kdhost::nn::conv_bn(c, conv, norm, x)); });
  CHECK(y.scalar_type() == at::kBFloat16);
}

TEST_CASE("initial values for ReLU networks have the published spread") {
  const kdhost::Init out = kdhost::nn::kaiming_normal_fan_out({64, 16, 3, 3});
  CHECK(out.kind == KDH_INIT_NORMAL);
  CHECK(out.b == Approx(std::sqrt(2.0 / (64 * 9))));
  CHECK(kdhost::nn::kaiming_normal_fan_in({64, 16, 3, 3}).b == Approx(std::sqrt(2.0 / (16 * 9))));
  CHECK(kdhost::nn::xavier_uniform({64, 16}).b == Approx(std::sqrt(6.0 / 80)));
  LayerBench bench;
  kdhost::nn::ConvOptions options;
  options.init = out;
  bench.builder().conv2d("conv", 16, 64, 3, options);
  CHECK(bench.parts[0].init == KDH_INIT_NORMAL);
  CHECK(bench.parts[0].b == out.b);
}

TEST_CASE("part names begin with the scopes around them") {
  LayerBench bench;
  bench.builder().scope("layer1").scope("0").linear("fc", 3, 4, false);
  REQUIRE(bench.parts.size() == 1);
  CHECK(bench.parts[0].name == "layer1.0.fc.weight");
}

TEST_CASE("layers whose sizes do not fit are refused with the numbers") {
  LayerBench bench;
  const Builder b = bench.builder();
  CHECK_THROWS_WITH(b.conv2d("conv", 6, 8, 3, {1, 1, 1, 4}),
                    "convolution 'conv': 4 groups do not divide 6 input and 8 output channels");
  CHECK_THROWS_WITH(b.conv_transpose2d("up", 6, 8, 3, {1, 1, 1, 4}),
                    "transposed convolution 'up': 4 groups do not divide 6 input and 8 output channels");
  CHECK_THROWS_WITH(b.attention("att", 10, 4), "attention 'att': 4 heads do not divide 10 features");
}
