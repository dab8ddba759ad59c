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
  let description = [{
    The qd dialect says which numbers a tensor holds and how they are scaled;
    computation stays in linalg, tensor, arith and math.

    A quantized tensor is three ordinary tensors: **codes**, **scales** and **zero
    points**. The element type of the codes is their **alphabet**: the finite set of
    codes and the real value of each. `iN` is signed two's complement, builtin small
    floats are themselves, and what MLIR lacks is a qd type (`!qd.uint<N>`,
    `!qd.minifloat<...>`, `!qd.ternary`, `!qd.binary`, `!qd.codebook<N>`). All of them
    answer AlphabetTypeInterface.

    Words used by all ops: **block sizes** give one size a dimension, 0 for the
    whole dimension; a scale has ceil(dimension / block) elements there, or rank 0.
    A **zero point** in the code domain is an i32 z with x = (q - z) * s; in the real
    domain it is a float m with x = q * s + m. **Rounding** and **overflow** are
    always spelt out. An **island** is everything between `qd.dequantize` and the
    next `qd.quantize`; its meaning is the exact real value, rounded once.

    Lifetime. `quantize` and `dequantize` come with import or `qd-quantize`;
    `requantize`, `rescale` and `lookup` with `qd-integerize`; `observe` lives during
    calibration, `dispatch` from the dispatch phase to code generation, and
    `storage_cast` until `qd-lower-alphabets`. `softmax`, `layer_norm`, `gelu` and
    `silu` come with import and end in `qd-decompose` or in a kernel.

    Discardable attributes carry what passes note for later ones; they are listed in
    IR/AttributeNames.h. *Constraints.*
    * C1: an attribute whose name begins with `qd.` is one of those.
    * C2: it stands where it may: `qd.phase` on the module; `qd.dims` and `qd.codes`
      on arguments, `qd.codes` on results, too; `qd.name` on those and on ops;
      `qd.dim_bounds`, `qd.program`, `qd.observed`, `qd.observed_if`, `qd.model`,
      `qd.recipe`, `qd.rescale_mode` and `qd.integer_only` on functions; all others
      on other ops.
    * C3: it has the value that is asked for: `qd.phase` is a phase, `qd.acc_bound`
      two i64 numbers in order, and so on.
    * C4: `qd.dims` has a name for each `?` of the argument's type and the number for
      each other size; an argument of type `index` has one name.
    * C5: no two arguments of a function have one `qd.name`, nor two results, those
      that are observed apart.

    `qd.dim_bounds` of a function names the sizes that are symbolic in it:
    `{batch = array<i64: 1, 64>, h = array<i64: 32, 640, 32>}`. *Constraints.*
    * C1: it is a dictionary of arrays of two or three `i64`: the least, the largest
      and, where only multiples of it are taken, a step.
    * C2: 0 <= least <= largest.
    * C3: the step is positive; the least and the largest are multiples of it.

    Types and attributes are stored in bytecode as text. The reasons for all this
    stand in docs/rationale/QD.md, the arithmetic in docs/Numerics.md.
  }];
  let cppNamespace = "::qdialect::qd";
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let hasConstantMaterializer = 1;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let hasRegionResultAttrVerify = 1;
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect"];
  let extraClassDeclaration = [{
    void registerTypes();
    void registerAttributes();
    void registerOps();
  }];
}

#endif // QDIALECT_IR_QDDIALECT
