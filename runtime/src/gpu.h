/* Part of the QDialect project, under the Apache License v2.0 with LLVM
 * Exceptions. See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * What an instance does otherwise when its kernels run on a GPU. Programs for
 * CPUs do not name qd_gpu_runtime, so that the linker leaves it out of them.
 */
#ifndef QDIALECT_RUNTIME_GPU_H
#define QDIALECT_RUNTIME_GPU_H

#include "sizes.h"

/* The GPU's side of an instance: the device, its code and its memory. */
typedef struct qd_gpu qd_gpu;

typedef struct qd_gpu_runtime {
  /* Opens the device of the options (NULL: the driver's first), chooses the
   * variant `wanted` (NULL: the best that runs) and loads its kernels and the
   * weights. What is wrong goes to the options' error. */
  qd_status (*create)(const qd_program *program, const qd_options *options,
                      const char *wanted, qd_gpu **gpu, uint32_t *variant);
  void (*destroy)(qd_gpu *gpu);
  /* Around calls of the functions below, on the same thread. */
  qd_status (*enter)(const qd_gpu *gpu);
  void (*leave)(const qd_gpu *gpu);
  /* What the program's main function takes for kernels. */
  const qd_kernel *(*kernels)(const qd_gpu *gpu);
  qd_status (*allocate)(qd_gpu *gpu, char **memory, uint64_t bytes);
  void (*release)(qd_gpu *gpu, char *memory);
  /* The inputs to the device; gives the addresses that main takes. */
  qd_status (*begin)(qd_gpu *gpu, const qd_sizes *sizes,
                     const void *const *inputs,
                     const void *const **device_inputs,
                     void *const **device_outputs);
  /* The outputs to the caller. */
  qd_status (*end)(qd_gpu *gpu, const qd_sizes *sizes, void *const *outputs);
  /* The sizes that kernels read; again behind each that is computed. */
  qd_status (*write_sizes)(qd_gpu *gpu, const qd_sizes *sizes);
  const int64_t *(*sizes)(const qd_gpu *gpu);
  const char *(*weights)(const qd_gpu *gpu);
  qd_status (*launch)(qd_gpu *gpu, uint32_t step, qd_kernel kernel, void **args,
                      int64_t num_tasks);
  /* qd_rt_blocks. */
  qd_status (*repeat)(qd_gpu *gpu, uint32_t step, qd_kernel kernel, void **args,
                      const int64_t *offsets, const int64_t *strides,
                      int64_t num_blocks);
  qd_status (*copy)(qd_gpu *gpu, uint32_t step, char *target,
                    const char *source, int64_t bytes, int32_t flip);
  qd_status (*read)(qd_gpu *gpu, void *target, const void *source,
                    uint64_t bytes);
  /* A copy on the host of an output that lies in an arena, until the next. */
  const void *(*result)(qd_gpu *gpu, uint32_t output, const void *source,
                        uint64_t bytes);
  /* Returns when everything launched is done. */
  qd_status (*wait)(qd_gpu *gpu);
  /* qd_graphs_replay before main, qd_graphs_record behind it. */
  int32_t (*replay)(qd_gpu *gpu, const qd_sizes *sizes, qd_status *status);
  int32_t (*record)(qd_gpu *gpu, const qd_sizes *sizes, qd_status status);
  const char *(*error)(const qd_gpu *gpu);
} qd_gpu_runtime;

extern const qd_gpu_runtime qd_gpu_functions;

/* The first GPU of libcuda.so.1 for one instance. Where it gives no QD_OK,
 * `error` says why. */
qd_status qd_cuda_open(qd_device **device, char *error, size_t error_bytes);
void qd_cuda_close(qd_device *device);

#endif /* QDIALECT_RUNTIME_GPU_H */
