// SPDX-License-Identifier: MIT
// Parameters and buffers of an instance: drawn reproducibly, moved, copied, written, fingerprinted.
#include "tensor/parts.hpp"

#include <catch2/catch.hpp>

#include "boundary_values.hpp"

namespace kdhost {
namespace {

using namespace testing;

PartSpec part(std::string name, std::vector<int64_t> sizes, kdh_init init, double a = 0.0, double b = 0.0,
              PartRole role = PartRole::parameter) {
  PartSpec spec;
  spec.name = std::move(name);
  spec.sizes = std::move(sizes);
  spec.init = init;
  spec.a = a;
  spec.b = b;
  spec.role = role;
  return spec;
}

std::shared_ptr<const PartList> small_net() {
  PartSpec count = part("bn.num_batches_tracked", {}, KDH_INIT_ZEROS, 0, 0, PartRole::buffer);
  count.dtype = at::kLong;
  return std::make_shared<const PartList>(
      PartList{part("fc.weight", {4, 3}, KDH_INIT_UNIFORM, -0.5, 0.5), part("fc.bias", {4}, KDH_INIT_ZEROS),
               part("conv.weight", {2, 3, 5, 5}, KDH_INIT_NORMAL, 1.0, 0.1),
               part("bn.running_mean", {4}, KDH_INIT_ZEROS, 0, 0, PartRole::buffer), count,
               part("scale", {1}, KDH_INIT_CONSTANT, 7.0, 0, PartRole::frozen)});
}

TEST_CASE("the same seed, owner and name draw the same numbers, whatever else is declared") {
  const Parts first(small_net(), "student", 1, at::kFloat);
  const Parts again(small_net(), "student", 1, at::kFloat);
  for (std::size_t slot = 0; slot < first.size(); ++slot) CHECK(at::equal(first[slot], again[slot]));

  const auto alone =
      std::make_shared<const PartList>(PartList{part("conv.weight", {2, 3, 5, 5}, KDH_INIT_NORMAL, 1.0, 0.1)});
  CHECK(at::equal(Parts(alone, "student", 1, at::kFloat)[0], first[2]));

  CHECK_FALSE(at::equal(Parts(small_net(), "student", 2, at::kFloat)[0], first[0]));
  CHECK_FALSE(at::equal(Parts(small_net(), "loss.hint", 1, at::kFloat)[0], first[0]));
}

TEST_CASE("parts are drawn as declared") {
  const Parts parts(small_net(), "student", 3, at::kDouble);
  CHECK(parts[0].scalar_type() == at::kDouble);
  CHECK(parts[0].abs().max().item<double>() <= 0.5);
  CHECK(parts[0].std().item<double>() > 0.1);
  CHECK(parts[1].abs().max().item<double>() == 0.0);
  CHECK(std::abs(parts[2].mean().item<double>() - 1.0) < 0.05);
  CHECK(parts[4].scalar_type() == at::kLong);
  CHECK(parts[5].item<double>() == 7.0);
  CHECK(parts.count_parameters() == 12 + 4 + 150 + 1);
  CHECK(parts.trainable() == std::vector<std::size_t>{0, 1, 2});
  CHECK(parts.find("scale") == 5);
  CHECK_FALSE(parts.find("missing").has_value());
  CHECK(parts.handles()[2] == lend(parts[2]));
}

TEST_CASE("a run in float32 and one in bfloat16 start from the same numbers, rounded") {
  const Parts single(small_net(), "student", 1, at::kFloat);
  const Parts half(small_net(), "student", 1, at::kBFloat16);
  CHECK(at::equal(half[0], single[0].to(at::kBFloat16)));
}

TEST_CASE("an initial value is copied for each set of parts") {
  const at::Tensor value = at::arange(3, at::kFloat);
  PartSpec spec = part("w", {3}, KDH_INIT_VALUE);
  spec.value = value;
  const auto list = std::make_shared<const PartList>(PartList{spec});
  const Parts first(list, "m", 1, at::kFloat);
  const Parts second(list, "m", 2, at::kDouble);
  CHECK(at::equal(first[0], value));
  CHECK(first[0].data_ptr() != value.data_ptr());
  CHECK(second[0].scalar_type() == at::kDouble);
}

TEST_CASE("moving to another dtype and layout keeps the tensors themselves") {
  Parts parts(small_net(), "student", 1, at::kFloat);
  const at::Tensor weight = parts[0];
  const at::Tensor before = weight.detach().clone();
  const kdh_tensor handle = parts.handles()[0];
  parts.to(at::kCPU, at::kDouble, true);
  CHECK(parts[0].is_same(weight));
  CHECK(parts.handles()[0] == handle);
  CHECK(weight.scalar_type() == at::kDouble);
  CHECK(at::equal(weight.detach(), before.to(at::kDouble)));
  CHECK(weight.requires_grad());
  CHECK(parts[2].is_contiguous(at::MemoryFormat::ChannelsLast));
  CHECK(parts[4].scalar_type() == at::kLong);
}

TEST_CASE("a clone shares nothing, a dry copy shares parameters and copies buffers") {
  const Parts parts(small_net(), "student", 1, at::kFloat);
  const Parts clone = parts.clone("average");
  CHECK(clone.owner() == "average");
  CHECK(at::equal(clone[0], parts[0]));
  CHECK(clone[0].data_ptr() != parts[0].data_ptr());
  const Parts dry = parts.with_copied_buffers();
  CHECK(dry[0].is_same(parts[0]));
  CHECK(dry[3].data_ptr() != parts[3].data_ptr());
}

TEST_CASE("values are copied in only where the shape fits") {
  Parts parts(small_net(), "student", 1, at::kFloat);
  const at::Tensor weight = parts[0];
  parts.copy_from(0, at::ones({4, 3}, at::kDouble), "w.safetensors");
  CHECK(parts[0].is_same(weight));
  CHECK(at::equal(weight.detach(), at::ones({4, 3})));
  CHECK(error_of([&] {
          parts.copy_from(0, at::ones({4, 2}), "w.safetensors");
        }) ==
        "4: w.safetensors: tensor 'fc.weight' has shape [4, 2].\n"
        "  Expected [4, 3] as in 'student'. Give weights of the same architecture and number of classes.");
  CHECK(error_of([&] { parts.copy_from(4, at::ones({}), "w.safetensors"); }) ==
        "4: w.safetensors: tensor 'bn.num_batches_tracked' has dtype float32.\n"
        "  Expected int64 as in 'student', or another integer dtype. Convert the weights.");
  Parts other(small_net(), "teacher", 2, at::kFloat);
  parts.copy_from(other);
  for (std::size_t slot = 0; slot < parts.size(); ++slot) CHECK(at::equal(parts[slot], other[slot]));
}

TEST_CASE("written buffers change only when the writes are applied") {
  Parts parts(small_net(), "student", 1, at::kFloat);
  const at::Tensor mean = parts[3];
  parts.write_later(3, at::ones({4}));
  CHECK(parts.has_writes());
  CHECK(mean.sum().item<double>() == 0.0);
  parts.apply_writes();
  CHECK(mean.sum().item<double>() == 4.0);
  parts.write_later(3, at::zeros({4}));
  parts.discard_writes();
  parts.apply_writes();
  CHECK(mean.sum().item<double>() == 4.0);

  CHECK(error_of([&] {
          parts.write_later(0, at::zeros({4, 3}));
        }) == "5: student: write to 'fc.weight', which is a parameter; expected a part declared as a buffer.");
  CHECK(error_of([&] { parts.write_later(3, at::zeros({5})); }) ==
        "5: student: write to 'bn.running_mean' of float32 [5] on cpu, expected shape [4].");
  CHECK(error_of([&] { parts.write_later(9, at::zeros({5})); }) ==
        "5: student: write to slot 9, expected a slot below 6.");
}

TEST_CASE("the fingerprint sees any change of a buffer, and of a parameter when asked") {
  Parts parts(small_net(), "teacher", 1, at::kFloat);
  const Digest all = parts.fingerprint();
  const Digest buffers = parts.fingerprint(true);
  CHECK(parts.clone("other").fingerprint() == all);
  parts.to(at::kCPU, std::nullopt, true);
  CHECK(parts.fingerprint() == all);
  parts[3].detach()[2] = 1e-30;
  CHECK_FALSE(parts.fingerprint(true) == buffers);
  parts[3].detach()[2] = 0.0;
  CHECK(parts.fingerprint(true) == buffers);
  parts[0].detach()[1][1] += 1.0;
  CHECK(parts.fingerprint(true) == buffers);
  CHECK_FALSE(parts.fingerprint() == all);
}

TEST_CASE("gradients are wanted for all parameters but buffers and frozen ones") {
  Parts parts(small_net(), "teacher", 1, at::kFloat);
  parts.require_grad(false);
  CHECK(parts.trainable().empty());
  parts.require_grad(true);
  CHECK(parts.trainable().size() == 3);
  CHECK_FALSE(parts[5].requires_grad());
  parts.require_grad(1, false);
  CHECK(parts.trainable() == std::vector<std::size_t>{0, 2});
}

}  // namespace
}  // namespace kdhost
