// SPDX-License-Identifier: MIT
// Operators by name: every kind of argument and result, and the full text of every refusal.
#include <catch2/catch.hpp>

#include "boundary_values.hpp"
#include "tensor/component_call.hpp"

namespace kdhost {
namespace {

using namespace testing;

TEST_CASE("an operator called by name gives what LibTorch gives and records gradients") {
  const at::Tensor a = at::arange(6, at::kDouble).reshape({2, 3}).requires_grad_();
  const at::Tensor b = at::full({2, 3}, 2.0, at::kDouble);
  const OperatorResult product =
      call_operator("aten::mul", "Tensor", {with_tensor("self", a), with_tensor("other", b)});
  REQUIRE(product.status == KDH_OK);
  REQUIRE(product.tensors.size() == 1);
  CHECK(at::equal(product.tensors[0], a * b));
  CHECK(product.tensors[0].requires_grad());
}

TEST_CASE("arguments may come in any order and absent ones take the schema's default") {
  const at::Tensor x = at::arange(6, at::kFloat).reshape({2, 3});
  const OperatorResult sum = call_operator("aten::sum", "dim_IntList",
                                           {with_bool("keepdim", true), with_ints("dim", {1}), with_tensor("self", x)});
  REQUIRE(sum.status == KDH_OK);
  CHECK(at::equal(sum.tensors[0], x.sum({1}, true)));
  const OperatorResult plain =
      call_operator("aten::sum", "dim_IntList", {with_tensor("self", x), with_ints("dim", {1})});
  CHECK(at::equal(plain.tensors[0], x.sum({1})));
}

TEST_CASE("a scalar keeps its type, so that type promotion is LibTorch's") {
  const at::Tensor flags = at::ones({2}, at::kBool);
  CHECK(call_operator("aten::add", "Scalar", {with_tensor("self", flags), with_bool("other", true)})
            .tensors[0]
            .scalar_type() == at::kBool);
  CHECK(call_operator("aten::add", "Scalar", {with_tensor("self", flags), with_int("other", 1)})
            .tensors[0]
            .scalar_type() == at::kLong);
  CHECK(call_operator("aten::add", "Scalar", {with_tensor("self", flags), with_float("other", 1)})
            .tensors[0]
            .scalar_type() == at::kFloat);
}

TEST_CASE("dtype, device and memory format are given as a number, a text and a number") {
  const OperatorResult zeros = call_operator(
      "aten::zeros", "", {with_ints("size", {2, 2}), with_int("dtype", KDH_DTYPE_BF16), with_text("device", "cpu")});
  REQUIRE(zeros.status == KDH_OK);
  CHECK(zeros.tensors[0].scalar_type() == at::kBFloat16);
  const at::Tensor image = at::rand({1, 3, 4, 4});
  const OperatorResult copy =
      call_operator("aten::clone", "", {with_tensor("self", image), with_int("memory_format", 2)});
  REQUIRE(copy.status == KDH_OK);
  CHECK(copy.tensors[0].is_contiguous(at::MemoryFormat::ChannelsLast));
}

TEST_CASE("one number stands for a list of fixed length, and whole numbers for floating-point ones") {
  const at::Tensor image = at::rand({1, 1, 4, 4});
  const OperatorResult pooled =
      call_operator("aten::max_pool2d", "", {with_tensor("self", image), with_int("kernel_size", 2)});
  REQUIRE(pooled.status == KDH_OK);
  CHECK(at::equal(pooled.tensors[0], at::max_pool2d(image, {2, 2})));
  const OperatorResult scaled =
      call_operator("aten::leaky_relu", "", {with_tensor("self", -image), with_int("negative_slope", 2)});
  CHECK(at::equal(scaled.tensors[0], at::leaky_relu(-image, 2)));
  const OperatorResult larger = call_operator(
      "aten::upsample_nearest2d", "vec",
      {with_tensor("input", image), argument("output_size", KDH_T_NONE), with_floats("scale_factors", {2.0, 2.0})});
  REQUIRE(larger.status == KDH_OK);
  CHECK(larger.tensors[0].sizes() == at::IntArrayRef({1, 1, 8, 8}));
}

TEST_CASE("an absent tensor is given as nothing or left out, also inside a list") {
  const at::Tensor x = at::rand({2, 3});
  const at::Tensor w = at::rand({4, 3});
  const OperatorResult left = call_operator("aten::linear", "", {with_tensor("input", x), with_tensor("weight", w)});
  const OperatorResult none = call_operator(
      "aten::linear", "", {with_tensor("input", x), with_tensor("weight", w), argument("bias", KDH_T_NONE)});
  REQUIRE(left.status == KDH_OK);
  REQUIRE(none.status == KDH_OK);
  CHECK(at::equal(left.tensors[0], none.tensors[0]));
  const at::Tensor rows = at::arange(2, at::kLong);
  const OperatorResult columns =
      call_operator("aten::index", "Tensor", {with_tensor("self", x), with_tensors("indices", {nullptr, lend(rows)})});
  REQUIRE(columns.status == KDH_OK);
  CHECK(at::equal(columns.tensors[0], x.slice(1, 0, 2)));
}

TEST_CASE("several results and lists of tensors are spread over the results") {
  const at::Tensor x = at::rand({5, 3});
  const OperatorResult top = call_operator("aten::topk", "", {with_tensor("self", x), with_int("k", 2)});
  REQUIRE(top.tensors.size() == 2);
  CHECK(top.tensors[1].scalar_type() == at::kLong);
  const OperatorResult pieces =
      call_operator("aten::split", "Tensor", {with_tensor("self", x), with_int("split_size", 2)});
  REQUIRE(pieces.tensors.size() == 3);
  CHECK(at::equal(pieces.tensors[2], x.slice(0, 4, 5)));
  const std::vector<kdh_tensor> both{lend(x), lend(x)};
  CHECK(call_operator("aten::cat", "", {with_tensors("tensors", both)}).tensors[0].size(0) == 10);
  const OperatorResult shape = call_operator("aten::size", "int", {with_tensor("self", x), with_int("dim", 0)});
  REQUIRE(shape.values.size() == 1);
  CHECK(shape.values[0].u.i == 5);
}

TEST_CASE("more results than there is room for are an error that leaves nothing behind") {
  const at::Tensor x = at::rand({5, 3});
  const OperatorResult top = call_operator("aten::topk", "", {with_tensor("self", x), with_int("k", 2)}, 1);
  CHECK(top.status == KDH_E_INVALID_ARGUMENT);
  CHECK(top.text == "aten::topk: 2 results, room for 1");
  const OperatorResult pieces =
      call_operator("aten::split", "Tensor", {with_tensor("self", x), with_int("split_size", 1)}, 2);
  CHECK(pieces.status == KDH_E_INVALID_ARGUMENT);
  CHECK(pieces.text == "aten::split.Tensor: 5 results, room for 2");
  CHECK(x.use_count() == 1);
}

TEST_CASE("a refused argument is named with what was found and the schema") {
  const at::Tensor x = at::zeros({2, 3});
  const std::string schema = "; schema: aten::softmax.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor";
  struct Case {
    std::vector<kdh_arg> args;
    std::string text;
  };
  const std::vector<double> halves{0.5, 1.0};
  const std::vector<Case> cases{
      {{with_tensor("self", x), with_text("dim", "x")}, "argument 'dim' must be int, found string 'x'"},
      {{with_tensor("self", x), with_float("dim", 0.5)}, "argument 'dim' must be int, found float 0.5"},
      {{with_tensor("self", x), with_floats("dim", halves)}, "argument 'dim' must be int, found float list [0.5, 1]"},
      {{with_tensor("self", x), with_tensor("dim", x)}, "argument 'dim' must be int, found float32 [2, 3] on cpu"},
      {{with_tensor("self", x), argument("dim", KDH_T_NONE)}, "argument 'dim' must be int, found nothing"},
      {{with_int("self", 3), with_int("dim", 0)}, "argument 'self' must be Tensor, found int 3"},
      {{with_tensor("self", x), with_int("dim", 0), with_int("dtype", 99)},
       "argument 'dtype' must be ScalarType?, found int 99"},
      {{with_tensor("self", x)}, "argument 'dim' is missing"},
      {{with_tensor("self", x), with_int("dimm", 0)}, "argument 'dim' is missing or misspelt"},
      {{with_tensor("self", x), with_int("dim", 0), with_int("axis", 0)}, "unknown argument 'axis'"},
      {{with_tensor("self", x), with_int("dim", 0), with_int("dim", 1)}, "argument 'dim' is given twice"},
  };
  for (const Case& one : cases) {
    const OperatorResult result = call_operator("aten::softmax", "int", one.args);
    CHECK(result.status == KDH_E_INVALID_ARGUMENT);
    CHECK(result.text == "aten::softmax.int: " + one.text + schema);
  }
}

TEST_CASE("an operator that does not exist is answered with its overloads or the nearest name") {
  const OperatorResult overload = call_operator("aten::softmax", "Tensor", {});
  CHECK(overload.status == KDH_E_NOT_FOUND);
  CHECK_THAT(overload.text,
             Catch::Contains("has no operator 'aten::softmax' with overload 'Tensor'; it has 'int', 'int_out'"));
  const OperatorResult name = call_operator("aten::sotfmax", "int", {});
  CHECK(name.status == KDH_E_NOT_FOUND);
  CHECK_THAT(name.text, Catch::Contains("has no operator 'aten::sotfmax'; Did you mean 'aten::softmax'?"));
}

TEST_CASE("what LibTorch itself refuses comes back as its text without a stack trace") {
  const OperatorResult result =
      call_operator("aten::mm", "", {with_tensor("self", at::zeros({2, 3})), with_tensor("mat2", at::zeros({2, 3}))});
  CHECK(result.status == KDH_E_TORCH);
  CHECK(result.text == "mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)");
}

TEST_CASE("a random operator is seeded by the call it belongs to, and others leave the generator alone") {
  const at::Tensor x = at::ones({64});
  const auto drop = [&] {
    return call_operator("aten::dropout", "", {with_tensor("input", x), with_float("p", 0.5), with_bool("train", true)})
        .tensors[0];
  };
  arm_random(17, at::kCPU);
  const at::Tensor first = drop();
  const at::Tensor second = drop();
  arm_random(17, at::kCPU);
  CHECK(at::equal(drop(), first));
  CHECK_FALSE(at::equal(first, second));

  arm_random(18, at::kCPU);
  const uint64_t before = at::globalContext().defaultGenerator(at::kCPU).current_seed();
  call_operator("aten::relu", "", {with_tensor("self", x)});
  CHECK(at::globalContext().defaultGenerator(at::kCPU).current_seed() == before);
  call_operator("aten::rand", "", {with_ints("size", {2})});
  CHECK(at::globalContext().defaultGenerator(at::kCPU).current_seed() != before);
}

TEST_CASE("a generator given by name is the one that is drawn from") {
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
  kdh_arg given = argument("generator", KDH_T_GENERATOR);
  given.value.u.generator = reinterpret_cast<kdh_generator>(&generator);
  const auto draw = [&] {
    arm_random(5, at::kCPU);
    return call_operator("aten::rand", "generator", {with_ints("size", {4}), given}).tensors[0];
  };
  const at::Tensor first = draw();
  REQUIRE(first.defined());
  CHECK(at::equal(first, draw()));
}

TEST_CASE("a resolved operator runs as one called by name") {
  const kdh_host& host = host_table();
  const void* handle = nullptr;
  REQUIRE(host.op_resolve(&host, "aten::relu", "", &handle) == KDH_OK);
  const at::Tensor x = at::rand({3}) - 0.5;
  const kdh_arg self = with_tensor("self", x);
  kdh_value result{};
  uint64_t count = 0;
  REQUIRE(host.op_run(&host, handle, &self, 1, &result, 1, &count) == KDH_OK);
  CHECK(at::equal(take(result.u.tensor), x.relu()));
  CHECK(host.op_run(&host, nullptr, &self, 1, &result, 1, &count) == KDH_E_INVALID_ARGUMENT);
  CHECK(host_error() == "an operator was run that was not resolved");
}

}  // namespace
}  // namespace kdhost
