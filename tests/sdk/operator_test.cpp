// SPDX-License-Identifier: MIT
// Every function of <kdhost/ops.hpp> against LibTorch called directly: values, dtypes and gradients, bit for bit. The
// rows are in operator_rows_*.cpp; the last test reads the headers and proves that no operator was left out.
#include <ATen/core/grad_mode.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <kdhost_test_paths.hpp>
#include <regex>
#include <set>

#include "differences.hpp"
#include "sdk/operator_rows.hpp"
#include "tensor/handle.hpp"
#include "tensor/host_table.hpp"

namespace operator_rows {

kdhost::Tensor to_sdk(const at::Tensor& t) { return kdhost::Tensor::adopt(kdhost::give(at::Tensor(t))); }
at::Tensor from_sdk(const kdhost::Tensor& t) { return kdhost::tensor(t.get()); }
kdhost::Generator sdk_generator() { return {reinterpret_cast<kdh_generator>(&generator())}; }

}  // namespace operator_rows

namespace {

using namespace operator_rows;
using kdhost::test::Differences;
using kdhost::test::kNoDifferences;

// "aten::add.Tensor" of every operator that the SDK has looked up in this process.
std::set<std::string>& resolved() {
  static std::set<std::string> names;
  return names;
}

kdh_status resolve_and_note(const kdh_host*, const char* op, const char* overload, const void** handle) {
  resolved().insert(*overload == '\0' ? std::string(op) : std::string(op) + "." + overload);
  return kdhost::host_table().op_resolve(&kdhost::host_table(), op, overload, handle);
}

// The real host, with a note of each operator that is looked up.
const kdh_host& noting_host() {
  static const kdh_host host = [] {
    kdh_host h = kdhost::host_table();
    h.op_resolve = resolve_and_note;
    return h;
  }();
  kdhost::detail::host = &host;
  return host;
}

struct Outcome {
  AtTensors results, gradients;
};

// Runs one side on its own copies of the inputs. The gradient is that of a sum of all results with fixed uneven
// weights.
Outcome run(const AtTensors& inputs, const std::function<AtTensors(const AtTensors&)>& side) {
  AtTensors own;
  for (const at::Tensor& t : inputs) {
    own.push_back(t.clone());
    if (t.is_floating_point()) own.back().set_requires_grad(true);
  }
  generator().set_current_seed(7);
  at::Generator hidden = at::globalContext().defaultGenerator(at::kCPU);  // of dropout, which takes no generator
  hidden.set_current_seed(7);
  Outcome o;
  o.results = side(own);
  at::Tensor sum;
  for (const at::Tensor& r : o.results) {
    if (!r.requires_grad()) continue;
    const at::Tensor weights = at::linspace(0.5, 1.5, r.numel(), r.options().requires_grad(false)).reshape(r.sizes());
    const at::Tensor part = (r * weights).sum();
    sum = sum.defined() ? sum + part.to(sum.scalar_type()) : part;
  }
  if (sum.defined()) sum.backward();
  for (const at::Tensor& t : own) o.gradients.push_back(t.grad());
  return o;
}

Outcome run_through_abi(const AtTensors& inputs, const Row& row) {
  return run(inputs, [&row](const AtTensors& own) { return row.through_abi(operator_rows::to_sdk(own)); });
}

bool same(const at::Tensor& a, const at::Tensor& b) {
  if (a.defined() != b.defined()) return false;
  if (!a.defined()) return true;
  if (a.scalar_type() != b.scalar_type() || a.sizes() != b.sizes() || a.strides() != b.strides()) return false;
  return at::equal(a, b) || (a.is_floating_point() && at::allclose(a, b, 0.0, 0.0, /*equal_nan=*/true));
}

/// The results and gradients of the rows that differ.
Differences wrong_rows(void (*add)(Rows&)) {
  Rows rows;
  add(rows);
  Differences wrong;
  for (const Row& row : rows) {
    noting_host();
    generator().set_current_seed(3);
    AtTensors inputs;
    for (const In& in : row.inputs) inputs.push_back(draw(in));
    const Outcome direct = run(inputs, row.direct);
    const Outcome abi = run_through_abi(inputs, row);
    if (direct.results.size() != abi.results.size()) wrong.push_back(row.name + ": the number of results");
    for (std::size_t i = 0; i < std::min(direct.results.size(), abi.results.size()); ++i)
      if (!same(direct.results[i], abi.results[i])) wrong.push_back(row.name + ": result " + std::to_string(i));
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (!same(direct.gradients[i], abi.gradients[i]))
        wrong.push_back(row.name + ": gradient of input " + std::to_string(i));
  }
  return wrong;
}

}  // namespace

