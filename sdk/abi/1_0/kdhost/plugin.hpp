// SPDX-License-Identifier: MIT
//
// kdhost/plugin.hpp: the one header of a portable plugin. Derive from one of six kinds, write describe(), and name the
// components in KDHOST_PLUGIN. C++17; links nothing but the C and C++ runtime. The guide is sdk/README.md.
#pragma once
#include <kdhost/call.hpp>
#include <kdhost/describe.hpp>
#include <kdhost/nn.hpp>
#include <kdhost/ops.hpp>
#include <kdhost/tensor.hpp>

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace kdhost {
inline namespace v1 {

/// A distillation or task loss. Constructors: (), (const Params&), (const Params&, const Ports&, Builder&).
struct Loss {
  virtual ~Loss() = default;
  /// One scalar; the weight of the term is the host's business. [train]
  virtual Tensor compute(const Call& c) = 0;
};

/// A network. Constructors as for Loss.
struct Model {
  virtual ~Model() = default;
  /// Sets "logits" and any taps. [train]
  virtual void forward(const Call& c, Outputs& out) = 0;
};

/// A number over time. Constructors: (), (const Params&).
struct Scheduler {
  virtual ~Scheduler() = default;
  /// A pure function of its arguments. [any]
  virtual double value(const Moment& m, const Params& p) = 0;
};

enum class Split : std::uint32_t { train = KDH_SPLIT_TRAIN, validation = KDH_SPLIT_VALIDATION, test = KDH_SPLIT_TEST };

/// One field of a sample, as stored: floating-point value = stored * scale; scale 1 keeps the dtype.
struct Field {
  std::string name;
  Dtype dtype = Dtype::f32;
  Shape shape;
  double scale = 1.0;
};

/// What a data set holds.
struct DataInfo {
  std::array<std::int64_t, 3> samples{};  ///< by Split; 0 = no such split
  std::int64_t classes = 0;               ///< 0 = no classes
  std::vector<Field> fields;              ///< "input" [C, H, W] or [D], "label" int64 []
  std::vector<std::string> class_names{};
  std::vector<std::string> files{};  ///< what was read; hashed into the run's manifest
};

/// Samples in memory or on disk. Constructors: (const Params&), (const Params&, const Facts&).
struct DataSet {
  virtual ~DataSet() = default;
  virtual const DataInfo& info() const = 0;
  /// Copies samples index[0..n) of a split into out[f], one buffer a field. Called from several threads at once.
  /// [loader]
  virtual void fetch(Split split, const std::int64_t* index, std::size_t n, void* const* out) const = 0;
  /// All samples of one field as one contiguous array, or null.
  virtual const void* resident(Split, std::size_t) const { return nullptr; }
};

/// A change of a batch, on the device. Constructors: (), (const Params&), (const Params&, const Ports&, Builder&).
struct Transform {
  virtual ~Transform() = default;
  /// Reads fields, emits the changed ones. Randomness only from c.stream(i). [train]
  virtual void apply(const Call& c) = 0;
};

/// A number that judges a model. Constructors: (), (const Params&).
struct Metric {
  virtual ~Metric() = default;
  /// Sums over this batch, float64 [S]; the host adds them over batches. [train]
  virtual Tensor sums(const Call& c) = 0;
  /// From the sums of all batches: emit_number for each result, the metric's own value first.
  virtual void result(const Call& c, const std::vector<double>& sums) = 0;
};

/// The folder that holds a named data set. With a parameter `root` (declared as a path): that folder, or one of
/// `folders` in it, and no other. Else the first "<place>/<folder>", over the
/// run's data places (fact "data_places") and then over `folders`, that has all of `files`, each as it is or with ".gz"
/// at its end. Throws DataError with the places tried and `how_to_get`.
inline std::string find_data(const Params& params, const Facts& facts, std::string_view name,
                             const std::vector<std::string>& folders, const std::vector<std::string>& files,
                             std::string_view how_to_get) {
  std::string why;  // the last folder that could not be looked into
  const auto exists = [&why](const std::string& path) {
    struct stat s {};
    if (::stat(path.c_str(), &s) == 0) return true;
    if (errno != ENOENT && errno != ENOTDIR) why = std::strerror(errno);
    return false;
  };
  std::vector<std::string> candidates;
  if (params.has("root")) {
    const std::string root(params.text("root"));
    candidates.push_back(root);
    for (const auto& f : folders) candidates.push_back(root + "/" + f);
  } else if (facts.has("data_places")) {
    for (const std::string& place : facts.texts("data_places"))
      for (const auto& f : folders) candidates.push_back(place + "/" + f);
  }
  std::string tried;
  for (const std::string& folder : candidates) {
    bool all = true;
    why.clear();
    for (const auto& f : files) all = all && (exists(folder + "/" + f) || exists(folder + "/" + f + ".gz"));
    if (all) return folder;
    tried += "\n    " + folder + (why.empty() ? "" : " (" + why + ")");
  }
  std::string wanted;
  for (const auto& f : files) wanted += (wanted.empty() ? "" : ", ") + f;
  throw DataError("data set '" + std::string(name) + "' was not found. Expected " + wanted +
                  " (or each with .gz) in one of:" + (tried.empty() ? "\n    (no folder to look in)" : tried) + "\n  " +
                  std::string(how_to_get));
}

namespace detail {

inline kdh_status loss_compute(void* self, const kdh_call* c, kdh_tensor* out) {
  return guard([&] {
    Tensor t = static_cast<Loss*>(self)->compute(Call(c));
    if (!t) throw std::runtime_error("compute() returned no tensor");
    *out = t.give();
  });
}
inline kdh_status model_forward(void* self, const kdh_call* c) {
  return guard([&] {
    const Call call(c);
    Outputs out(call);
    static_cast<Model*>(self)->forward(call, out);
  });
}
inline kdh_status scheduler_value(void* self, const kdh_moment* m, const kdh_arg* params, std::uint64_t n,
                                  double* out) {
  return guard([&] { *out = static_cast<Scheduler*>(self)->value(Moment(m), Params(params, n)); });
}
inline kdh_status transform_apply(void* self, const kdh_call* c) {
  return guard([&] { static_cast<Transform*>(self)->apply(Call(c)); });
}
inline kdh_status metric_sums(void* self, const kdh_call* c, kdh_tensor* out) {
  return guard([&] {
    Tensor t = static_cast<Metric*>(self)->sums(Call(c));
    if (!t) throw std::runtime_error("sums() returned no tensor");
    *out = t.give();
  });
}
inline kdh_status metric_result(void* self, const kdh_call* c, const double* sums, std::uint64_t n) {
  return guard([&] { static_cast<Metric*>(self)->result(Call(c), std::vector<double>(sums, sums + n)); });
}

/// A data set with its description in the C form, which must live as long as the instance.
struct HeldDataSet {
  std::unique_ptr<DataSet> data;
  std::vector<kdh_field> fields;
  std::vector<kdh_str> class_names, files;
};
inline kdh_status dataset_info(void* self, kdh_dataset_info* out) {
  return guard([&] {
    auto& h = *static_cast<HeldDataSet*>(self);
    const DataInfo& d = h.data->info();
    h.fields.clear();
    for (const Field& f : d.fields) {
      kdh_field k{};
      k.name = str(f.name);
      k.dtype = static_cast<std::int32_t>(f.dtype);
      k.sizes = f.shape.data();
      k.rank = f.shape.size();
      k.scale = f.scale;
      h.fields.push_back(k);
    }
    h.class_names.clear();
    for (const auto& s : d.class_names) h.class_names.push_back(str(s));
    h.files.clear();
    for (const auto& s : d.files) h.files.push_back(str(s));
    kdh_dataset_info i{};
    i.struct_size = sizeof i;
    for (std::size_t s = 0; s < 3; ++s) i.samples[s] = d.samples[s];
    i.classes = d.classes;
    i.fields = h.fields.data();
    i.n_fields = h.fields.size();
    i.field_size = sizeof(kdh_field);
    i.class_names = h.class_names.empty() ? nullptr : h.class_names.data();
    i.files = h.files.data();
    i.n_files = h.files.size();
    *out = i;
  });
}
inline kdh_status dataset_fetch(void* self, std::uint32_t split, const std::int64_t* index, std::uint64_t n,
                                void* const* out) {
  return guard([&] { static_cast<HeldDataSet*>(self)->data->fetch(static_cast<Split>(split), index, n, out); });
}
inline const void* dataset_resident(void* self, std::uint32_t split, std::uint64_t field) {
  return static_cast<HeldDataSet*>(self)->data->resident(static_cast<Split>(split), field);
}

inline const kdh_loss loss_table{sizeof(kdh_loss), loss_compute};
inline const kdh_model model_table{sizeof(kdh_model), model_forward};
inline const kdh_scheduler scheduler_table{sizeof(kdh_scheduler), scheduler_value};
inline const kdh_dataset dataset_table{sizeof(kdh_dataset), dataset_info, dataset_fetch, dataset_resident};
inline const kdh_transform transform_table{sizeof(kdh_transform), transform_apply};
inline const kdh_metric metric_table{sizeof(kdh_metric), metric_sums, metric_result};

/// By the richest constructor that T has.
template <class T>
std::unique_ptr<T> construct(const kdh_create* c) {
  const Params params(c->params, c->n_params);
  if constexpr (std::is_constructible_v<T, const Params&, const Ports&, Builder&>) {
    const Ports ports(c);
    Builder builder(c);
    return std::make_unique<T>(params, ports, builder);
  } else if constexpr (std::is_constructible_v<T, const Params&, const Facts&>) {
    return std::make_unique<T>(params, Facts(c->facts, c->n_facts));
  } else if constexpr (std::is_constructible_v<T, const Params&>) {
    return std::make_unique<T>(params);
  } else {
    return std::make_unique<T>();
  }
}

/// Kind, table and holder of one component type.
template <class T>
struct KindOf {
  template <class B>
  static constexpr bool is = std::is_base_of_v<B, T>;
  static_assert(is<Loss> + is<Model> + is<Scheduler> + is<DataSet> + is<Transform> + is<Metric> == 1,
                "a component derives from exactly one of Loss, Model, Scheduler, DataSet, Transform, Metric");
  using Base = std::conditional_t<
      is<Loss>, Loss,
      std::conditional_t<is<Model>, Model,
                         std::conditional_t<is<Scheduler>, Scheduler,
                                            std::conditional_t<is<DataSet>, HeldDataSet,
                                                               std::conditional_t<is<Transform>, Transform, Metric>>>>>;
  static constexpr kdh_kind number = is<Loss>        ? KDH_KIND_LOSS
                                     : is<Model>     ? KDH_KIND_MODEL
                                     : is<Scheduler> ? KDH_KIND_SCHEDULER
                                     : is<DataSet>   ? KDH_KIND_DATASET
                                     : is<Transform> ? KDH_KIND_TRANSFORM
                                                     : KDH_KIND_METRIC;
  static const void* table() {
    if constexpr (is<Loss>)
      return &loss_table;
    else if constexpr (is<Model>)
      return &model_table;
    else if constexpr (is<Scheduler>)
      return &scheduler_table;
    else if constexpr (is<DataSet>)
      return &dataset_table;
    else if constexpr (is<Transform>)
      return &transform_table;
    else
      return &metric_table;
  }
  static std::unique_ptr<Base> make(const kdh_create* c) {
    if constexpr (is<DataSet>) {
      auto held = std::make_unique<HeldDataSet>();
      held->data = construct<T>(c);
      return held;
    } else {
      return construct<T>(c);
    }
  }
};

template <class T>
const kdh_component& component() {
  static const Spec spec = [] {
    Spec s;
    T::describe(s);
    return s;
  }();
  static const kdh_component c = [] {
    kdh_component x = spec.component(KindOf<T>::number);
    x.create = [](const kdh_component*, const kdh_create* how, void** self, const void** table) -> kdh_status {
      host = how->host;
      return guard([&] {
        auto instance = KindOf<T>::make(how);
        *table = KindOf<T>::table();
        *self = instance.release();
      });
    };
    x.destroy = [](void* self) { delete static_cast<typename KindOf<T>::Base*>(self); };
    return x;
  }();
  return c;
}

template <class... T>
const kdh_plugin* plugin(std::string_view name, std::string_view version, kdh_tier tier, std::string_view built_with,
                         std::string_view fingerprint) {
  static const kdh_component components[] = {component<T>()...};
  static const kdh_plugin p = [&] {
    kdh_plugin x{};
    x.magic = KDH_MAGIC;
    x.struct_size = sizeof x;
    x.abi_major = KDH_ABI_MAJOR;
    x.abi_minor = KDH_ABI_MINOR;
    x.tier = tier;
    x.name = str(name);
    x.version = str(version);
    x.built_with = str(built_with);
    x.torch_fingerprint = str(fingerprint);
    x.components = components;
    x.n_components = sizeof...(T);
    x.component_size = sizeof(kdh_component);
    return x;
  }();
  return &p;
}

/// Room of the record for `components` components; the recorder fills what KDHOST_PLUGIN leaves free.
template <class... T>
constexpr std::size_t record_room() {
  return 1024 + 6144 * sizeof...(T);
}
}  // namespace detail
}  // namespace v1
}  // namespace kdhost

