/* Part of the QDialect project, under the Apache License v2.0 with LLVM
 * Exceptions. See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Two models of different prefixes in one C11 program: includes both headers,
 * checks what they say, runs both and prints the results. */
#include "first.h"
#include "second.h"
#include <stdio.h>
#include <string.h>

#define CHECK(condition)                                                       \
  do {                                                                         \
    if (!(condition)) {                                                        \
      fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                  \
      return 1;                                                                \
    }                                                                          \
  } while (0)

int main(void) {
  const qd_info *info = first_info();
  CHECK(info->abi_version == QDIALECT_MODEL_ABI);
  CHECK(info->num_inputs == 1 && info->num_outputs == 1);
  CHECK(strcmp(info->prefix, "first") == 0);
  CHECK(strcmp(info->inputs[0].name, "x") == 0);
  CHECK(info->inputs[0].dtype == QD_F32 && info->inputs[0].rank == 1);
  CHECK(info->inputs[0].dims[0] == 4 && info->inputs[0].bytes == 16);
  CHECK(strlen(info->receipt) == info->receipt_size);
  CHECK(strcmp(second_info()->prefix, "second") == 0);

  qd_options options = {sizeof(qd_options), 2, 0, "scalar", NULL, NULL, 0};
  qd_model *a = NULL, *b = NULL;
  CHECK(first_create(NULL, &a) == QD_OK);
  CHECK(second_create(&options, &b) == QD_OK);
  CHECK(strcmp(second_variant(b), "scalar") == 0);
  const float x[4] = {1, -2, 3, -4};
  float y[4], z[4];
  const void *inputs[] = {x};
  void *outputs[] = {y};
  CHECK(first_run(a, inputs, outputs) == QD_OK);
  inputs[0] = y;
  outputs[0] = z;
  CHECK(second_run(b, inputs, outputs) == QD_OK);
  printf("%g %g %g %g\n", z[0], z[1], z[2], z[3]);
  CHECK(first_run(a, NULL, outputs) == QD_INVALID_ARGUMENT);
  printf("%s\n", first_status_string(QD_INVALID_ARGUMENT));
  first_destroy(a);
  second_destroy(b);
  return 0;
}
