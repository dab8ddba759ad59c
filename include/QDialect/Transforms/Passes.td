//===- Passes.td - Pass definitions ------------------------*- tablegen -*-===//
// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every pass of the library, grouped by the phase it belongs to.
//===----------------------------------------------------------------------===//
#ifndef QDIALECT_TRANSFORMS_PASSES_TD
#define QDIALECT_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

//===----------------------------------------------------------------------===//
// Conversions at the edges and expansions (owner A2)
//===----------------------------------------------------------------------===//

def LowerAlphabetsPass : Pass<"qd-lower-alphabets"> {
  let summary = "replace qd element types by the integers that store them";
  let description = [{
    Run after bufferization. Every type of the qd dialect, inside any type or
    attribute of the module, becomes the signless integer of as many bits as a
    code has. Storage casts whose types became equal are erased.
  }];
}

//===----------------------------------------------------------------------===//
// Constant folding (owner A4)
//===----------------------------------------------------------------------===//

//===----------------------------------------------------------------------===//
// Normalize, observe and quantize (owner A7)
//===----------------------------------------------------------------------===//

//===----------------------------------------------------------------------===//
// Integerize and dispatch (owner A8)
//===----------------------------------------------------------------------===//

def FormDispatchesPass : Pass<"qd-form-dispatches", "::mlir::func::FuncOp"> {
  let summary = "cut the program into qd.dispatch ops, the units of code generation";
  let description = [{
    Run last, on an integer program or on a float one, after qd-cast-to-linalg.
    Groups a contraction, pool or reduction with the element-wise ops that
    follow it (each the only reader of the one before, over the same iteration
    space; other operands of the same shape, such as a residual, become inputs),
    and chains of element-wise ops among themselves. Data movement stands alone.
    Constants, fills and pads that the kernel applies as it loads are copied
    into the region. Leaves qd.dispatch, tensor.collapse_shape,
    tensor.expand_shape and func.return at the top level
    (docs/PhaseContract.md section 6). Refuses ops with several results.
  }];
  let dependentDialects = ["qd::QDDialect"];
  let statistics = [
    Statistic<"numDispatches", "dispatches", "Dispatches formed">,
    Statistic<"numFused", "fused", "Element-wise ops fused into the dispatch of their producer">
  ];
}

#endif // QDIALECT_TRANSFORMS_PASSES_TD