#define KDHOST_TEXT_OF(x) #x
#define KDHOST_TEXT(x) KDHOST_TEXT_OF(x)
#if defined(__clang__)
#define KDHOST_BUILT_WITH \
  "clang-" KDHOST_TEXT(__clang_major__) "." KDHOST_TEXT(__clang_minor__) "." KDHOST_TEXT(__clang_patchlevel__)
#else
#define KDHOST_BUILT_WITH \
  "gcc-" KDHOST_TEXT(__GNUC__) "." KDHOST_TEXT(__GNUC_MINOR__) "." KDHOST_TEXT(__GNUC_PATCHLEVEL__)
#endif
// Redefined by <kdhost/exact.hpp>.
#define KDHOST_TIER_NUMBER KDH_TIER_PORTABLE
#define KDHOST_TIER_TEXT "portable"
#define KDHOST_FINGERPRINT ""
#define KDHOST_FINGERPRINT_FIELD ""

// clang-format off
#if defined(__has_attribute)
#if __has_attribute(retain)
#define KDHOST_RECORD_ATTRIBUTES __attribute__((section(KDH_RECORD_SECTION), used, retain, aligned(1)))
#endif
#endif
#ifndef KDHOST_RECORD_ATTRIBUTES
#define KDHOST_RECORD_ATTRIBUTES __attribute__((section(KDH_RECORD_SECTION), used, aligned(1)))
#endif
// clang-format on

/// KDHOST_PLUGIN("name", "1.0.0", Component, ...): once in a plugin. Defines its one exported function, and the record
/// that the host reads from the file before any code of the plugin runs.
#define KDHOST_PLUGIN(name, version, ...)                                                                   \
  extern "C" KDHOST_RECORD_ATTRIBUTES const char kdh_record[::kdhost::detail::record_room<__VA_ARGS__>()] = \
      KDH_RECORD_MAGIC " abi=" KDH_ABI_TEXT " tier=" KDHOST_TIER_TEXT " name=" name                         \
                       " version=" version KDHOST_FINGERPRINT_FIELD " built_with=" KDHOST_BUILT_WITH "\n";  \
  extern "C" KDH_EXPORT const kdh_plugin* kdh_plugin_query(std::uint32_t, std::uint32_t) {                  \
    return ::kdhost::detail::plugin<__VA_ARGS__>(name, version, KDHOST_TIER_NUMBER, KDHOST_BUILT_WITH,      \
                                                 KDHOST_FINGERPRINT);                                       \
  }
