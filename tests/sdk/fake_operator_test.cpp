// SPDX-License-Identifier: MIT
// The operators of the fake host (<kdhost/testing.hpp>) against LibTorch, over the rows of operator_rows.hpp that it
// offers.
#include <catch2/catch.hpp>
#include <kdhost/testing.hpp>
#include <set>

#include "sdk/operator_rows.hpp"

namespace operator_rows {

kdhost::Tensor to_sdk(const at::Tensor& t) {
  const at::Tensor flat = t.detach().to(at::kDouble).contiguous();
  const double* p = flat.data_ptr<double>();
  return kdhost::testing::tensor(std::vector<double>(p, p + flat.numel()), t.sizes().vec(),
                                 static_cast<kdhost::Dtype>(t.scalar_type()));
}
at::Tensor from_sdk(const kdhost::Tensor& t) {
  std::vector<double> v = kdhost::testing::values(t);
  return at::from_blob(v.data(), t.shape(), at::kDouble).clone().to(static_cast<at::ScalarType>(t.dtype()));
}
kdhost::Generator sdk_generator() {
  static kdhost::Stream stream(1);
  return {reinterpret_cast<kdh_generator>(&stream)};
}

}  // namespace operator_rows

namespace {

using namespace operator_rows;

// Other generators draw other numbers.
const std::set<std::string>& random_rows() {
  static const std::set<std::string> names{"rand",     "randn",     "rand_like", "randn_like",  "randint",
                                           "randperm", "bernoulli", "dropout",   "multinomial", "feature_dropout"};
  return names;
}

}  // namespace

TEST_CASE("what the fake host computes agrees with LibTorch, and what it lacks it refuses by name") {
  kdhost::testing::fake_host();
  Rows rows;
  for (auto* add : {add_pointwise_rows, add_reduction_rows, add_linear_algebra_rows, add_shape_rows, add_indexing_rows,
                    add_loss_rows, add_network_rows, add_creation_rows}) {
    add(rows);
  }
  std::size_t offered = 0;
  for (const Row& row : rows) {
    if (random_rows().count(row.name) != 0) continue;
    INFO("row: " << row.name);
    generator().set_current_seed(3);
    AtTensors inputs;
    for (const In& in : row.inputs) inputs.push_back(draw(in));
    AtTensors own;
    try {
      own = row.through_abi(to_sdk(inputs));
    } catch (const std::invalid_argument& e) {
      CHECK(std::string(e.what()).find("fake host") != std::string::npos);
      continue;
    }
    ++offered;
    const AtTensors direct = row.direct(inputs);
    REQUIRE(own.size() == direct.size());
    for (std::size_t i = 0; i < own.size(); ++i) {
      INFO("LibTorch: " << direct[i] << "\nfake host: " << own[i]);
      CHECK(own[i].scalar_type() == direct[i].scalar_type());
      REQUIRE(own[i].sizes() == direct[i].sizes());
      const double tolerance = direct[i].scalar_type() == at::kFloat ? 1e-6 : 1e-10;
      CHECK(at::allclose(own[i].to(at::kDouble), direct[i].to(at::kDouble), tolerance, tolerance, true));
    }
  }
  CHECK(offered >= 150);
}
