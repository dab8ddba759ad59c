// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dialect itself: what qd is for, the words all of its ops use.

#ifndef QDIALECT_IR_QDDIALECT
#define QDIALECT_IR_QDDIALECT

include "mlir/IR/OpBase.td"

def QD_Dialect : Dialect {
  let name = "qd";
  let summary = "which numbers a tensor holds and how they are scaled";
  let cppNamespace = "::qdialect::qd";
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let hasConstantMaterializer = 1;
  let dependentDialects = ["::mlir::arith::ArithDialect"];
  let extraClassDeclaration = [{
    void registerTypes();
    void registerAttributes();
    void registerOps();
  }];
}

#endif // QDIALECT_IR_QDDIALECT
