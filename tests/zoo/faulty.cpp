// SPDX-License-Identifier: MIT
// A plugin written on the C interface alone, broken in one way at a time: CMakeLists.txt builds it once for each
// ZOO_* switch. Without a switch it is whole. The record is written by hand, as a plugin built without the recorder
// has it, unless ZOO_COMPONENT_LINES adds lines.
#include <kdhost/abi.h>

#include <exception>  // nothing heavier: this file is compiled some fifty times

#ifndef ZOO_NAME
#define ZOO_NAME "zoo.faulty"
#endif
#ifndef ZOO_VERSION
#define ZOO_VERSION "1.0.0"
#endif
#ifndef ZOO_ID
#define ZOO_ID "zoo.faulty"
#endif
#ifndef ZOO_ABI
#define ZOO_ABI "1.0"
#endif
#ifndef ZOO_TIER
#define ZOO_TIER "portable"
#endif
#ifndef ZOO_FINGERPRINT
#define ZOO_FINGERPRINT ""
#endif
#ifndef ZOO_COMPONENT_LINES
#define ZOO_COMPONENT_LINES ""
#endif
#ifndef ZOO_RECORD
#define ZOO_RECORD                                                                                             \
  KDH_RECORD_MAGIC " abi=" ZOO_ABI " tier=" ZOO_TIER " name=" ZOO_NAME " version=" ZOO_VERSION ZOO_FINGERPRINT \
                   " built_with=hand\n" ZOO_COMPONENT_LINES
#endif

#ifndef ZOO_NO_RECORD
extern "C" __attribute__((section(KDH_RECORD_SECTION), used, aligned(1))) const char zoo_record[] = ZOO_RECORD;
#endif

#ifdef ZOO_UNDEFINED_SYMBOL
extern "C" int zoo_nobody_defines_this();
#endif

#ifdef ZOO_EXPORTS_MORE
extern "C" KDH_EXPORT int zoo_helper() { return 1; }
#endif
#ifdef ZOO_TORCH_LIBRARY
// What TORCH_LIBRARY leaves in a file: the constructor of a class of LibTorch, undefined.
namespace torch {
class Library {
 public:
  explicit Library(int);
};
}  // namespace torch
#endif
#ifdef ZOO_WEAK_ENTRY
#define ZOO_ENTRY KDH_EXPORT __attribute__((weak))
#else
#define ZOO_ENTRY KDH_EXPORT
#endif

