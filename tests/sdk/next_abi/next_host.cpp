// SPDX-License-Identifier: MIT
// A host of ABI 1.1 for tests/sdk/next_abi.cmake, compiled against that test's copy of the SDK: loads a plugin, calls a
// loss of it on [[1, 2], [3, 4]], with every parameter at its default, and prints the value.
//   host PLUGIN.so ID
#include <dlfcn.h>
#include <kdhost/testing.hpp>

#include <cstdio>

using namespace kdhost;
static_assert(KDH_ABI_MINOR == 1 && sizeof(kdh_param) > 96, "the SDK of this test is that of ABI 1.1");

namespace {

int run(const char* file, std::string_view id) {
  void* library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(dlerror());
  const auto query = reinterpret_cast<kdh_plugin_query_fn>(dlsym(library, KDH_ENTRY_SYMBOL));
  const kdh_plugin& plugin = *query(KDH_ABI_MAJOR, KDH_ABI_MINOR);
  const auto at = [](const void* first, std::uint64_t i, std::uint64_t stride) {
    return static_cast<const void*>(static_cast<const char*>(first) + i * stride);
  };
  kdh_host host = testing::fake_host();
  host.added_number = [](const kdh_host*) { return 100.0; };
  const Tensor x = testing::tensor({1, 2, 3, 4}, {2, 2});
  for (std::uint64_t i = 0; i < plugin.n_components; ++i) {
    const auto& c = *static_cast<const kdh_component*>(at(plugin.components, i, plugin.component_size));
    if (detail::view(c.id) != id) continue;
    std::vector<kdh_arg> params;
    for (std::uint64_t k = 0; k < c.n_params; ++k) {
      const auto& p = *static_cast<const kdh_param*>(at(c.params, k, c.param_size));
      // What a plugin does not know is not read.
      const bool has_unit = c.param_size >= offsetof(kdh_param, unit) + sizeof p.unit;
      std::printf("%.*s%s ", static_cast<int>(p.name.size), p.name.data, has_unit ? " with a unit" : "");
      params.push_back({p.name, p.default_value});
    }
    kdh_create create{};
    create.struct_size = sizeof create;
    create.host = &host;
    create.params = params.data();
    create.n_params = params.size();
    create.shape_size = sizeof(kdh_shape);
    void* self = nullptr;
    const void* table = nullptr;
    detail::check(c.create(&c, &create, &self, &table));
    std::vector<kdh_arg> inputs;
    for (const char* port : {"student.logits", "teacher.logits"}) inputs.push_back({detail::str(port), detail::val(x)});
    kdh_call call{};
    call.struct_size = sizeof call;
    call.host = &host;
    call.inputs = inputs.data();
    call.n_inputs = inputs.size();
    call.params = params.data();
    call.n_params = params.size();
    call.emit = [](const kdh_call*, kdh_str, kdh_tensor) -> kdh_status { return KDH_OK; };
    kdh_tensor out = nullptr;
    detail::check(static_cast<const kdh_loss*>(table)->compute(self, &call, &out));
    std::printf("%g\n", Tensor::adopt(out).item());
    c.destroy(self);
    return 0;
  }
  throw std::runtime_error("no such component");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return argc == 3 ? run(argv[1], argv[2]) : 2;
  } catch (const std::exception& e) {
    std::printf("%s\n", e.what());
    return 1;
  }
}
