/* SPDX-License-Identifier: MIT
 *
 * kdhost/abi.h: the C interface between the host and every plugin. C11 and C++17; no LibTorch, no C++ type.
 *
 * A plugin is a shared library that exports one function, kdh_plugin_query. It returns a static description of the
 * library's components; the host creates instances of them and calls them through small tables of functions.
 *
 * Rules of growth within major version 1
 *   - kdh_value, kdh_arg and kdh_str are frozen (they travel in arrays). All numbers below are frozen.
 *   - Every other struct only grows at its end and starts with struct_size, or is an array element whose stride stands
 *     beside it. A function pointer that is null, or lies beyond struct_size, is a feature that is not offered.
 *   - The host accepts a plugin of the same major version whose minor version is not newer than its own. So the host's
 *     structures are never shorter than the plugin knows; what a plugin hands over is read up to its struct_size.
 *
 * Ownership. Text and arrays are borrowed for the call unless "given" or "valid until" says otherwise. A kdh_tensor
 * that is a result is given to the receiver, who must release it; a kdh_tensor that is an argument is borrowed.
 *
 * Threads, stated at each function:  [any] any thread, also several at once · [main] the thread that sets up a run, one
 * call at a time · [train] the thread that trains, one call at a time per instance · [loader] a data thread, one call
 * at a time per instance, concurrently with [train].
 *
 * Errors. A function that can fail returns kdh_status. A plugin sets the text with kdh_host.set_error before it returns
 * a status other than KDH_OK; it says only what it knows (the host adds component, file, experiment line and step).
 */
#ifndef KDHOST_ABI_H
#define KDHOST_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KDH_EXPORT __attribute__((visibility("default")))

#define KDH_MAGIC 0x3154534f48444b00ull /* the bytes "\0KDHOST1" on a little-endian machine */

/* The version a plugin is built for, 100 * major + minor: this header's, or an older one so that older hosts take the
   plugin, too. What is newer than KDHOST_TARGET_ABI is not declared. */
#ifndef KDHOST_TARGET_ABI
#define KDHOST_TARGET_ABI 100
#elif KDHOST_TARGET_ABI < 100 || KDHOST_TARGET_ABI > 100
#error "KDHOST_TARGET_ABI is no version of the plugin ABI that this SDK knows: it knows 100 (1.0)"
#endif
#define KDH_ABI_MAJOR 1u
#define KDH_ABI_MINOR 0u
#define KDH_ABI_TEXT "1.0" /* the two numbers, for the record */

/* Enumerations are fixed-width integers with named numbers: a C enum has no fixed size. */
typedef int32_t kdh_status;
#define KDH_OK 0
#define KDH_E_INVALID_ARGUMENT 1 /* the caller's values: shape, dtype, range, name */
#define KDH_E_NOT_FOUND 2        /* an operator, interface or component of that name does not exist */
#define KDH_E_UNSUPPORTED 3
#define KDH_E_TORCH 4 /* LibTorch refused an operation; the text is LibTorch's */
#define KDH_E_PLUGIN 5
#define KDH_E_OUT_OF_MEMORY 6
#define KDH_E_DATA 7 /* a data file is missing, damaged or unreadable */

typedef uint32_t kdh_tier;
#define KDH_TIER_PORTABLE 1u /* uses only this header */
/* 2 is not used */
#define KDH_TIER_EXACT 3u /* uses LibTorch in C++; torch_fingerprint must equal the host's */

typedef uint32_t kdh_kind;
#define KDH_KIND_LOSS 1u
#define KDH_KIND_MODEL 2u
#define KDH_KIND_SCHEDULER 3u
#define KDH_KIND_DATASET 4u
#define KDH_KIND_TRANSFORM 5u
#define KDH_KIND_METRIC 6u

/* ---- values ------------------------------------------------------------------------------------------------------ */

typedef struct kdh_str { /* frozen */
  const char* data;      /* UTF-8, not NUL-terminated; may be null when size is 0 */
  uint64_t size;         /* bytes */
} kdh_str;

/* Counted reference to a host tensor; null = no tensor. Portable plugins must not look behind it. In version 1 it is a
   c10::TensorImpl*, which is what the exact tier relies on. */
