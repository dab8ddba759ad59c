/* Part of the QDialect project, under the Apache License v2.0 with LLVM
 * Exceptions. See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The C ABI of a compiled model.
 *
 *   qd_model *model = NULL;
 *   qd_status status = qd_model_create(NULL, &model);
 *   const void *inputs[] = {image};
 *   void *outputs[] = {logits};
 *   if (status == QD_OK)
 *     status = qd_model_run(model, inputs, outputs);
 *   qd_model_destroy(model);
 *
 * Tensors are contiguous and row-major. A pointer needs the alignment of its
 * element type only; QD_ALIGNMENT is the fastest. Inputs are never written.
 * An output may not overlap an input or another output.
 *
 * Reentrancy: every function may be called from any thread. One qd_model serves
 * one caller at a time (a second one gets QD_BUSY); several qd_models, of one
 * or of different libraries, run side by side. A qd_model owns its worker
 * threads and its scratch memory; the weights are shared by all of them.
 *
 * Results do not depend on the number of threads nor on the caller's
 * floating-point environment, which is restored on return.
 */
#ifndef QD_MODEL_H
#define QD_MODEL_H

#ifndef QDIALECT_MODEL_ABI
#define QDIALECT_MODEL_ABI 7

#include <stddef.h>
#include <stdint.h>

#define QD_ALIGNMENT 64
#define QD_MOST_REPEATS 65535 /* of a qd_device's launch */

typedef enum qd_status {
  QD_OK = 0,
  QD_INVALID_ARGUMENT = 1, /* a null pointer, or an option out of range */
  QD_OUT_OF_MEMORY = 2,
  QD_UNSUPPORTED_CPU = 3,    /* no code in this library runs on this machine, or
                                the variant asked for (options, QDIALECT_CPU) is
                                not in the library or not possible here */
  QD_THREAD_FAILURE = 4,     /* the operating system gave no more threads */
  QD_BUSY = 5,               /* another caller is inside this qd_model */
  QD_SHAPE_MISMATCH = 6,     /* a size that the model does not take; see
                                qd_model_error */
  QD_UNSUPPORTED_DEVICE = 7, /* no code in this library runs on the GPU, there
                                is no GPU or no driver (libcuda.so.1), or the
                                variant asked for is not in the library */
  QD_DEVICE_FAILURE = 8      /* the GPU; see qd_model_error */
} qd_status;

/* Element types; the values never change. */
typedef enum qd_dtype {
  QD_I1 = 0, /* one byte, 0 or 1 */
  QD_I8 = 1,
  QD_U8 = 2,
  QD_I16 = 3,
  QD_U16 = 4,
  QD_I32 = 5,
  QD_U32 = 6,
  QD_I64 = 7,
  QD_U64 = 8,
  QD_F16 = 9,
  QD_BF16 = 10,
  QD_F32 = 11,
  QD_F64 = 12
} qd_dtype;

typedef struct qd_tensor_info {
  const char *name;
  int32_t dtype; /* qd_dtype */
  int32_t rank;
  const int64_t *dims;          /* -1 for a symbolic one */
  uint64_t bytes;               /* 0 if there is one */
  const char *const *dim_names; /* of the symbolic ones ("batch", "2 * seq"),
                                   NULL for the others; NULL if all are */
  const char *codes; /* what each byte is a code of ("int4", "float8e4m3fn"),
                        NULL where dtype says all */
} qd_tensor_info;

/* A dimension whose size is known only when the model runs. */
typedef struct qd_symbol {
  const char *name;
  int64_t low, high; /* the sizes it may have */
  int64_t step;      /* and only multiples of this */
  int32_t computed;  /* not 0: the model computes it from data (how many boxes
                        it found); 0: it is a size of an input */
} qd_symbol;

typedef struct qd_info {
  uint32_t abi_version; /* QDIALECT_MODEL_ABI of the library */
  uint32_t alignment;   /* QD_ALIGNMENT of the library */
  const char *prefix;   /* of the entry points */
  uint32_t num_inputs;
  uint32_t num_outputs;
  uint32_t num_steps;    /* of the profile */
  uint32_t num_variants; /* CPU variants, best first */
  const qd_tensor_info *inputs;
  const qd_tensor_info *outputs;
  const char *const *step_names;
  const char *const *variants;
  const char *receipt; /* JSON, receipt_size bytes, then a zero byte */
  uint64_t receipt_size;
  uint64_t scratch_bytes; /* memory that every qd_model allocates; 0 if that
                             depends on symbols */
  uint64_t weights_bytes;
  uint32_t num_symbols;
  const qd_symbol *symbols; /* those of inputs first */
} qd_info;

/* What a library for GPUs needs of one. Functions that give an int32_t give 0
 * where they succeed; addresses are the device's own. Calls may come from any
 * thread. */