namespace {

template <std::size_t N>
constexpr kdh_str text(const char (&literal)[N]) {
  return {literal, N - 1};
}

#ifdef ZOO_CREATES
// The mean of the student's logits by one operator of the host.
kdh_status compute(void*, const kdh_call* call, kdh_tensor* out) {
#ifdef ZOO_SILENT_ERROR
  if (call->n_inputs == 0) return KDH_E_PLUGIN;
#endif
  kdh_arg self{};
  self.name = text("self");
  self.value = call->inputs[0].value;
  kdh_value result{};
  uint64_t n = 0;
  const kdh_status status = call->host->op_call(call->host, "aten::mean", "", &self, 1, &result, 1, &n);
  *out = result.u.tensor;
  return status;
}
#endif

kdh_status create(const kdh_component*, [[maybe_unused]] const kdh_create* how, [[maybe_unused]] void** self,
                  [[maybe_unused]] const void** vtable) {
#ifdef ZOO_CREATES
  [[maybe_unused]] static kdh_loss table{sizeof(kdh_loss), compute};
  static int anything = 0;
#ifdef ZOO_SHORT_TABLE
  table.struct_size = sizeof(uint64_t);
#elif defined(ZOO_ODD_TABLE)
  table.struct_size = 1000001;
#elif defined(ZOO_NULL_COMPUTE)
  table.compute = nullptr;
#elif defined(ZOO_PICKY_HOST)
  if (how->struct_size != sizeof(kdh_create)) {
    return how->host->set_error(how->host, KDH_E_UNSUPPORTED, text("an unknown host"));
  }
#endif
  *self = &anything;
#ifndef ZOO_NULL_TABLE
  *vtable = &table;
#endif
  return KDH_OK;
#elif defined(ZOO_UNDEFINED_SYMBOL)
  return zoo_nobody_defines_this();
#elif defined(ZOO_TORCH_LIBRARY)
  static const torch::Library library(1);
  return KDH_OK;
#else
  return KDH_E_UNSUPPORTED;
#endif
}

void destroy(void*) {}

kdh_param make_param() {
  kdh_param p{};
  p.name = text("temperature");
  p.type = KDH_T_FLOAT;
  p.default_value.type = KDH_T_FLOAT;
  p.default_value.u.f = 4.0;
  p.min = 0.0;
  p.max = __builtin_nan("");
#ifndef ZOO_UNDOCUMENTED
  p.doc = text("divides the logits");
#endif
#ifdef ZOO_REVERSED_RANGE
  p.flags = KDH_PARAM_REQUIRED;
  p.default_value.type = KDH_T_NONE;
  p.min = 5.0;
  p.max = 1.0;
#endif
#ifdef ZOO_SAME_CHOICE_TWICE
  static const kdh_str choices[] = {text("a"), text("a")};
  p.type = p.default_value.type = KDH_T_STRING;
  p.default_value.count = 1;
  p.default_value.u.s = choices[0].data;
  p.choices = choices;
  p.n_choices = 2;
#endif
#ifdef ZOO_CHOICES_OF_NUMBER
  static const kdh_str numbers[] = {text("1"), text("2")};
  p.choices = numbers;
  p.n_choices = 2;
#endif
#ifdef ZOO_DEFAULT_OUT_OF_RANGE
  p.default_value.u.f = -1.0;
#endif
#ifdef ZOO_DEFAULT_OF_OTHER_TYPE
  p.default_value.type = KDH_T_INT;
#endif
#ifdef ZOO_UNKNOWN_PARAM_TYPE
  p.type = 77;
#endif
  return p;
}

kdh_port make_port() {
  kdh_port p{};
  p.name = text("student.logits");
  p.type = KDH_T_TENSOR;
#ifndef ZOO_UNDOCUMENTED
  p.doc = text("[N, C]");
#endif
#ifdef ZOO_UNBOUND_PORT
  p.name = text("logits");
#endif
#ifdef ZOO_UNKNOWN_PORT_TYPE
  p.type = KDH_T_INT;
#endif
  return p;
}

const kdh_param* params() {
  static const kdh_param list[] = {make_param()};
  return list;
}

const kdh_port* ports() {
  static const kdh_port list[] = {make_port()};
  return list;
}

kdh_component make_component() {
  kdh_component c{};
  c.kind = KDH_KIND_LOSS;
  c.id = text(ZOO_ID);
  c.version = text("1.0.0");
  c.summary = text("a loss of the zoo");
  c.params = params();
  c.n_params = 1;
  c.param_size = sizeof(kdh_param);
  c.inputs = ports();
  c.n_inputs = 1;
  c.port_size = sizeof(kdh_port);
  c.create = create;
  c.destroy = destroy;
#ifdef ZOO_BAD_VERSION
  c.version = text("one");
#endif
#ifdef ZOO_NO_SUMMARY
  c.summary = {};
#endif
#ifdef ZOO_LONG_SUMMARY
  c.summary = text("a loss\nof the zoo");
#endif
#ifdef ZOO_NO_PORTS
  c.n_inputs = 0;
#endif
#ifdef ZOO_UNKNOWN_KIND
  c.kind = 9;
#endif
#ifdef ZOO_NULL_CREATE
  c.create = nullptr;
#endif
#ifdef ZOO_NOT_UTF8
  c.summary = text("\xff\xfe");
#endif
#ifdef ZOO_ENDLESS_TEXT
  c.summary.size = 1ull << 40;
#endif
#ifdef ZOO_NULL_TEXT
  c.summary.data = nullptr;
#endif
#ifdef ZOO_SMALL_STRIDE
  c.param_size = 16;
#endif
#ifdef ZOO_MANY_PARAMS
  c.n_params = 1ull << 50;
#endif
  return c;
}

kdh_plugin make_plugin() {
#ifdef ZOO_SAME_ID_TWICE
  static const kdh_component components[] = {make_component(), make_component()};
#else
  static const kdh_component components[] = {make_component()};
#endif
  kdh_plugin p{};
  p.magic = KDH_MAGIC;
  p.struct_size = sizeof p;
  p.abi_major = KDH_ABI_MAJOR;
  p.abi_minor = KDH_ABI_MINOR;
  p.tier = KDH_TIER_PORTABLE;
  p.name = text(ZOO_NAME);
  p.version = text(ZOO_VERSION);
  p.components = components;
  p.n_components = sizeof components / sizeof components[0];
  p.component_size = sizeof components[0];
#ifdef ZOO_BAD_MAGIC
  p.magic = 1;
#endif
#ifdef ZOO_OTHER_ABI_IN_CODE
  p.abi_major = 2;
#endif
#ifdef ZOO_SMALL_DESCRIPTION
  p.struct_size = 24;
#endif
#ifdef ZOO_OTHER_NAME_IN_CODE
  p.name = text("zoo.somebody_else");
#endif
#ifdef ZOO_NO_COMPONENTS
  p.n_components = 0;
#endif
  return p;
}

}  // namespace

#ifndef ZOO_NO_ENTRY
extern "C" ZOO_ENTRY const kdh_plugin* kdh_plugin_query(uint32_t, uint32_t) {
#ifdef ZOO_THROWS_IN_QUERY
  struct Refusal final : std::exception {
    const char* what() const noexcept override { return "not in the mood"; }
  };
  throw Refusal();
#endif
#ifdef ZOO_NULL_DESCRIPTION
  return nullptr;
#else
  static const kdh_plugin plugin = make_plugin();
  return &plugin;
#endif
}
#endif