typedef struct kdh_tensor_s* kdh_tensor;
typedef struct kdh_generator_s* kdh_generator; /* borrowed reference to a generator of the host */

typedef uint32_t kdh_type;
#define KDH_T_NONE 0u
#define KDH_T_TENSOR 1u
#define KDH_T_INT 2u
#define KDH_T_FLOAT 3u
#define KDH_T_BOOL 4u
#define KDH_T_STRING 5u
#define KDH_T_INT_LIST 6u
#define KDH_T_TENSOR_LIST 7u
#define KDH_T_FLOAT_LIST 8u
#define KDH_T_GENERATOR 9u
#define KDH_T_STRING_LIST 10u

typedef struct kdh_value { /* 24 bytes, frozen */
  kdh_type type;
  uint32_t reserved; /* 0 */
  uint64_t count;    /* elements of a list, bytes of a string, else 0 */
  union {
    kdh_tensor tensor;
    int64_t i; /* INT; BOOL as 0 or 1 */
    double f;
    const char* s;
    const int64_t* ints;
    const double* floats;
    const kdh_tensor* tensors; /* an element may be null */
    const kdh_str* strings;
    kdh_generator generator;
    uint64_t bits;
  } u;
} kdh_value;

typedef struct kdh_arg { /* 40 bytes, frozen */
  kdh_str name;
  kdh_value value;
} kdh_arg;

/* Element types of a tensor. */
#define KDH_DTYPE_U8 0
#define KDH_DTYPE_I8 1
#define KDH_DTYPE_I16 2
#define KDH_DTYPE_I32 3
#define KDH_DTYPE_I64 4
#define KDH_DTYPE_F16 5
#define KDH_DTYPE_F32 6
#define KDH_DTYPE_F64 7
#define KDH_DTYPE_BOOL 11
#define KDH_DTYPE_BF16 15

#define KDH_DEVICE_CPU 0
#define KDH_DEVICE_CUDA 1

typedef struct kdh_tensor_info { /* append-only; the caller sets struct_size */
  uint64_t struct_size;
  uint64_t rank;
  const int64_t* sizes;   /* valid while the tensor lives and is not resized */
  const int64_t* strides; /* in elements; valid as sizes */
  int32_t dtype;
  int32_t device_type;
  int32_t device_index; /* -1: the only one */
  int32_t requires_grad;
} kdh_tensor_info;

/* ---- what the host offers ---------------------------------------------------------------------------------------- */

typedef struct kdh_host kdh_host;

/* The backward half of custom_grad. saved and grad_out are borrowed; each grad_in[i] is given to the host, null = no
   gradient. grad_out is never null: the host fills an absent gradient with zeros. [any] */
typedef kdh_status (*kdh_backward_fn)(const kdh_host*, void* ctx, const kdh_tensor* saved, uint64_t n_saved,
                                      const kdh_tensor* grad_out, uint64_t n_out, kdh_tensor* grad_in, uint64_t n_in);

/* A piece [begin, end) of a parallel_for; it must not fail or throw, and may not call the host. [any] */
typedef void (*kdh_range_fn)(void* ctx, int64_t begin, int64_t end);

#define KDH_LOG_INFO 0
#define KDH_LOG_WARNING 1

struct kdh_host { /* append-only; lives as long as the process; all functions [any] unless said otherwise */
  uint64_t struct_size;
  uint32_t abi_major, abi_minor;
  kdh_str host_version, torch_version, torch_fingerprint;

  /* An optional table of functions by name ("kdhost.something/1"), null when this host does not have it. Each begins
     with its struct_size. What only some hosts can offer (a device's streams, other processes of a run) comes this way:
     a plugin that asks for it still loads everywhere. */
  const void* (*get_interface)(const kdh_host*, const char* id);
  void (*log)(const kdh_host*, int32_t level, kdh_str message);
  kdh_status (*set_error)(const kdh_host*, kdh_status,
                          kdh_str message); /* copies; returns the status; one text a thread */
  kdh_str (*last_error)(const kdh_host*);   /* valid until the next host call on this thread */

