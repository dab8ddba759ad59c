/* Part of the QDialect project, under the Apache License v2.0 with LLVM
 * Exceptions. See LICENSE for license information.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * driver MODEL.so VARIANT < inputs > outputs
 *
 * Runs a model of static sizes on samples from standard input, each all inputs
 * one behind the other, until it ends. Built for the processor that an emulator
 * stands in for. VARIANT "-": the one the model chooses; its name goes to
 * standard error.
 */
#include "qdialect/model.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *entry(void *library, const char *name) {
  void *function = dlsym(library, name);
  if (!function) {
    fprintf(stderr, "%s\n", dlerror());
    exit(1);
  }
  return function;
}

static char **buffers(const qd_tensor_info *tensors, uint32_t count) {
  char **data = calloc(count + 1, sizeof(char *));
  for (uint32_t i = 0; i < count; ++i)
    data[i] = aligned_alloc(64, (tensors[i].bytes + 127) / 64 * 64);
  return data;
}

int main(int argc, char **argv) {
  void *library = argc == 3 ? dlopen(argv[1], RTLD_NOW) : 0;
  if (!library) {
    fprintf(stderr, "%s\n", argc == 3 ? dlerror() : "MODEL.so VARIANT");
    return 1;
  }
  const qd_info *info =
      ((const qd_info *(*)(void))entry(library, "qd_model_info"))();
  qd_status (*create)(const qd_options *, qd_model **) =
      entry(library, "qd_model_create");
  qd_status (*run)(qd_model *, const void *const *, void *const *) =
      entry(library, "qd_model_run");
  const char *(*variant)(const qd_model *) = entry(library, "qd_model_variant");
  void (*destroy)(qd_model *) = entry(library, "qd_model_destroy");
  qd_options options = {.struct_size = sizeof(options), .threads = 2};
  if (strcmp(argv[2], "-"))
    options.variant = argv[2];
  qd_model *model = 0;
  qd_status status = create(&options, &model);
  if (status) {
    fprintf(stderr, "create: status %d\n", (int)status);
    return 1;
  }
  fprintf(stderr, "%s\n", variant(model));
  char **inputs = buffers(info->inputs, info->num_inputs);
  char **outputs = buffers(info->outputs, info->num_outputs);
  for (;;) {
    for (uint32_t i = 0; i < info->num_inputs; ++i)
      if (fread(inputs[i], 1, info->inputs[i].bytes, stdin) !=
          info->inputs[i].bytes) {
        destroy(model);
        return 0;
      }
    status = run(model, (const void *const *)inputs, (void *const *)outputs);
    if (status) {
      fprintf(stderr, "run: status %d\n", (int)status);
      return 1;
    }
    for (uint32_t i = 0; i < info->num_outputs; ++i)
      fwrite(outputs[i], 1, info->outputs[i].bytes, stdout);
  }
}
