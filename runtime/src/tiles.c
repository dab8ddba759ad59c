/* Part of the QDialect project, under the Apache License v2.0 with LLVM
 * Exceptions. See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * A kernel made for one tile of an image, run for all tiles of images of any
 * size: what it reads of each image is copied to scratch memory, with padding
 * around it, and of what it wrote the part inside the image is copied back.
 * A tile that hangs over the edge computes pixels that nobody keeps.
 */
#include "program.h"
#include <string.h>

enum { kMostArgs = 256 };

typedef struct tiles {
  qd_kernel kernel;
  void **args;
  uint32_t num_args;
  int64_t num_tasks;
  const qd_tiles *plan;
  const qd_tile_arg *places;
  char *scratch;
  const char *padding;
} tiles;

static int64_t clamp(int64_t value, int64_t low, int64_t high) {
  return value < low ? low : value > high ? high : value;
}

static void fill(char *target, int64_t pixels, int64_t bytes,
                 const char *padding) {
  if (!padding) {
    memset(target, 0, (size_t)(pixels * bytes));
    return;
  }
  for (int64_t i = 0; i < pixels; ++i)
    memcpy(target + i * bytes, padding, (size_t)bytes);
}

/* The patch of `image` whose first pixel is (top, left). */
static void gather(char *patch, const char *image, const qd_tile_arg *a,
                   int64_t top, int64_t left, const char *padding) {
  int64_t bytes = a->pixel_bytes, columns = a->patch_width;
  int64_t first = clamp(-left, 0, columns);
  int64_t last = clamp(a->width - left, first, columns);
  for (int64_t y = 0; y < a->patch_height; ++y) {
    char *row = patch + y * columns * bytes;
    if (top + y < 0 || top + y >= a->height) {
      fill(row, columns, bytes, padding);
      continue;
    }
    fill(row, first, bytes, padding);
    memcpy(row + first * bytes,
           image + ((top + y) * a->width + left + first) * bytes,
           (size_t)((last - first) * bytes));
    fill(row + last * bytes, columns - last, bytes, padding);
  }
}

/* The part of the tile that lies inside the image. */
static void scatter(char *image, const char *tile, const qd_tile_arg *a,
                    int64_t top, int64_t left) {
  int64_t bytes = a->pixel_bytes;
  int64_t rows = clamp(a->height - top, 0, a->patch_height);
  int64_t columns = clamp(a->width - left, 0, a->patch_width);
  for (int64_t y = 0; y < rows; ++y)
    memcpy(image + ((top + y) * a->width + left) * bytes,
           tile + y * a->patch_width * bytes, (size_t)(columns * bytes));
}

static void run_tile(const tiles *t, int64_t tile, char *scratch) {
  const qd_tiles *plan = t->plan;
  int64_t columns = (plan->width + plan->tile_width - 1) / plan->tile_width;
  int64_t rows = (plan->height + plan->tile_height - 1) / plan->tile_height;
  int64_t x = tile % columns * plan->tile_width;
  int64_t y = tile / columns % rows * plan->tile_height;
  int64_t image = tile / columns / rows;
  void *args[kMostArgs];
  uint32_t result = plan->result;
  for (uint32_t i = 0; i < t->num_args; ++i) {
    const qd_tile_arg *a = &t->places[i];
    args[i] = t->args[i];
    if (!a->pixel_bytes)
      continue;
    args[i] = scratch + a->scratch;
    if (i != result)
      gather(args[i],
             (char *)t->args[i] + image * a->height * a->width * a->pixel_bytes,
             a, y * a->stride_y - a->low_y, x * a->stride_x - a->low_x,
             t->padding);
  }
  t->kernel(args, 0, t->num_tasks);
  const qd_tile_arg *a = &t->places[result];
  scatter((char *)t->args[result] +
              image * a->height * a->width * a->pixel_bytes,
          args[result], a, y, x);
}

static void run_slots(const tiles *t, int64_t begin, int64_t end) {
  const qd_tiles *plan = t->plan;
  for (int64_t slot = begin; slot < end; ++slot) {
    int64_t tile = plan->tiles * slot / plan->slots;
    int64_t last = plan->tiles * (slot + 1) / plan->slots;
    for (; tile < last; ++tile)
      run_tile(t, tile, t->scratch + slot * plan->slot_bytes);
  }
}

void qd_tiles_run(qd_kernel kernel, void **args, uint32_t num_args,
                  int64_t num_tasks, const qd_tiles *plan,
                  const qd_tile_arg *places, char *scratch, const char *padding,
                  int64_t begin, int64_t end) {
  tiles t = {kernel, args, num_args, num_tasks, plan, places, scratch, padding};
  run_slots(&t, begin, end);
}

/* A task is a slot: it computes its share of the tiles. */
static void tile_kernel(void **wrapped, int64_t begin, int64_t end) {
  run_slots(wrapped[0], begin, end);
}

void qd_rt_tiles(qd_context *context, uint32_t step, qd_kernel kernel,
                 void **args, uint32_t num_args, int64_t num_tasks,
                 const qd_tiles *plan, const qd_tile_arg *places, char *scratch,
                 const char *padding) {
  tiles t = {kernel, args, num_args, num_tasks, plan, places, scratch, padding};
  void *wrapped[] = {&t};
  if (plan->tiles > 0)
    qd_rt_parallel(context, step, tile_kernel, wrapped, plan->slots);
}