  kdh_tensor (*retain)(const kdh_host*, kdh_tensor); /* one more reference; null stays null */
  void (*release)(const kdh_host*, kdh_tensor);      /* null is allowed */
  kdh_status (*tensor_info)(const kdh_host*, kdh_tensor, kdh_tensor_info* out);
  kdh_status (*tensor_item)(const kdh_host*, kdh_tensor, double* out); /* one element; waits for the device */
  /* First element of a strided tensor, in device memory; elements lie at the strides of tensor_info. Reading while the
     tensor lives; writing only to a tensor this plugin has made and that needs no gradient. */
  kdh_status (*tensor_data)(const kdh_host*, kdh_tensor, void** out);
  /* A new contiguous tensor without gradient, on the device of `like` (null = CPU). data == null: not initialised;
     otherwise numel elements of `dtype` in CPU memory, copied. */
  kdh_status (*tensor_new)(const kdh_host*, int32_t dtype, const int64_t* sizes, uint64_t rank, const void* data,
                           kdh_tensor like, kdh_tensor* out);

  /* A LibTorch operator by name ("aten::mul", overload "Tensor") with named arguments; absent ones take the schema's
     default. Results are given to the caller; an operator that returns a list of tensors has that many results. More
     results than `cap`: nothing is returned and the call fails. Records gradients as LibTorch does. */
  kdh_status (*op_call)(const kdh_host*, const char* op, const char* overload, const kdh_arg* args, uint64_t n_args,
                        kdh_value* results, uint64_t cap, uint64_t* n_results);
  /* The same in two steps for operators called often; the handle is valid as long as the process. */
  kdh_status (*op_resolve)(const kdh_host*, const char* op, const char* overload, const void** handle);
  kdh_status (*op_run)(const kdh_host*, const void* handle, const kdh_arg* args, uint64_t n_args, kdh_value* results,
                       uint64_t cap, uint64_t* n_results);

  /* set: 0, 1, or -1 = ask only; returns the state before. Per thread. */
  int32_t (*grad_mode)(const kdh_host*, int32_t set);
  /* Gives `out` (computed without gradient) a history in which d out / d in comes from `backward`. `ctx` belongs to the
     host from this call on, also when the call fails or no gradient is needed: free_ctx(ctx) runs exactly once, on any
     thread. */
  kdh_status (*custom_grad)(const kdh_host*, kdh_str name, const kdh_tensor* in, uint64_t n_in, const kdh_tensor* out,
                            uint64_t n_out, const kdh_tensor* saved, uint64_t n_saved, kdh_backward_fn backward,
                            void* ctx, void (*free_ctx)(void*), kdh_tensor* result);

  /* Runs fn over [begin, end) in pieces of at least `grain` on the host's threads; returns when all are done. */
  void (*parallel_for)(const kdh_host*, int64_t begin, int64_t end, int64_t grain, kdh_range_fn fn, void* ctx);
};

/* ---- time -------------------------------------------------------------------------------------------------------- */

typedef struct kdh_moment { /* append-only; where training stands */
  uint64_t struct_size;
  int64_t step;                 /* optimizer steps finished in this stage, from 0 */
  int64_t steps;                /* optimizer steps of this stage */
  int64_t epoch;                /* from 0 */
  int64_t epochs;               /* of this stage */
  int64_t steps_per_epoch;      /* optimizer steps of one epoch */
  int64_t stage;                /* from 0 */
  double base;                  /* schedulers: the value written in the experiment; else NaN */
  const double* history;        /* validation values of the first metric, oldest first; valid for the call */
  const int64_t* history_epoch; /* the epoch after which each was measured, counted through all stages */
  uint64_t n_history;
  int32_t higher_is_better; /* of that metric: 1 or 0 */
  int32_t reserved;
} kdh_moment;

/* ---- creating an instance ---------------------------------------------------------------------------------------- */

typedef uint32_t kdh_init;
#define KDH_INIT_ZEROS 0u
#define KDH_INIT_ONES 1u
#define KDH_INIT_CONSTANT 2u /* a */
#define KDH_INIT_UNIFORM 3u  /* from a to b */
#define KDH_INIT_NORMAL 4u   /* mean a, standard deviation b */
#define KDH_INIT_VALUE 5u    /* a copy of `value` */

