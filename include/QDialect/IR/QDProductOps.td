// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of codes that no linalg op can say.

#ifndef QDIALECT_IR_QDPRODUCTOPS
#define QDIALECT_IR_QDPRODUCTOPS

include "QDialect/IR/QDOpBase.td"

class QD_Matrix<Type element> : TensorRankOf<[element], [2]>;

def QD_BlockMatmulOp : QD_Op<"block_matmul", [Pure]> {
  let summary = "matrix product of codes whose scales change along the sum";
  let description = [{
    The product of two matrices of codes with a scale for each block of the
    summed dimension, on both sides: each block is summed in integers, scaled, and
    added to the others in floats. What int8 activations times weights of two to
    eight bits with scales by blocks are.

    *Semantics.* With B = ceil(K / block) blocks, for each row m and column n:

    ```
    total = +0
    for b in 0 .. B - 1, in this order:
      acc = sum over k in block b of lhs[m][k] * (rhs[k][n] - z[b][n])     i32, modulo 2^32
      total = fma(f32(acc), lhs_scale[m][b] * rhs_scale[b][n], total)
    result[m][n] = total
    ```

    The last block may be short. *Rounding*: f32(acc) and the product of the scales
    to nearest even, the fma once; the same bits on every target. *NaN* and
    infinities come from the scales alone and follow IEEE 754. Nothing saturates: with
    zero points that are codes the sum of a block fits i32 (C3). An empty K gives +0.

    *Constraints.*
    * C1: all operands and the result are matrices; lhs is i8, the scales and the
      result are f32, the zero point is i32.
    * C2: rhs has integer codes of at most 8 bits.
    * C3: 0 < block <= 65536.
    * C4: lhs is MxK, rhs KxN, the result MxN.
    * C5: lhs_scale is MxB, or Mx1 for one scale a row, which of both its static
      number of columns says.
    * C6: rhs_scale and the zero point, if any, are BxN.

    *Example.*
    ```mlir
    %y = qd.block_matmul %x scale %sx, %w scale %sw zero_point %z block = 32
       : tensor<4x100xi8>, tensor<4x4xf32>, tensor<100x7x!qd.uint<4>>, tensor<4x7xf32>, tensor<4x7xi32>
       -> tensor<4x7xf32>
    ```
  }];
  let arguments = (ins QD_Matrix<I8>:$lhs, QD_Matrix<F32>:$lhs_scale, TensorRankOf<[AnyType], [2]>:$rhs,
      QD_Matrix<F32>:$rhs_scale, Optional<QD_Matrix<I32>>:$rhs_zero_point, I64Attr:$block);
  let results = (outs QD_Matrix<F32>:$result);
  let assemblyFormat = [{
    $lhs `scale` $lhs_scale `,` $rhs `scale` $rhs_scale (`zero_point` $rhs_zero_point^)?
    `block` `=` custom<Integer>($block) attr-dict `:` type($lhs) `,` type($lhs_scale) `,` type($rhs)
    `,` type($rhs_scale) (`,` type($rhs_zero_point)^)? `->` type($result)
  }];
  let extraClassDeclaration = [{
    /// Multiply-accumulates; symbolic sizes count as 1.
    int64_t macs();
  }];
  let hasVerifier = 1;
}

#endif // QDIALECT_IR_QDPRODUCTOPS
