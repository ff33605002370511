// SPDX-License-Identifier: MIT
// custom_grad: a plugin's own derivative, and who owns its context on every path.
#include <ATen/core/grad_mode.h>

#include <catch2/catch.hpp>

#include "boundary_values.hpp"

namespace kdhost {
namespace {

using namespace testing;

int freed = 0;
void count_freed(void* ctx) {
  ++freed;
  delete static_cast<int*>(ctx);
}

at::Tensor product_of(const at::Tensor& a, const at::Tensor& b) {
  return call_operator("aten::mul", "Tensor", {with_tensor("self", a), with_tensor("other", b)}).tensors.at(0);
}

// d(x * x) / dx = 2 x, made of operators, so that it can be differentiated again.
kdh_status square_backward(const kdh_host*, void*, const kdh_tensor* saved, uint64_t, const kdh_tensor* grad_out,
                           uint64_t, kdh_tensor* grad_in, uint64_t) {
  const at::Tensor product = product_of(tensor(saved[0]), tensor(grad_out[0]));
  at::Tensor doubled =
      call_operator("aten::mul", "Scalar", {with_tensor("self", product), with_int("other", 2)}).tensors.at(0);
  grad_in[0] = give(std::move(doubled));
  return KDH_OK;
}

kdh_status failing_backward(const kdh_host* host, void*, const kdh_tensor*, uint64_t, const kdh_tensor*, uint64_t,
                            kdh_tensor*, uint64_t) {
  return host->set_error(host, KDH_E_PLUGIN, borrow("the temperature is zero"));
}

struct Made {
  kdh_status status;
  at::Tensor result;
};

Made with_gradient(const at::Tensor& in, const at::Tensor& out, kdh_backward_fn backward) {
  const kdh_host& host = host_table();
  const kdh_tensor input = lend(in);
  const kdh_tensor output = lend(out);
  kdh_tensor result = nullptr;
  const kdh_status status = host.custom_grad(&host, borrow("test.square"), &input, 1, &output, 1, &input, 1, backward,
                                             new int(1), count_freed, &result);
  return {status, take(result)};
}

Made plugin_square(const at::Tensor& x) {
  at::Tensor out;
  {
    const at::NoGradGuard no_grad;
    out = x * x;
  }
  return with_gradient(x, out, square_backward);
}

TEST_CASE("a plugin's derivative is used, once and twice differentiated") {
  freed = 0;
  {
    const at::Tensor x = at::tensor({1.0, -2.0, 3.0}, at::kDouble).requires_grad_();
    const at::Tensor y = plugin_square(x).result.sum();
    y.backward({}, /*retain_graph=*/true, /*create_graph=*/true);
    const at::Tensor first = x.grad();
    CHECK(at::allclose(first, 2 * x));
    x.mutable_grad().reset();
    first.sum().backward();
    const at::Tensor second = x.grad();
    CHECK(at::allclose(second, at::full({3}, 2.0, at::kDouble)));
    CHECK(freed == 0);
  }
  CHECK(freed == 1);
}

TEST_CASE("a second backward gets LibTorch's usual text") {
  const at::Tensor x = at::ones({2}).requires_grad_();
  const at::Tensor y = plugin_square(x).result.sum();
  y.backward();
  CHECK_THROWS_WITH(y.backward(), Catch::Contains("backward through the graph a second time"));
}

TEST_CASE("a failing backward reaches the caller with the plugin's text") {
  freed = 0;
  {
    const at::Tensor x = at::ones({2}).requires_grad_();
    const at::Tensor y = with_gradient(x, x.detach() * 2, failing_backward).result.sum();
    CHECK_THROWS_WITH(y.backward(), Catch::Contains("test.square: backward failed: the temperature is zero"));
  }
  CHECK(freed == 1);
}

TEST_CASE("a gradient of another shape is refused by name") {
  const at::Tensor x = at::ones({2}).requires_grad_();
  const auto wrong = [](const kdh_host*, void*, const kdh_tensor*, uint64_t, const kdh_tensor*, uint64_t,
                        kdh_tensor* grad_in, uint64_t) -> kdh_status {
    grad_in[0] = give(at::ones({3}));
    return KDH_OK;
  };
  const at::Tensor y = with_gradient(x, x.detach() * 2, wrong).result.sum();
  CHECK_THROWS_WITH(y.backward(), Catch::Contains("test.square"));
}

TEST_CASE("no gradient for an input is allowed, and absent output gradients arrive as zeros") {
  const kdh_host& host = host_table();
  const at::Tensor a = at::ones({2}).requires_grad_();
  const at::Tensor b = at::ones({2}).requires_grad_();
  const kdh_tensor inputs[2] = {lend(a), lend(b)};
  const at::Tensor first = at::ones({2});
  const at::Tensor second = at::ones({3});
  const kdh_tensor outputs[2] = {lend(first), lend(second)};
  kdh_tensor results[2] = {};
  static double unused_gradient = -1.0;
  const auto backward = [](const kdh_host*, void*, const kdh_tensor*, uint64_t, const kdh_tensor* grad_out,
                           uint64_t n_out, kdh_tensor* grad_in, uint64_t) -> kdh_status {
    if (n_out == 2 && grad_out[1] != nullptr) unused_gradient = tensor(grad_out[1]).abs().sum().item<double>();
    grad_in[0] = give(tensor(grad_out[0]).clone());
    return KDH_OK;
  };
  REQUIRE(host.custom_grad(&host, borrow("two"), inputs, 2, outputs, 2, nullptr, 0, backward, nullptr, nullptr,
                           results) == KDH_OK);
  const at::Tensor used = take(results[0]);
  const at::Tensor unused = take(results[1]);
  used.sum().backward();
  CHECK(unused_gradient == 0.0);
  CHECK(a.grad().defined());
  CHECK_FALSE(b.grad().defined());
}

TEST_CASE("the context is freed once, also when no gradient is needed or the call fails") {
  freed = 0;
  const at::Tensor plain = at::ones({2});
  const Made unneeded = plugin_square(plain);
  CHECK(unneeded.status == KDH_OK);
  CHECK_FALSE(unneeded.result.requires_grad());
  CHECK(freed == 1);

  {
    const at::NoGradGuard no_grad;
    CHECK_FALSE(plugin_square(at::ones({2}).requires_grad_()).result.requires_grad());
  }
  CHECK(freed == 2);

  CHECK(with_gradient(plain, at::Tensor(), square_backward).status == KDH_E_INVALID_ARGUMENT);
  CHECK(host_error() == "custom_grad: output 0 is no tensor");
  CHECK(freed == 3);

  CHECK(with_gradient(plain, plain, nullptr).status == KDH_E_INVALID_ARGUMENT);
  CHECK(host_error() == "custom_grad: no backward function was given");
  CHECK(freed == 4);

  CHECK(with_gradient(at::ones({2}).requires_grad_(), at::ones({2}, at::kLong), square_backward).status == KDH_E_TORCH);
  CHECK(freed == 5);
}

}  // namespace
}  // namespace kdhost