#define KDH_PART_PARAMETER 0u /* trained by the optimizer */
#define KDH_PART_BUFFER 1u    /* kept in checkpoints, never trained; written with kdh_call.write */
#define KDH_PART_FROZEN 2u    /* a parameter that starts without gradient */

#define KDH_PART_NO_DECAY 1u /* flag: a bias or a normalisation's scale; see optimizer.decay_norm_bias */

typedef struct kdh_part { /* append-only; the plugin sets struct_size */
  uint64_t struct_size;
  kdh_str name; /* "layer1.0.conv1.weight"; unique in the instance */
  uint32_t role;
  uint32_t flags;
  const int64_t* sizes;
  uint64_t rank;
  int32_t dtype; /* -1: the precision of the run */
  kdh_init init;
  double a, b;
  kdh_tensor value; /* KDH_INIT_VALUE; borrowed */
} kdh_part;

typedef struct kdh_shape { /* append-only; walk with kdh_create.shape_size */
  kdh_str port;            /* "student.features.0", "batch.input" */
  const int64_t* sizes;    /* dimension 0 is the batch; -1 where a size varies from batch to batch */
  uint64_t rank;
  int32_t dtype;
  uint32_t flags; /* 0 */
} kdh_shape;

typedef struct kdh_create kdh_create;
struct kdh_create { /* append-only; made by the host */
  uint64_t struct_size;
  const kdh_host* host;
  const kdh_arg* params; /* every declared parameter, checked, defaults filled in */
  uint64_t n_params;
  const kdh_shape* shapes; /* of every bound port; losses, models and transforms */
  uint64_t n_shapes, shape_size;
  /* What the run knows, and later versions may know more: "data_places" string list; "classes" int, "samples" int and
     "labels" int list once the data set is open. */
  const kdh_arg* facts;
  uint64_t n_facts;
  void* ctx;
  /* Declares a parameter or buffer; the host initialises, optimises, moves, checkpoints and exports it. *slot is its
     place in kdh_call.parts. Losses, models and transforms; only inside create. */
  kdh_status (*add_part)(const kdh_create*, const kdh_part*, uint64_t* slot);
};

/* ---- calling an instance ----------------------------------------------------------------------------------------- */

#define KDH_CALL_TRAINING 1u /* training mode: dropout acts, batch norm uses and updates batch statistics */
#define KDH_CALL_FROZEN \
  2u                    /* parts do not change between calls and no gradient is wanted: derived() keeps its results */
#define KDH_CALL_DRY 4u /* the dry batch before training: results are looked at and thrown away */

/* Makes `n` tensors from the parts of the instance; each is given to the host. */
typedef kdh_status (*kdh_derive_fn)(void* ctx, kdh_tensor* out, uint64_t n);

typedef struct kdh_call kdh_call;
struct kdh_call { /* append-only; made by the host, valid for the call */
  uint64_t struct_size;
  const kdh_host* host;
  uint32_t flags;
  uint32_t reserved;
  const kdh_arg* inputs; /* bound ports by name; an unbound optional port is absent; list ports are TENSOR_LIST */
  uint64_t n_inputs;
  const kdh_arg* params; /* as at creation, scheduled ones with the value of this step */
  uint64_t n_params;
  const kdh_tensor* parts; /* by slot; borrowed for the call. One instance may serve several sets of parts. */
  uint64_t n_parts;
  kdh_generator generator; /* of the device, seeded by (seed, step, component) before the call */
  const kdh_moment* moment;
  const uint64_t* sample_keys; /* transforms: one key a sample, made of (seed, epoch, sample index); else null */
  uint64_t n_sample_keys;
  void* ctx;
  /* Names a result: a model's output or tap, a transform's changed field, a loss's sub-term (for reports). The host
     takes a reference of its own. Twice the same name: an error. */
  kdh_status (*emit)(const kdh_call*, kdh_str name, kdh_tensor);
  /* A metric's number by name. */
  kdh_status (*emit_number)(const kdh_call*, kdh_str name, double value);
  /* 1 when the host will use a result of that name: a model may leave out what nobody wants. */
  int32_t (*wants)(const kdh_call*, kdh_str name);
  /* The new value of the buffer in `slot`, copied in after backward (in evaluation mode: after the call). */
  kdh_status (*write)(const kdh_call*, uint64_t slot, kdh_tensor value);
  /* Tensors derived from the parts (a convolution with its batch norm folded in). With KDH_CALL_FROZEN they are made
     once for each key and kept; otherwise `derive` runs every time. Results are given to the caller. */
  kdh_status (*derived)(const kdh_call*, uint64_t key, kdh_derive_fn derive, void* ctx, kdh_tensor* out, uint64_t n);
};

