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

//===----------------------------------------------------------------------===//
// Constant folding (owner A4)
//===----------------------------------------------------------------------===//

//===----------------------------------------------------------------------===//
// Normalize, observe and quantize (owner A7)
//===----------------------------------------------------------------------===//

//===----------------------------------------------------------------------===//
// Integerize and dispatch (owner A8)
//===----------------------------------------------------------------------===//

#endif // QDIALECT_TRANSFORMS_PASSES_TD
