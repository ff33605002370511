// SPDX-License-Identifier: MIT
// Plugins of the exact tier in the host: a loss that calls LibTorch, and a model of torch::nn modules whose tensors are
// the host's.
#include <ATen/core/grad_mode.h>
#include <dlfcn.h>

#include <catch2/catch.hpp>
#include <string>

#include "kdhost_exact_plugins.hpp"
#include "tensor/aten.hpp"
#include "tensor/loss.hpp"
#include "tensor/model.hpp"

namespace {

using kdhost::Arguments;
using kdhost::CallSettings;
using kdhost::Creation;
using kdhost::Origin;

const kdh_plugin& open(const char* file) {
  void* library = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) FAIL(dlerror());
  return *reinterpret_cast<kdh_plugin_query_fn>(dlsym(library, KDH_ENTRY_SYMBOL))(KDH_ABI_MAJOR, KDH_ABI_MINOR);
}

Origin origin_of(const char* file, const char* name) {
  Origin o;
  o.component = open(file).components;
  o.tier = KDH_TIER_EXACT;
  o.plugin_file = file;
  o.name = name;
  return o;
}

kdhost::ModelInstance make_net() {
  Creation creation;
  creation.params.add("hidden", 6);
  creation.shapes.push_back({"batch.input", {-1, 5}, at::kDouble});
  creation.facts.add("classes", 3);
  return kdhost::ModelInstance(origin_of(kExactModule, "student"), std::move(creation));
}

// The same network by operators, over the parts in their declared order.
at::Tensor by_hand(const kdhost::Parts& parts, const at::Tensor& x, bool training, at::Tensor mean,
                   at::Tensor variance) {
  const auto part = [&](const char* name) { return parts[*parts.find(name)]; };
  const at::Tensor h = at::linear(x, part("fc1.weight"), part("fc1.bias"));
  const at::Tensor n =
      at::batch_norm(h, part("norm.weight"), part("norm.bias"), mean, variance, training, 0.1, 1e-5, true);
  return at::linear(at::relu(n), part("fc2.weight"), part("fc2.bias"));
}

at::Tensor logits_of(kdhost::ModelInstance& net, kdhost::Parts& parts, const at::Tensor& x, std::uint32_t flags) {
  CallSettings settings;
  settings.flags = flags;
  net.inputs().set(0, x);
  kdhost::Outputs out;
  net.forward(parts, settings, kdhost::Wants(), out);
  return out["logits"];
}

}  // namespace

TEST_CASE("an exact plugin names its tier and the LibTorch it was built with") {
  const kdh_plugin& p = open(kExactLoss);
  CHECK(p.tier == KDH_TIER_EXACT);
  CHECK(std::string(p.torch_fingerprint.data, p.torch_fingerprint.size) == kdhost::torch_fingerprint());
}

TEST_CASE("an exact loss has LibTorch's value and gradient") {
  Creation creation;
  creation.params.add("temperature", 2.0);
  for (const char* port : {"student.logits", "teacher.logits"}) creation.shapes.push_back({port, {-1, 4}, at::kDouble});
  kdhost::LossInstance loss(origin_of(kExactLoss, "loss.kl"), std::move(creation));
  const std::size_t student = loss.inputs().add("student.logits"), teacher = loss.inputs().add("teacher.logits");
  const at::Tensor s = at::randn({3, 4}, at::kDouble).set_requires_grad(true), t = at::randn({3, 4}, at::kDouble);
  loss.inputs().set(student, s);
  loss.inputs().set(teacher, t);
  const at::Tensor own = loss.compute({});
  const at::Tensor expected =
      at::kl_div(at::log_softmax(s / 2.0, 1), at::log_softmax(t / 2.0, 1), at::Reduction::Sum, true) / 3.0 * 4.0;
  CHECK(own.item<double>() == expected.item<double>());
  own.backward();
  const at::Tensor gradient = s.grad().clone();
  s.mutable_grad().zero_();
  expected.backward();
  CHECK(at::equal(gradient, s.grad()));
}

TEST_CASE("a torch::nn model declares its state dict and computes with the host's parts, for several sets of them") {
  kdhost::ModelInstance net = make_net();
  net.inputs().add("batch.input");
  std::vector<std::string> names;
  for (const auto& spec : *net.part_list()) names.push_back(spec.name);
  CHECK(names == std::vector<std::string>{"fc1.weight", "fc1.bias", "norm.weight", "norm.bias", "norm.running_mean",
                                          "norm.running_var", "norm.num_batches_tracked", "fc2.weight", "fc2.bias"});
  kdhost::Parts first(net.part_list(), "student", 1, at::kDouble), second(net.part_list(), "student", 2, at::kDouble);
  CHECK_FALSE(at::equal(first[0], second[0]));  // each seed starts elsewhere
  const at::Tensor x = at::randn({8, 5}, at::kDouble);
  for (kdhost::Parts* parts : {&first, &second, &first}) {
    parts->require_grad(true);
    parts->drop_gradients();
    const at::Tensor mean = (*parts)[4].clone(), variance = (*parts)[5].clone();
    const double counted = (*parts)[6].item<double>();
    const at::Tensor own = logits_of(net, *parts, x, KDH_CALL_TRAINING);
    const at::Tensor expected = by_hand(*parts, x, true, mean, variance);
    CHECK(at::equal(own, expected));
    CHECK(at::equal((*parts)[4], mean));  // statistics moved in the host's buffers
    CHECK(at::equal((*parts)[5], variance));
    CHECK((*parts)[6].item<double>() == counted + 1);

    own.square().sum().backward();
    const at::Tensor gradient = (*parts)[0].grad().clone();
    parts->drop_gradients();
    expected.square().sum().backward();
    CHECK(at::equal(gradient, (*parts)[0].grad()));
  }
  // Evaluation with one set leaves the other alone, and a step of an optimizer is seen at once.
  const at::Tensor before = second[0].detach().clone();
  {
    const at::NoGradGuard off;
    first[0].add_(0.25);
  }
  CHECK(at::equal(logits_of(net, first, x, 0), by_hand(first, x, false, first[4], first[5])));
  CHECK(at::equal(second[0].detach(), before));
}

TEST_CASE("a frozen parameter of a torch::nn model gets no gradient") {
  kdhost::ModelInstance net = make_net();
  net.inputs().add("batch.input");
  kdhost::Parts parts(net.part_list(), "student", 1, at::kDouble);
  parts.require_grad(true);
  const at::Tensor x = at::randn({8, 5}, at::kDouble);
  logits_of(net, parts, x, KDH_CALL_TRAINING).sum().backward();
  CHECK(parts[0].grad().defined());
  parts.drop_gradients();
  parts.require_grad(std::size_t{0}, false);
  logits_of(net, parts, x, KDH_CALL_TRAINING).sum().backward();
  CHECK_FALSE(parts[0].grad().defined());
  CHECK(parts[1].grad().defined());
}
