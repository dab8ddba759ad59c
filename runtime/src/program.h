/* Part of the QDialect project, under the Apache License v2.0 with LLVM
 * Exceptions. See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * What the compiler emits for one model and what the emitted code calls.
 * lib/CodeGen/Program/EmitProgram.cpp builds these structs field by field:
 * whoever changes one changes the other.
 */
#ifndef QDIALECT_RUNTIME_PROGRAM_H
#define QDIALECT_RUNTIME_PROGRAM_H

#include "qdialect/model.h"

/* Computes tasks [begin, end) of a dispatch. Tasks are independent. */
typedef void (*qd_kernel)(void **args, int64_t begin, int64_t end);

/* The numbers are the compiler's CpuTarget::Isa. */
typedef enum qd_isa {
  QD_ISA_SCALAR = 0,
  QD_ISA_AVX2 = 1,
  QD_ISA_AVX512VNNI = 2,
  QD_ISA_AVX512AMX = 3,
  QD_ISA_AVXVNNI = 4,
  QD_ISA_AVX512 = 5,
  QD_ISA_NEON = 16,
  QD_ISA_DOTPROD = 17,
  QD_ISA_I8MM = 18
} qd_isa;

typedef struct qd_context qd_context;

enum { QD_MOST_KERNEL_ARGS = 256 };

/* A kernel for GPUs: parameters of 8 bytes, blocks of one dimension. The second
 * dimension of the grid repeats the kernel with its first num_strides arguments
 * moved on; by how much follows its other parameters. */
typedef struct qd_gpu_kernel {
  const char *symbol;
  const char *code;   /* PTX with this kernel; ends with a zero byte */
  const char *binary; /* the same assembled (a cubin); NULL if it was not */
  int64_t blocks;     /* 0: as many as the step's tasks need */
  uint32_t threads, shared_bytes; /* of a block */
  uint32_t tasks;                 /* of a block, where blocks is 0 */
  uint32_t num_args, num_strides; /* num_args without strides */
} qd_gpu_kernel;

/* One variant: its kernels in the order the program numbers them. */
typedef struct qd_variant {
  uint64_t isa; /* qd_isa, or the compute capability */
  const qd_kernel *kernels;
  /* Of a variant for GPUs: num_kernels and one more that copies: target,
   * source, bytes, what each byte is xor-ed with. Its grid is whatever. */
  const qd_gpu_kernel *gpu_kernels;
  uint32_t num_kernels;
} qd_variant;

struct qd_gpu_runtime;

/* One number of a program with symbols, computed from those before it. */
typedef enum qd_size_kind {
  QD_SIZE_NUMBER = 0,
  QD_SIZE_SYMBOL = 1, /* symbol number `lhs` */
  QD_SIZE_ADD = 2,
  QD_SIZE_MUL = 3,
  QD_SIZE_FLOOR_DIV = 4,
  QD_SIZE_MAX = 5,
  QD_SIZE_MIN = 6,
  QD_SIZE_COPY = 7 /* number `lhs` again, so that some follow each other */
} qd_size_kind;

typedef struct qd_size {
  uint32_t kind, lhs, rhs;
  int64_t number;
} qd_size;

/* A buffer of an arena, alive from the step that writes it to the last one
 * that reads it. */
typedef struct qd_buffer {
  uint32_t bytes; /* the number of a qd_size */
  int32_t first_step, last_step;
  uint32_t arena; /* 0: its size follows from the inputs'; otherwise the number
                     of the qd_rt_size step after which it is known */
} qd_buffer;

typedef struct qd_program {
  qd_info info;
  const qd_variant *variants; /* info.num_variants, best first */
  /* sizes and offsets: the values of `sizes` and the places of `buffers` in
   * their arenas; NULL without symbols. Arenas but the first, and what is in
   * them, are there once their qd_rt_size step is done. Only kernels and the
   * runtime follow the pointers to arenas, inputs, outputs, weights and
   * kernel_sizes (the same as sizes): they may be addresses of a device. */
  void (*main)(qd_context *context, char *const *arenas,
               const qd_kernel *kernels, const void *const *inputs,
               void *const *outputs, const int64_t *sizes,
               const int64_t *offsets, const char *weights,
               const int64_t *kernel_sizes);
  uint32_t num_sizes, num_buffers, num_arenas; /* arenas but the first */
  const qd_size *sizes;
  const qd_buffer *buffers;
  /* The qd_size of every dimension, one tensor after the other. Those of
   * inputs are symbols and numbers. */
  const uint32_t *input_dims, *output_dims;
  /* The buffers of outputs with a computed size, -1 for others; NULL without
   * symbols. */
  const int32_t *output_buffers;
  const char *weights; /* info.weights_bytes */
  /* Programs for GPUs: qd_gpu_functions; NULL for CPUs. */
  const struct qd_gpu_runtime *gpu;
} qd_program;

/* Called by the emitted main function: runs all tasks of one kernel on the
 * context's threads and returns when they are done. */