/* ---- one table of functions for each kind ------------------------------------------------------------------------ */

typedef struct kdh_loss { /* append-only */
  uint64_t struct_size;
  /* One scalar, given to the host. [train] */
  kdh_status (*compute)(void* self, const kdh_call*, kdh_tensor* out);
} kdh_loss;

typedef struct kdh_model { /* append-only */
  uint64_t struct_size;
  /* Emits "logits" and taps. [train]; for evaluation also from another thread, never at the same time */
  kdh_status (*forward)(void* self, const kdh_call*);
} kdh_model;

typedef struct kdh_scheduler { /* append-only */
  uint64_t struct_size;
  /* A pure function of its arguments. [any] */
  kdh_status (*value)(void* self, const kdh_moment*, const kdh_arg* params, uint64_t n_params, double* out);
} kdh_scheduler;

#define KDH_SPLIT_TRAIN 0u
#define KDH_SPLIT_VALIDATION 1u
#define KDH_SPLIT_TEST 2u

typedef struct kdh_field { /* append-only; walk with kdh_dataset_info.field_size */
  kdh_str name;            /* "input", "label" */
  int32_t dtype;           /* as stored */
  uint32_t flags;          /* 0 */
  const int64_t* sizes;    /* of one sample, without the batch dimension */
  uint64_t rank;
  double scale; /* floating-point value = stored * scale; 1 = the field keeps its dtype. 1/255 for 8-bit images */
} kdh_field;

typedef struct kdh_dataset_info { /* append-only; pointers valid as long as the instance */
  uint64_t struct_size;
  int64_t samples[3]; /* by split; 0 = no such split */
  int64_t classes;    /* 0 = no classes */
  const kdh_field* fields;
  uint64_t n_fields, field_size;
  const kdh_str* class_names; /* `classes` of them, or null */
  const kdh_str* files;       /* what was read: the host hashes them for the manifest */
  uint64_t n_files;
} kdh_dataset_info;

typedef struct kdh_dataset { /* append-only */
  uint64_t struct_size;
  /* [main] */
  kdh_status (*info)(void* self, kdh_dataset_info* out);
  /* Copies the samples at `index` of one split, in that order, into one buffer a field (out[f], n contiguous samples).
     [loader], and [main] for evaluation: must be safe from several threads at once. */
  kdh_status (*fetch)(void* self, uint32_t split, const int64_t* index, uint64_t n, void* const* out);
  /* The whole of one field of a split as one contiguous array, if it lies in memory; null result otherwise. May be
   * null. [main] */
  const void* (*resident)(void* self, uint32_t split, uint64_t field);
} kdh_dataset;

typedef struct kdh_transform { /* append-only */
  uint64_t struct_size;
  /* Inputs are the batch's fields; emits the changed ones. A function of inputs, parameters and sample_keys only.
   * [train] */
  kdh_status (*apply)(void* self, const kdh_call*);
} kdh_transform;

typedef struct kdh_metric { /* append-only */
  uint64_t struct_size;
  /* Sums over the samples of this batch, float64 [S], S the same in every call; given to the host, which adds them up:
     so a metric does not depend on how the data were cut into batches. [train] */
  kdh_status (*sums)(void* self, const kdh_call*, kdh_tensor* out);
  /* From the sums of all batches: emits numbers; the first is the metric's value. [train] */
  kdh_status (*result)(void* self, const kdh_call*, const double* sums, uint64_t n);
} kdh_metric;