typedef struct qd_device {
  uint32_t struct_size; /* sizeof(qd_device) */
  int32_t capability;   /* 10 * major + minor of the compute capability */
  int32_t binaries;     /* not 0: load takes cubins, too */
  void *state;          /* what the functions get */
  /* Around calls of the others, which come from the same thread; pairs may lie
   * inside each other. Both are NULL where the device does not need them. */
  int32_t (*enter)(void *state);
  void (*leave)(void *state);
  int32_t (*allocate)(void *state, uint64_t bytes, uint64_t *address);
  void (*release)(void *state, uint64_t address); /* 0 is allowed */
  int32_t (*write)(void *state, uint64_t target, const void *source,
                   uint64_t bytes);
  int32_t (*read)(void *state, void *target, uint64_t source, uint64_t bytes);
  /* One kernel of a PTX file that ends with a zero byte, or of a cubin. */
  int32_t (*load)(void *state, const void *code, const char *kernel,
                  uint32_t shared_bytes, void **function);
  void (*unload)(void *state, void *function);
  /* A grid of `blocks` by `repeats` (at most QD_MOST_REPEATS) blocks of
   * `threads`. Parameters of 8 bytes each; a step of the model's profile.
   * Launches run in the order of their calls; so do write and read among
   * them. */
  int32_t (*launch)(void *state, void *function, const char *step,
                    uint64_t blocks, uint32_t repeats, uint32_t threads,
                    uint32_t shared_bytes, const uint64_t *args,
                    uint32_t num_args);
  int32_t (*synchronize)(void *state);
  const char *(*error)(void *state); /* of the last call that failed */
  /* Launches between begin_graph and end_graph are not done but noted, to be
   * done together by launch_graph, as often as wanted. All four are NULL where
   * the device cannot. */
  int32_t (*begin_graph)(void *state);
  int32_t (*end_graph)(void *state, void **graph); /* NULL: throws it away */
  int32_t (*launch_graph)(void *state, void *graph);
  void (*free_graph)(void *state, void *graph);
} qd_device;

typedef struct qd_options {
  uint32_t struct_size;    /* sizeof(qd_options) */
  int32_t threads;         /* 0: one for each CPU this process may use */
  int32_t profile;         /* not 0: measure every step */
  const char *variant;     /* NULL: $QDIALECT_CPU, else the best one */
  const qd_device *device; /* of libraries for GPUs; NULL: the driver's first */
  char *error;             /* NULL, or room for an English sentence that says */
  uint64_t error_bytes;    /* why create gave no instance, and its size */
} qd_options;

/* What a profiled qd_model has measured since it was created. */
typedef struct qd_profile {
  uint64_t runs;
  uint32_t num_steps;
  const uint64_t *step_nanoseconds; /* summed over the runs */
} qd_profile;

typedef struct qd_model qd_model;

#elif QDIALECT_MODEL_ABI != 7
#error "two models of different QDialect ABI versions in one source file"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Describes the model; constant, valid as long as the library is loaded. */
const qd_info *qd_model_info(void);

/* Makes an instance; options may be NULL. *model is NULL unless QD_OK. */
qd_status qd_model_create(const qd_options *options, qd_model **model);

/* Computes outputs[0 .. num_outputs) from inputs[0 .. num_inputs). The pointer
 * of an output with a computed size is not used and may be NULL: such an output
 * lies in memory of the model, see qd_model_result. */
qd_status qd_model_run(qd_model *model, const void *const *inputs,
                       void *const *outputs);

/* For models whose inputs have symbols. input_dims[i] are the sizes of input i,
 * as many as its rank. The scratch memory grows to what these sizes need and is
 * kept; calling again with the same sizes computes nothing twice. */
qd_status qd_model_run_dims(qd_model *model, const void *const *inputs,
                            const int64_t *const *input_dims,
                            void *const *outputs);

/* The sizes of the outputs for those of the inputs: output_dims[i] has room for
 * the rank of output i. Those that the model computes are -1. */
qd_status qd_model_output_dims(qd_model *model,
                               const int64_t *const *input_dims,
                               int64_t *const *output_dims);

/* What the last run made: writes the sizes of output number `output` to dims
 * (as many as its rank; NULL is allowed) and gives its address: the caller's
 * memory, or, if it has a computed size, the model's, which holds it until the
 * next run or qd_model_destroy. NULL unless the last run gave QD_OK. */
const void *qd_model_result(const qd_model *model, uint32_t output,
                            int64_t *dims);

/* What was wrong with the last call that gave QD_SHAPE_MISMATCH or
 * QD_DEVICE_FAILURE, or QD_OUT_OF_MEMORY of a GPU: an English sentence (that
 * names input, dimension and both sizes, or the driver's function and its
 * error); "" before. */
const char *qd_model_error(const qd_model *model);

/* Frees an instance; NULL is allowed. */
void qd_model_destroy(qd_model *model);

/* The name of the CPU variant that this instance runs. */
const char *qd_model_variant(const qd_model *model);

/* Reads the profile; QD_INVALID_ARGUMENT unless created with profile set. */
qd_status qd_model_profile(const qd_model *model, qd_profile *profile);

/* One English phrase for a status; never NULL. */
const char *qd_model_status_string(qd_status status);

#ifdef __cplusplus
}
#endif

#endif /* QD_MODEL_H */
