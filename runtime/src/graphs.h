/* Part of the QDialect project, under the Apache License v2.0 with LLVM
 * Exceptions. See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The launches of a run, recorded once and launched together afterwards.
 *
 * What a program launches hangs on the sizes of its inputs and on the addresses
 * of its memory, unless it reads something back. So the second run in a row
 * with the same sizes is recorded (sizes that never come again are not worth
 * it), the ones after it launch the graph. A program that reads while it is
 * recorded is never recorded again.
 */
#ifndef QDIALECT_RUNTIME_GRAPHS_H
#define QDIALECT_RUNTIME_GRAPHS_H

#include "sizes.h"

typedef struct qd_graph {
  int64_t *sizes; /* of the runs that it stands for */
  void *graph;    /* the device's; NULL: this place is free */
} qd_graph;

enum { QD_MOST_GRAPHS = 16 };

typedef struct qd_graphs {
  const qd_device *device;
  uint32_t num_sizes;
  int off;       /* the device has no graphs, or the program reads */
  int recording; /* launches are noted and not done */
  int64_t *last; /* the sizes of the run before this */
  int has_last;
  uint32_t oldest; /* the graph that goes where all places are taken */
  qd_graph graphs[QD_MOST_GRAPHS];
} qd_graphs;

qd_status qd_graphs_create(const qd_device *device, uint32_t num_sizes, int off,
                           qd_graphs *graphs);
/* Behind qd_graphs_forget. */
void qd_graphs_destroy(qd_graphs *graphs);

/* The run with these sizes begins. Not 0: a graph did it all, or failed
 * (*status). Otherwise the program has to launch, which may be recorded. */
int32_t qd_graphs_replay(qd_graphs *graphs, const int64_t *sizes,
                         qd_status *status);

/* The program has launched everything, or stopped at an error. Not 0: nothing
 * is done yet, the run begins again with qd_graphs_replay. */
int32_t qd_graphs_record(qd_graphs *graphs, const int64_t *sizes,
                         qd_status status);

/* Does what is recorded so far, because the host wants to see it, and records
 * no more. Not 0 if that fails. */
int32_t qd_graphs_interrupt(qd_graphs *graphs);

/* Addresses have changed: forgets every graph. */
void qd_graphs_forget(qd_graphs *graphs);

#endif /* QDIALECT_RUNTIME_GRAPHS_H */
