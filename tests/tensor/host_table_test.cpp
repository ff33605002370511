// SPDX-License-Identifier: MIT
// The other functions of kdh_host: references, memory, errors, threads.
#include <catch2/catch.hpp>

#include <atomic>
#include <cstring>
#include <numeric>

#include "boundary_values.hpp"

namespace kdhost {
namespace {

const kdh_host& table = host_table();

TEST_CASE("a handle is the tensor itself: lending counts nothing, giving and taking one reference") {
  at::Tensor x = at::zeros({2});
  const kdh_tensor lent = lend(x);
  CHECK(x.use_count() == 1);
  const kdh_tensor kept = table.retain(&table, lent);
  CHECK(kept == lent);
  CHECK(x.use_count() == 2);
  table.release(&table, kept);
  CHECK(x.use_count() == 1);
  const kdh_tensor given = give(std::move(x));
  const at::Tensor back = take(given);
  CHECK(back.use_count() == 1);
  CHECK(lend(at::Tensor()) == nullptr);
  CHECK_FALSE(take(nullptr).defined());
  CHECK_FALSE(tensor(nullptr).defined());
  CHECK(table.retain(&table, nullptr) == nullptr);
  table.release(&table, nullptr);
}

TEST_CASE("tensor_info tells shape, strides, dtype and device, and never writes past the caller's struct") {
  const at::Tensor x = at::zeros({2, 3}, at::kDouble).t();
  kdh_tensor_info info{};
  info.struct_size = sizeof info;
  REQUIRE(table.tensor_info(&table, lend(x), &info) == KDH_OK);
  CHECK(info.rank == 2);
  CHECK(info.sizes[0] == 3);
  CHECK(info.strides[0] == 1);
  CHECK(info.strides[1] == 3);
  CHECK(info.dtype == KDH_DTYPE_F64);
  CHECK(info.device_type == KDH_DEVICE_CPU);
  CHECK(info.requires_grad == 0);

  kdh_tensor_info old{};
  old.struct_size = offsetof(kdh_tensor_info, requires_grad);
  old.requires_grad = 77;
  REQUIRE(table.tensor_info(&table, lend(x), &old) == KDH_OK);
  CHECK(old.requires_grad == 77);
  CHECK(old.rank == 2);

  CHECK(table.tensor_info(&table, nullptr, &info) == KDH_E_INVALID_ARGUMENT);
  CHECK(host_error() == "no tensor was given");
}

TEST_CASE("tensor_new copies numbers in, or leaves the memory as it is") {
  const float numbers[6] = {1, 2, 3, 4, 5, 6};
  const int64_t sizes[2] = {2, 3};
  kdh_tensor made = nullptr;
  REQUIRE(table.tensor_new(&table, KDH_DTYPE_F32, sizes, 2, numbers, nullptr, &made) == KDH_OK);
  const at::Tensor x = take(made);
  CHECK(x[1][2].item<float>() == 6.0f);
  void* memory = nullptr;
  REQUIRE(table.tensor_data(&table, lend(x), &memory) == KDH_OK);
  CHECK(std::memcmp(memory, numbers, sizeof numbers) == 0);

  REQUIRE(table.tensor_new(&table, KDH_DTYPE_I64, sizes, 1, nullptr, lend(x), &made) == KDH_OK);
  CHECK(take(made).sizes() == at::IntArrayRef({2}));
  CHECK(table.tensor_new(&table, 42, sizes, 1, nullptr, nullptr, &made) == KDH_E_INVALID_ARGUMENT);
  CHECK(host_error() == "dtype 42 is not known");
}

TEST_CASE("tensor_item gives the number of a tensor with one element and refuses others") {
  double number = 0.0;
  REQUIRE(table.tensor_item(&table, lend(at::full({1, 1}, 2.5)), &number) == KDH_OK);
  CHECK(number == 2.5);
  CHECK(table.tensor_item(&table, lend(at::zeros({2})), &number) == KDH_E_INVALID_ARGUMENT);
  CHECK(host_error() == "one number was asked of a tensor float32 [2] on cpu");
}

TEST_CASE("the text of an error is kept for this thread") {
  CHECK(table.set_error(&table, KDH_E_DATA, borrow("file x is cut short")) == KDH_E_DATA);
  CHECK(view(table.last_error(&table)) == "file x is cut short");
}

TEST_CASE("gradient mode is set, asked for and put back") {
  CHECK(table.grad_mode(&table, -1) == 1);
  CHECK(table.grad_mode(&table, 0) == 1);
  CHECK(table.grad_mode(&table, -1) == 0);
  CHECK(table.grad_mode(&table, 1) == 0);
}

TEST_CASE("parallel_for covers the range once, whatever the grain") {
  for (const int64_t grain : {0, 1, 7, 1000}) {
    std::vector<std::atomic<int>> seen(100);
    table.parallel_for(
        &table, 0, 100, grain,
        [](void* ctx, int64_t begin, int64_t end) {
          auto& marks = *static_cast<std::vector<std::atomic<int>>*>(ctx);
          for (int64_t i = begin; i < end; ++i) ++marks[static_cast<std::size_t>(i)];
        },
        &seen);
    CHECK(std::all_of(seen.begin(), seen.end(), [](const auto& mark) { return mark == 1; }));
  }
  table.parallel_for(
      &table, 5, 5, 1, [](void*, int64_t, int64_t) { FAIL("an empty range has no pieces"); }, nullptr);
}

TEST_CASE("the table tells versions and offers no interface yet") {
  CHECK(table.abi_major == KDH_ABI_MAJOR);
  CHECK(table.abi_minor == KDH_ABI_MINOR);
  CHECK(view(table.torch_fingerprint) == torch_fingerprint());
  CHECK_THAT(torch_fingerprint(), Catch::StartsWith("torch="));
  CHECK(table.get_interface(&table, "kdhost.something/1") == nullptr);
}

}  // namespace
}  // namespace kdhost
