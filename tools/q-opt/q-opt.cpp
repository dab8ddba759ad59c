// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// q-opt: mlir-opt with the qd dialect, its passes and its pipelines.

#include "QDialect/IR/BufferizableOpInterfaceImpl.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Transforms/Passes.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#ifdef QDIALECT_HAS_PIPELINES
#include "QDialect/Pipelines/Passes.h"
#endif

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  mlir::registerAllPasses();
  registry.insert<qdialect::qd::QDDialect>();
  qdialect::qd::registerBufferizableOpInterfaceExternalModels(registry);
  qdialect::registerQDialectPasses();
#ifdef QDIALECT_HAS_PIPELINES
  qdialect::registerPipelines();
#endif
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "QDialect optimizer driver\n", registry));
}
