/* Part of the QDialect project, under the Apache License v2.0 with LLVM
 * Exceptions. See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The launches of a run, recorded once and launched together afterwards.
 */
#include "graphs.h"
#include <stdlib.h>
#include <string.h>

static size_t sizes_bytes(const qd_graphs *g) {
  return g->num_sizes * sizeof(int64_t);
}

qd_status qd_graphs_create(const qd_device *device, uint32_t num_sizes, int off,
                           qd_graphs *g) {
  memset(g, 0, sizeof(*g));
  g->device = device;
  g->num_sizes = num_sizes;
  g->off = off || !device->begin_graph;
  if (g->off)
    return QD_OK;
  /* One more number: a program may have no symbols. */
  size_t bytes = sizes_bytes(g) + sizeof(int64_t);
  g->last = malloc(bytes);
  int missing = !g->last;
  for (uint32_t i = 0; i < QD_MOST_GRAPHS; ++i)
    missing |= !(g->graphs[i].sizes = malloc(bytes));
  return missing ? QD_OUT_OF_MEMORY : QD_OK;
}

void qd_graphs_forget(qd_graphs *g) {
  for (uint32_t i = 0; i < QD_MOST_GRAPHS; ++i) {
    if (g->graphs[i].graph)
      g->device->free_graph(g->device->state, g->graphs[i].graph);
    g->graphs[i].graph = NULL;
  }
}

void qd_graphs_destroy(qd_graphs *g) {
  for (uint32_t i = 0; i < QD_MOST_GRAPHS; ++i)
    free(g->graphs[i].sizes);
  free(g->last);
}

int32_t qd_graphs_replay(qd_graphs *g, const int64_t *sizes,
                         qd_status *status) {
  if (g->off)
    return 0;
  for (uint32_t i = 0; i < QD_MOST_GRAPHS; ++i) {
    const qd_graph *known = &g->graphs[i];
    if (!known->graph || memcmp(known->sizes, sizes, sizes_bytes(g)))
      continue;
    if (g->device->launch_graph(g->device->state, known->graph))
      *status = QD_DEVICE_FAILURE;
    return 1;
  }
  if (!g->has_last || memcmp(g->last, sizes, sizes_bytes(g))) {
    memcpy(g->last, sizes, sizes_bytes(g));
    g->has_last = 1;
    return 0;
  }
  g->recording = !g->device->begin_graph(g->device->state);
  g->off = !g->recording;
  return 0;
}

int32_t qd_graphs_record(qd_graphs *g, const int64_t *sizes, qd_status status) {
  if (!g->recording)
    return 0;
  g->recording = 0;
  if (status != QD_OK) {
    g->device->end_graph(g->device->state, NULL);
    return 0;
  }
  void *graph = NULL;
  if (g->device->end_graph(g->device->state, &graph)) {
    g->off = 1;
    return 1;
  }
  qd_graph *place = NULL;
  for (uint32_t i = 0; i < QD_MOST_GRAPHS && !place; ++i)
    if (!g->graphs[i].graph)
      place = &g->graphs[i];
  if (!place) {
    place = &g->graphs[g->oldest++ % QD_MOST_GRAPHS];
    g->device->free_graph(g->device->state, place->graph);
  }
  memcpy(place->sizes, sizes, sizes_bytes(g));
  place->graph = graph;
  return 1;
}

int32_t qd_graphs_interrupt(qd_graphs *g) {
  if (!g->recording)
    return 0;
  g->recording = 0;
  g->off = 1;
  void *graph = NULL;
  if (g->device->end_graph(g->device->state, &graph))
    return 1;
  int32_t status = g->device->launch_graph(g->device->state, graph);
  g->device->free_graph(g->device->state, graph);
  return status;
}