TEST_CASE("element-wise operators equal LibTorch's in value and gradient") {
  CHECK(wrong_rows(add_pointwise_rows) == kNoDifferences);
}
TEST_CASE("reductions equal LibTorch's in value and gradient") {
  CHECK(wrong_rows(add_reduction_rows) == kNoDifferences);
}
TEST_CASE("linear algebra equals LibTorch's in value and gradient") {
  CHECK(wrong_rows(add_linear_algebra_rows) == kNoDifferences);
}
TEST_CASE("changes of shape equal LibTorch's in value and gradient") {
  CHECK(wrong_rows(add_shape_rows) == kNoDifferences);
}
TEST_CASE("indexing equals LibTorch's in value and gradient") {
  CHECK(wrong_rows(add_indexing_rows) == kNoDifferences);
}
TEST_CASE("loss functions equal LibTorch's in value and gradient with every reduction") {
  CHECK(wrong_rows(add_loss_rows) == kNoDifferences);
}
TEST_CASE("network operators equal LibTorch's in value and gradient") {
  CHECK(wrong_rows(add_network_rows) == kNoDifferences);
}
TEST_CASE("new tensors and random draws equal LibTorch's from the same generator") {
  CHECK(wrong_rows(add_creation_rows) == kNoDifferences);
}

TEST_CASE("an operator that gives another number than LibTorch is noticed") {
  Rows rows;
  add_row(
      rows, "exp and a little more", {N({3})}, [](const auto& x) { return at::exp(x[0]); },
      [](const auto& x) { return kdhost::exp(x[0]) + 1e-15; });
  noting_host();
  const AtTensors inputs{at::zeros({3}, at::kDouble)};
  CHECK_FALSE(same(run(inputs, rows[0].direct).results[0], run_through_abi(inputs, rows[0]).results[0]));
}

TEST_CASE("every operator named in the SDK's headers is called by this test, and there are at least 130 functions") {
  for (auto* add : {add_pointwise_rows, add_reduction_rows, add_linear_algebra_rows, add_shape_rows, add_indexing_rows,
                    add_loss_rows, add_network_rows, add_creation_rows}) {
    CHECK(wrong_rows(add) == kNoDifferences);
  }
  const std::regex looked_up(R"re(\b\w+\("(aten::\w+)"(?:,\s*"(\w+)")?\))re");
  const std::regex defined(R"re((?:^|\n)inline \w+ (\w+)\()re");
  std::set<std::string> functions, missing;
  std::size_t operators = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(kdhost::test::kSourceDir) + "/sdk/include/kdhost/ops")) {
    std::ifstream in(entry.path());
    const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    for (std::sregex_iterator m(text.begin(), text.end(), looked_up), end; m != end; ++m) {
      const std::string name = (*m)[2].matched ? (*m)[1].str() + "." + (*m)[2].str() : (*m)[1].str();
      ++operators;
      if (resolved().count(name) == 0) missing.insert(name);
    }
    for (std::sregex_iterator m(text.begin(), text.end(), defined), end; m != end; ++m) functions.insert((*m)[1].str());
  }
  std::string list;
  for (const std::string& name : missing) list += name + " ";
  INFO("not called: " << list);
  CHECK(missing.empty());
  CHECK(functions.size() >= 130);
  CHECK(operators >= functions.size() - 12);  // a few functions are made of others
}
