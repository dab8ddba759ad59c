// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The qd dialect, its passes and its pipelines for any tool that loads MLIR
// plugins:
//   mlir-opt --load-dialect-plugin=QDialectPlugin.so \
//            --load-pass-plugin=QDialectPlugin.so --qd-normalize-pipeline

#include "QDialect/IR/BufferizableOpInterfaceImpl.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Pipelines/Passes.h"
#include "QDialect/Transforms/Passes.h"
#include "mlir/Tools/Plugins/DialectPlugin.h"
#include "mlir/Tools/Plugins/PassPlugin.h"

static void registerDialects(mlir::DialectRegistry *registry) {
  registry->insert<qdialect::qd::QDDialect>();
  qdialect::qd::registerBufferizableOpInterfaceExternalModels(*registry);
}

static void registerPasses() {
  qdialect::registerQDialectPasses();
  qdialect::registerPipelines();
}

extern "C" LLVM_ATTRIBUTE_WEAK mlir::DialectPluginLibraryInfo
mlirGetDialectPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "QDialect", QDIALECT_VERSION,
          registerDialects};
}

extern "C" LLVM_ATTRIBUTE_WEAK mlir::PassPluginLibraryInfo
mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "QDialect", QDIALECT_VERSION,
          registerPasses};
}
