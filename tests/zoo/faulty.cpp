// SPDX-License-Identifier: MIT
// A plugin written on the C interface alone, broken in one way at a time: CMakeLists.txt builds it once for each
// ZOO_* switch. Without a switch it is whole. The record is written by hand, as a plugin built without the recorder
// has it, unless ZOO_COMPONENT_LINES adds lines.
#include <kdhost/abi.h>

#include <cmath>
#include <stdexcept>

#ifndef ZOO_NAME
#define ZOO_NAME "zoo.faulty"
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
#define ZOO_RECORD                                                                                      \
  KDH_RECORD_MAGIC " abi=" ZOO_ABI " tier=" ZOO_TIER " name=" ZOO_NAME " version=1.0.0" ZOO_FINGERPRINT \
                   " built_with=hand\n" ZOO_COMPONENT_LINES
#endif

#ifndef ZOO_NO_RECORD
extern "C" __attribute__((section(KDH_RECORD_SECTION), used, aligned(1))) const char zoo_record[] = ZOO_RECORD;
#endif

#ifdef ZOO_UNDEFINED_SYMBOL
extern "C" int zoo_nobody_defines_this();
#endif

namespace {

template <std::size_t N>
constexpr kdh_str text(const char (&literal)[N]) {
  return {literal, N - 1};
}

kdh_status create(const kdh_component*, const kdh_create*, void**, const void**) {
#ifdef ZOO_UNDEFINED_SYMBOL
  return zoo_nobody_defines_this();
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
  p.max = std::nan("");
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
  p.version = text("1.0.0");
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
extern "C" KDH_EXPORT const kdh_plugin* kdh_plugin_query(uint32_t, uint32_t) {
#ifdef ZOO_THROWS_IN_QUERY
  throw std::runtime_error("not in the mood");
#endif
#ifdef ZOO_NULL_DESCRIPTION
  return nullptr;
#else
  static const kdh_plugin plugin = make_plugin();
  return &plugin;
#endif
}
#endif
