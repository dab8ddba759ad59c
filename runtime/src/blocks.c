/* Part of the QDialect project, under the Apache License v2.0 with LLVM
 * Exceptions. See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * A kernel made for one block of rows, run for many: a kernel around it whose
 * tasks are those of all blocks.
 */
#include "program.h"

typedef struct blocks {
  qd_kernel kernel;
  void **args;
  uint32_t num_args;
  const int64_t *offsets, *strides;
  int64_t num_tasks;
} blocks;

static void block_kernel(void **wrapped, int64_t begin, int64_t end) {
  const blocks *b = wrapped[0];
  void *args[QD_MOST_KERNEL_ARGS];
  while (begin < end) {
    int64_t block = begin / b->num_tasks, first = begin % b->num_tasks;
    int64_t last = first + (end - begin);
    if (last > b->num_tasks)
      last = b->num_tasks;
    for (uint32_t i = 0; i < b->num_args; ++i)
      args[i] = (char *)b->args[i] + b->offsets[i] + block * b->strides[i];
    b->kernel(args, first, last);
    begin += last - first;
  }
}

void qd_rt_blocks(qd_context *context, uint32_t step, qd_kernel kernel,
                  void **args, uint32_t num_args, const int64_t *offsets,
                  const int64_t *strides, int64_t num_tasks,
                  int64_t num_blocks) {
  if (qd_rt_blocks_on_gpu(context, step, kernel, args, offsets, strides,
                          num_blocks))
    return;
  blocks b = {kernel, args, num_args, offsets, strides, num_tasks};
  void *wrapped[] = {&b};
  if (num_blocks > 0)
    qd_rt_parallel(context, step, block_kernel, wrapped,
                   num_tasks * num_blocks);
}