void qd_rt_parallel(qd_context *context, uint32_t step, qd_kernel kernel,
                    void **args, int64_t num_tasks);

/* The same on the calling thread alone, for steps too small to be shared. */
void qd_rt_serial(qd_context *context, uint32_t step, qd_kernel kernel,
                  void **args, int64_t num_tasks);

/* Runs `num_tasks` tasks for each of `num_blocks` blocks: every argument of
 * block b lies offsets[i] + b * strides[i] bytes behind args[i]. */
void qd_rt_blocks(qd_context *context, uint32_t step, qd_kernel kernel,
                  void **args, uint32_t num_args, const int64_t *offsets,
                  const int64_t *strides, int64_t num_tasks,
                  int64_t num_blocks);

/* The same in one launch, or few; 0 where there is no GPU. */
int32_t qd_rt_blocks_on_gpu(qd_context *context, uint32_t step,
                            qd_kernel kernel, void **args,
                            const int64_t *offsets, const int64_t *strides,
                            int64_t num_blocks);

/* The tiles of a step: sizes in pixels of the result. */
typedef struct qd_tiles {
  int64_t tiles; /* of all images together */
  int64_t height, width, tile_height, tile_width;
  int64_t slots, slot_bytes; /* of scratch memory; at most one a tile */
  int64_t result;            /* the argument that is written */
} qd_tiles;

/* What a tile reads or writes of one argument: a patch of patch_height x
 * patch_width pixels whose first one is (y * stride_y - low_y, x * stride_x -
 * low_x) for the tile whose first pixel is (y, x). */
typedef struct qd_tile_arg {
  int64_t pixel_bytes;   /* 0: the kernel gets the whole argument */
  int64_t height, width; /* of the image */
  int64_t stride_y, stride_x, low_y, low_x;
  int64_t patch_height, patch_width;
  int64_t scratch; /* where the patch lies in a slot */
} qd_tile_arg;

/* Runs the `num_tasks` tasks of a kernel for one tile on each tile. `padding`
 * is the pixel outside of images; NULL: all bits 0. */
void qd_rt_tiles(qd_context *context, uint32_t step, qd_kernel kernel,
                 void **args, uint32_t num_args, int64_t num_tasks,
                 const qd_tiles *plan, const qd_tile_arg *places, char *scratch,
                 const char *padding);

/* The slots [begin, end) of the same, on this thread. */
void qd_tiles_run(qd_kernel kernel, void **args, uint32_t num_args,
                  int64_t num_tasks, const qd_tiles *plan,
                  const qd_tile_arg *places, char *scratch, const char *padding,
                  int64_t begin, int64_t end);

/* The program has computed a size: symbol number `symbol` is *number, at least
 * 0 and at most the qd_size `limit` (-1: none). Evaluates what follows from it
 * and places the buffers of arena number `arena`. Not 0 if there is no memory
 * for them: the program ends. */
int32_t qd_rt_size(qd_context *context, uint32_t step, uint32_t symbol,
                   int32_t limit, uint32_t arena, const int64_t *number);

/* Not 0 if *number is below 0 or above the qd_size `limit` (-1: none), or if
 * the qd_sizes `size` and `expected` are not equal: the program ends with an
 * error that begins with `what`. */
int32_t qd_rt_check_count(qd_context *context, int32_t limit,
                          const int64_t *number, const char *what);
int32_t qd_rt_check_size(qd_context *context, uint32_t size, uint32_t expected,
                         const char *what);

/* Makes arena number `arena` at least `bytes` large; what it held is lost. Not
 * 0 if there is no memory for it: the program ends. */
int32_t qd_rt_grow(qd_context *context, uint32_t arena, int64_t bytes);

/* Is the byte at `flag` not 0? */
int32_t qd_rt_flag(qd_context *context, const char *flag);

/* Copies bytes as one step of the program, each xor `flip` (0x80 turns plain i8
 * codes into the offset binary of the kernels and back; 0 copies). */
void qd_rt_copy(qd_context *context, uint32_t step, char *target,
                const char *source, int64_t bytes, int32_t flip);

/* Called by the emitted entry points <prefix>_create, <prefix>_run, ... */
qd_status qd_rt_create(const qd_program *program, const qd_options *options,
                       qd_model **model);
qd_status qd_rt_run(qd_model *model, const void *const *inputs,
                    void *const *outputs);
qd_status qd_rt_run_dims(qd_model *model, const void *const *inputs,
                         const int64_t *const *input_dims,
                         void *const *outputs);
qd_status qd_rt_output_dims(qd_model *model, const int64_t *const *input_dims,
                            int64_t *const *output_dims);
const void *qd_rt_result(const qd_model *model, uint32_t output, int64_t *dims);
const char *qd_rt_error(const qd_model *model);
void qd_rt_destroy(qd_model *model);
const char *qd_rt_variant(const qd_model *model);
qd_status qd_rt_profile(const qd_model *model, qd_profile *profile);
const char *qd_rt_status_string(qd_status status);

#endif /* QDIALECT_RUNTIME_PROGRAM_H */