/* ---- the description of a plugin --------------------------------------------------------------------------------- */

#define KDH_PARAM_REQUIRED 1u
#define KDH_PARAM_SCHEDULABLE 2u   /* read from the call, so a [[schedule]] may drive it */
#define KDH_PARAM_MIN_EXCLUSIVE 4u /* the bound itself is not allowed */
#define KDH_PARAM_MAX_EXCLUSIVE 8u
#define KDH_PARAM_PATH 16u /* a string; the host makes it absolute, seen from the file that contains it */

typedef struct kdh_param { /* append-only; walk with kdh_component.param_size */
  kdh_str name, doc;
  kdh_type type; /* INT, FLOAT, BOOL, STRING or a list of INT, FLOAT, STRING */
  uint32_t flags;
  kdh_value default_value; /* NONE when required, or when "absent" is a value */
  double min, max;         /* of a number, or of each element; NaN = unbounded */
  const kdh_str* choices;
  uint64_t n_choices;
} kdh_param;

#define KDH_PORT_OPTIONAL 1u

typedef struct kdh_port { /* append-only; walk with kdh_component.port_size */
  kdh_str name;           /* "student.logits", "teacher.features", "batch.label", "state.bank" */
  kdh_str doc;            /* shape and meaning: "[N, C]" */
  kdh_type type;          /* TENSOR or TENSOR_LIST */
  uint32_t flags;
} kdh_port;

#define KDH_COMPONENT_FIXED 1u        /* transform: the same for every sample and epoch, used in evaluation too */
#define KDH_COMPONENT_LOWER_BETTER 2u /* metric */
#define KDH_COMPONENT_TEACHER_IN_TRAINING_MODE 4u /* loss: wants the teacher's batch norm with batch statistics */
#define KDH_COMPONENT_MIXES 8u                    /* transform: mixes samples of a batch (mixup, cutmix) */

typedef struct kdh_component { /* append-only; walk with kdh_plugin.component_size */
  kdh_kind kind;
  uint32_t flags;
  kdh_str id, version, summary;
  kdh_str source;  /* paper and section, authors' code */
  kdh_str details; /* formula, variants, numerics; plain text */
  kdh_str recipe;  /* a TOML snippet to paste */
  const kdh_param* params;
  uint64_t n_params, param_size;
  const kdh_port* inputs;
  uint64_t n_inputs;
  const kdh_port* outputs; /* models: outputs and taps known without parameters; may be empty */
  uint64_t n_outputs, port_size;
  /* *vtable: the table of this kind, valid as long as *self. On failure nothing is kept. [main] */
  kdh_status (*create)(const struct kdh_component*, const kdh_create*, void** self, const void** vtable);
  void (*destroy)(void* self); /* [any] */
} kdh_component;

typedef struct kdh_plugin { /* append-only; magic, struct_size and the ABI numbers never move */
  uint64_t magic;
  uint64_t struct_size;
  uint32_t abi_major, abi_minor;
  kdh_tier tier;
  uint32_t flags;
  kdh_str name, version, vendor, license, url;
  kdh_str built_with;        /* compiler, C++ standard: for messages only */
  kdh_str torch_fingerprint; /* tier exact: "torch=2.13.0 cxx11abi=1 cuda=none" */
  const kdh_component* components;
  uint64_t n_components, component_size;
} kdh_plugin;

/* The one exported symbol. Returns a static description, valid as long as the process; must not touch LibTorch, print,
   start threads or fail. [any] */
typedef const kdh_plugin* (*kdh_plugin_query_fn)(uint32_t host_abi_major, uint32_t host_abi_minor);
#define KDH_ENTRY_SYMBOL "kdh_plugin_query"

/* ELF section with the plugin's text record, read from the file before any of its code runs (sdk/README.md, "The
 * record"). */
#define KDH_RECORD_SECTION ".kdhost"
#define KDH_RECORD_MAGIC "KDHOST1"

#ifdef __cplusplus
}
#endif
#endif /* KDHOST_ABI_H */
