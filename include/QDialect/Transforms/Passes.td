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
include "QDialect/Transforms/ChannelPasses.td"

//===----------------------------------------------------------------------===//
// Conversions at the edges and expansions
//===----------------------------------------------------------------------===//

def CastToLinalgPass : Pass<"qd-cast-to-linalg"> {
  let summary = "turn qd element-wise ops on tensors into linalg.generic";
  let description = [{
    Replaces qd.quantize, qd.dequantize, qd.requantize, qd.rescale, qd.lookup,
    qd.gelu and qd.silu on tensors by linalg.generic ops whose payload is the
    scalar form. Parameters become operands with projected maps (floordiv for
    blocks); their unit dimensions are collapsed away. qd.choose_params becomes a
    minimum and a maximum by linalg.generic and element-wise ops on them. Casts
    with stochastic rounding are left alone. Discardable attributes (qd.name) move
    to the new op.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::math::MathDialect", "::mlir::tensor::TensorDialect"];
}

def CodesToBytesPass : Pass<"qd-codes-to-bytes", "::mlir::func::FuncOp"> {
  let summary = "keep codes below eight bits, and small floats, one a byte";
  let description = [{
    Run after qd-cast-to-linalg and before qd-form-dispatches. A tensor of integers
    below eight bits, of floats of at most eight, or of another alphabet that fits a
    byte becomes a tensor of bytes: `i8` with the sign extended for signed integers,
    `!qd.uint<8>` for all others. Payloads turn bytes into codes where they read and
    codes into bytes where they write; arguments and results of the function become
    bytes. Nothing else changes: no element leaves its place, no value is rounded.
    Codes that a qd.dequantize hands to a kernel (packed weights) stay as they are.

    Errors: an op on such a tensor that is neither a data movement nor a linalg op.
  }];
  let statistics = [
    Statistic<"numTensors", "num-tensors", "Tensors whose elements became bytes">
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::qdialect::qd::QDDialect"];
}

def ExpandOpsPass : Pass<"qd-expand-ops"> {
  let summary = "expand qd casts on scalars and vectors to arith and math";
  let description = [{
    Replaces qd.quantize, qd.dequantize, qd.requantize and qd.rescale on scalars
    and vectors by the arith and math ops that compute the same bits (the
    formulas of Numerics/Quantize.h and Numerics/Rescale.h), and qd.lookup on
    scalars by tensor.extract. Run on the payloads
    of linalg.generic or after vectorization, before conversion to LLVM. Integer
    and ternary alphabets, and minifloats rounded half to even and saturated; ops
    on tensors, on other alphabets or with stochastic rounding are left alone.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
                           "::mlir::tensor::TensorDialect", "::mlir::vector::VectorDialect"];
}

def ExpandMathPass : Pass<"qd-expand-math"> {
  let summary = "expand float functions to fixed sequences of IEEE operations";
  let description = [{
    Replaces math.exp, math.log, math.erf, math.tanh, math.rsqrt, math.powf, qd.gelu
    and qd.silu on scalars and vectors by the sequences of
    Numerics/FloatFunctions.h and Numerics/FloatPower.h, which give the same bits
    on every target. f16 and bf16 are computed in f32
    and rounded once. f64 and tensors are left alone.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect"];
}

def DecomposePass : Pass<"qd-decompose"> {
  let summary = "decompose softmax, layer_norm, rms_norm, gelu, silu and block_matmul";
  let description = [{
    Replaces qd.softmax, qd.layer_norm, qd.rms_norm, qd.gelu and qd.silu by
    linalg.generic, arith and math ops that compute the same bits: row sums in
    sixteen lanes and a tree (Numerics/Reductions.h), functions by name (math.exp is
    Numerics' exp, which qd-expand-math spells out). Norms of rows of symbolic length
    and elements other than f32 are left alone. qd.block_matmul becomes an scf.for over
    blocks, unless its sum has a dynamic size.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::math::MathDialect", "::mlir::scf::SCFDialect",
                           "::mlir::tensor::TensorDialect"];
}

def ConvertQuantToQDPass : Pass<"convert-quant-to-qd"> {
  let summary = "convert quant.uniform types and casts to qd";
  let description = [{
    Replaces quant.qcast, quant.dcast and quant.scast by qd.quantize, qd.dequantize
    and qd.storage_cast with the parameters of the type as constants (per tensor,
    per axis, sub-channel), and every quantized type by the alphabet of its
    storage. qcast rounds half_even and saturates. Errors: types that are not
    uniform, a qcast to a narrowed storage range or to more than 16 bits.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::qdialect::qd::QDDialect"];
}

def ConvertQDToQuantPass : Pass<"convert-qd-to-quant"> {
  let summary = "convert qd casts with constant parameters to quant.uniform";
  let description = [{
    Replaces qd.quantize and qd.dequantize on tensors by quant.qcast, quant.dcast
    and quant.scast with the parameters in a uniform type. Casts that upstream
    cannot express (dynamic or several scales, group indices, float zero points,
    other roundings than half_even, wrapping, alphabets that are no integers) are
    left alone.
  }];
  let dependentDialects = ["::mlir::quant::QuantDialect", "::qdialect::qd::QDDialect"];
}

def LowerAlphabetsPass : Pass<"qd-lower-alphabets"> {
  let summary = "replace qd element types by the integers that store them";
  let description = [{
    Run after bufferization. Every type of the qd dialect and every float of at most
    8 bits, inside any type or attribute of the module, becomes the signless integer
    of as many bits as a code has; constants of such floats become their bits. Storage
    casts whose types became equal are erased.

    An op that computes with such types is an error, because its meaning would change
    with them: every op of qd except `storage_cast`, `lookup` and those that only pass
    tensors on, and the ops of arith and math except constants, `bitcast` and `select`.
  }];
  let dependentDialects = ["::qdialect::qd::QDDialect"];
}

//===----------------------------------------------------------------------===//
// Constant folding
//===----------------------------------------------------------------------===//

def FoldConstantsPass : Pass<"qd-fold-constants", "::mlir::func::FuncOp"> {
  let summary = "evaluate ops on constants with the interpreter";
  let description = [{
    Replaces each side-effect-free op whose operands (and captured values) are all
    constant by its value, computed by the interpreter in C++ and so with the
    reference arithmetic; the result is a dense_resource, or dense for at most 64
    elements. The constant takes the op's qd.name. Run after import and after
    every pass that rewrites weights.

    Left alone: qd.observe, qd.dequantize unless `fold-dequantize` (the codes
    of a quantized weight must stay visible), qd.dispatch, tensor.empty and fills
    (an init is no weight), ops the interpreter does not know, and results that
    would grow the program: more than 4 times as large as all operands together
    and larger than 1 MB (64 MB where a contraction multiplies by what becomes of
    them: weights that are constant are packed). A qd.quantize of a constant is folded: its codes hold the
    same rounding.

    `%t = linalg.transpose ins(%constant) ...` becomes `%t = arith.constant ...`.
  }];
  let options = [
    Option<"foldDequantize", "fold-dequantize", "bool", /*default=*/"false",
           "Also evaluate qd.dequantize of constant codes">
  ];
  let statistics = [
    Statistic<"numFolded", "num-folded", "Ops replaced by a constant">,
    Statistic<"numRefused", "num-refused",
              "Constant ops left alone because the result is too large or unknown">
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

//===----------------------------------------------------------------------===//
// Normalize, observe and quantize
//===----------------------------------------------------------------------===//

def WidenHalfPass : Pass<"qd-widen-half", "::mlir::func::FuncOp"> {
  let summary = "compute in f32 what a model stores in half precision";
  let description = [{
    Run first in the normalize phase. Every value of f16 or bf16 inside the function
    becomes one of f32, constants keep their numbers, and casts between f32 and half
    precision vanish, those of the model included: nothing is rounded to half
    precision on the way (docs/Numerics.md section 10). Arguments and results of the
    function keep their types and are converted where they enter and leave, and
    what looks at bits (arith.bitcast, qd.storage_cast) sees those of the value
    rounded to nearest even.

    Errors: a constant whose bytes are not at hand.
  }];
  let statistics = [
    Statistic<"numValues", "num-values", "Values that became f32">,
    Statistic<"numCasts", "num-casts", "Casts that vanished">
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def ConvertToChannelLastPass
    : Pass<"qd-convert-to-channel-last", "::mlir::func::FuncOp"> {
  let summary = "give convolutions and pools channel-last operands";
  let description = [{
    Run in the normalize phase, after constant folding. Convolutions (plain,
    depthwise, grouped; 1-D, 2-D, 3-D) and pools with channels before the image
    are replaced by their channel-last siblings between `linalg.transpose`s;
    constant filters are permuted in memory, codes of a `qd.dequantize` along
    with their scales. Grouped convolutions become `linalg.generic` with
    permuted maps. Run `qd-propagate-transposes` next to remove the transposes.
    Ops on buffers are left alone.

    Example: test/Transforms/convert-to-channel-last.mlir
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect", "qd::QDDialect"];
  let statistics = [
    Statistic<"numTransposes", "transposes", "Transposes inserted">
  ];
}

def PropagateTransposesPass
    : Pass<"qd-propagate-transposes", "::mlir::func::FuncOp"> {
  let summary = "move transposes until they cancel or reach the edges";
  let description = [{
    Run after `qd-convert-to-channel-last`. Transposes sink through element-wise
    ops, pads, concatenations, slices, reshapes that keep transposed dimensions
    together, observers and casts (per-axis scales are permuted), and vanish in
    reductions; then they are hoisted where one then meets its inverse and none
    is added. A transpose before a flattened matmul with constant weights is
    done to the weights. One that only moves dimensions of size 1 becomes a
    reshape. What cannot be removed stays at the edges of the program or where
    layouts really differ. Each phase moves transposes one way along a finite
    graph, so the pass ends.

    Example: test/Transforms/propagate-transposes.mlir
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect",
                           "::mlir::arith::ArithDialect", "qd::QDDialect"];
  let statistics = [
    Statistic<"numRemoved", "removed", "Transposes removed">,
    Statistic<"numRemaining", "remaining", "Transposes left">
  ];
}

def RaiseFloatOpsPass : Pass<"qd-raise-float-ops", "::mlir::func::FuncOp"> {
  let summary = "recognise gelu, silu, softmax and norms in their parts";
  let description = [{
    Run first of the normalize phase, after constant folding. Exporters that do
    not know these functions write them out, each in its own way. The pass walks
    back from each element-wise op through element-wise ops, reductions and unit
    reshapes, brings the whole expression to a polynomial over applications of
    functions and compares it with the definition, so the order of operands and
    the grouping of factors do not matter:

      gelu        x/2 + x/2 erf(x / sqrt 2), or with tanh(sqrt(2/pi) (x + 0.044715 x^3))
      silu        x / (1 + exp(-x))
      softmax     exp(x - max x) / sum exp(x - max x), or without the maximum
      layer_norm  (x - mean x) / sqrt(var x + epsilon) gamma + beta, the variance
                  as mean of (x - mean x)^2 or as mean of x^2 minus (mean x)^2
      rms_norm    x / sqrt(a sum x^2 + b) gamma, a and b positive

    Constants may differ by 1e-3 of their value. The ops that are recognised are
    replaced by qd.gelu, qd.silu, qd.softmax, qd.layer_norm, qd.rms_norm; a row that is not
    innermost is transposed for them.

    Example: test/Transforms/raise-float-ops.mlir
  }];
  let dependentDialects = ["qd::QDDialect", "::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
  let statistics = [
    Statistic<"numRaised", "raised", "Functions recognised">
  ];
}

def SortWeightGroupsPass : Pass<"qd-sort-weight-groups", "::mlir::func::FuncOp"> {
  let summary = "make blocks of weight groups that are scattered along the sum";
  let description = [{
    Run first in normalize. Constant weights of a product that share scales by a
    group index (GPTQ's act order, MatMulNBits' g_idx) are sorted by group, so that
    a group is a block of neighbours, and the activations are read in the same
    order. Left alone: groups that are not constant or no whole blocks, weights
    that anything but a product reads.

    Example: test/Transforms/sort-weight-groups.mlir
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect", "::qdialect::qd::QDDialect"];
  let statistics = [
    Statistic<"numSorted", "sorted", "Weights whose groups became blocks">,
    Statistic<"numLeft", "left", "Weights that keep a group index">
  ];
}

def FoldLayoutIntoProductsPass
    : Pass<"qd-fold-layout-into-products", "::mlir::func::FuncOp"> {
  let summary = "let products of two activations read their operands where they lie";
  let description = [{
    Run after `qd-propagate-transposes`. A product of two activations (attention)
    whose result is reshaped to several batch dimensions gets a loop for each of
    them, and transposes of its operands and of its result become permutations
    of its indexing maps, as a `linalg.generic`. Left alone: products with
    constant weights, dynamic shapes, a transpose that would take the reduced
    dimension of the left side or the columns of the result away from the
    innermost place.

    Example: test/Transforms/fold-layout-into-products.mlir
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def SinkReshapesPass : Pass<"qd-sink-reshapes", "::mlir::func::FuncOp"> {
  let summary = "move tensor.expand_shape below element-wise ops and row functions";
  let description = [{
    Run after `qd-fold-layout-into-products`. `f(expand_shape(x), y)` becomes
    `expand_shape(f(x, collapse_shape(y)))` for element-wise f whose other
    operands have all or none of each split dimension, for gelu and silu, and for
    softmax and norms whose rows stay whole; a collapse_shape of just that
    expand_shape disappears. So a product and what follows it have one shape.

    Example: test/Transforms/sink-reshapes.mlir
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def FuseUnaryFunctionsPass
    : Pass<"qd-fuse-unary-functions", "::mlir::func::FuncOp"> {
  let summary = "make functions of one tensor that are written in steps one op";
  let description = [{
    Run last of the normalize phase but for clean-up. An element-wise op that
    reads several tensors, all computed element by element from one (hard-swish
    as x * clip(x + 3, 0, 6), mish, max(x, x / 10)), takes their scalar
    operations into its payload and reads that one; so does one that scales,
    shifts or clips the result by scalar constants. Values keep their bits.
    Left alone: what anything else reads, reads an index, is broadcast, or has
    no common origin within 16 ops.

    Example: test/Transforms/fuse-unary-functions.mlir
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect"];
}

def InsertObserversPass
    : Pass<"qd-insert-observers", "::mlir::func::FuncOp"> {
  let summary = "mark the activations that a recipe quantizes";
  let description = [{
    Run at the end of the normalize phase. Puts `qd.observe` on the result of
    each unit of computation (contraction with its bias and relu or clip;
    addition or product of two tensors with its relu or clip; sum over a window
    or axis with its division; concatenation; any other function of one value)
    and on what it reads, and the program's digest (`qd.program`) on the
    function. Max pools, reshapes, transposes, slices and pads keep the grid of
    their input and are not observed. Layers that the recipe keeps float are
    left out. A function whose activations are already quantized is left alone.
    Fails when the recipe cannot be read or observers are there already.

    Example: test/Transforms/insert-observers.mlir
  }];
  let dependentDialects = ["qd::QDDialect"];
  let options = [
    Option<"recipe", "recipe", "std::string", /*default=*/"\"w8a8-int\"",
           "Name of a built-in recipe or path of a recipe file">
  ];
  let statistics = [
    Statistic<"numObserved", "observed", "Values marked">,
    Statistic<"numKeptFloat", "kept-float", "Units that the recipe keeps float">
  ];
}

def ExposeObservedPass : Pass<"qd-expose-observed", "::mlir::func::FuncOp"> {
  let summary = "turn observed values into results of the function";
  let description = [{
    Run on a copy of the program to calibrate. Every observed value becomes an
    extra result, after the program's own and in program order, those of a
    program loop one row an iteration; the function lists the names as
    `qd.observed`, and the observers are gone. Values in the branches of a
    program branch become results of the branch, and so does whether it was taken:
    flags, one a row, are results behind the values, and `qd.observed_if` has for
    each value the number of its flag (-1: none). Fails on a function of several
    blocks.

    Example: test/Transforms/expose-observed.mlir
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect", "qd::QDDialect"];
  let statistics = [
    Statistic<"numExposed", "exposed", "Values that became results">
  ];
}

def QuantizePass : Pass<"qd-quantize", "::mlir::func::FuncOp"> {
  let summary = "replace observers by casts and weights by codes";
  let description = [{
    Run after calibration. Each observer becomes `qd.quantize`, `qd.dequantize`
    with constant scale and zero point, chosen from the statistics by the
    recipe. The constant f32 weights of each contraction that is not kept float
    become a `qd.dequantize` of constant codes with one scale an output channel;
    a bias whose input's scale is known becomes one of constant i32 codes with
    scale `sx * sw`. Where that bias would reach 2^30 (tiny or dead channels)
    the channel's weight scale is raised. A producer that only a concatenation
    reads gets the concatenation's grid. Where the recipe chooses scales at run
    time the activation of a matrix product gets a qd.choose_params for each of
    its rows. Tables that payloads read rows of become codes with a scale a row if
    the recipe says so. Ops that compute are marked `qd.requested` with the
    precision that is asked of them, or "float"; the function gets `qd.recipe`
    and `qd.rescale_mode`. Without observers (a model that came quantized) only the
    marks are made. Fails when the statistics are of another program or lack a
    value. A value in a branch that no sample took has statistics of nothing: what
    needs its codes stays float, marked `qd.fallback`, and a warning says so.

    Example: test/Transforms/quantize.mlir
  }];
  let dependentDialects = ["qd::QDDialect", "::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
  let options = [
    Option<"recipe", "recipe", "std::string", /*default=*/"\"w8a8-int\"",
           "Name of a built-in recipe or path of a recipe file">,
    Option<"statistics", "statistics", "std::string", /*default=*/"\"\"",
           "Path of the statistics file that calibration wrote">
  ];
  let statistics = [
    Statistic<"numActivations", "activations", "Activations quantized">,
    Statistic<"numContractions", "contractions", "Contractions with quantized weights">,
    Statistic<"numDeadChannels", "dead-channels", "Output channels without a weight other than zero">,
    Statistic<"numRaisedChannels", "raised-channels", "Output channels whose scale was raised for the bias">,
    Statistic<"numSharedGrids", "shared-grids", "Producers that got the grid of their concatenation">,
    Statistic<"numAbsorbed", "absorbed", "Activations whose channels were shifted">,
    Statistic<"numSmoothed", "smoothed", "Activations whose channels were divided by factors">,
    Statistic<"numTables", "tables", "Tables read by rows that became codes">,
    Statistic<"numNeverRan", "never-ran", "Units kept float in branches that no sample took">
  ];
}

def StripObserversPass : Pass<"qd-strip-observers", "::mlir::func::FuncOp"> {
  let summary = "remove every qd.observe";
  let description = [{
    Replaces the result of each observer by its input. For programs that shall
    stay float after all.

    Example: test/Transforms/strip-observers.mlir
  }];
  let statistics = [
    Statistic<"numStripped", "stripped", "Observers removed">
  ];
}

//===----------------------------------------------------------------------===//
// Integerize and dispatch
//===----------------------------------------------------------------------===//

class IntegerizationPass<string argument>
    : Pass<argument, "::mlir::func::FuncOp"> {
  let dependentDialects = ["qd::QDDialect", "::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def RebaseUnsignedPass : IntegerizationPass<"qd-rebase-unsigned"> {
  let summary = "turn unsigned codes into signed ones of the same width";
  let description = [{
    Run first of the integerize phase, on QDQ programs. A value of
    `!qd.uint<N>` becomes `iN` with every code and its zero point lowered by
    2^(N-1): quantize, dequantize, constants and whatever moves the codes
    between them. Arguments and results of @main keep their types; a flip of the
    top bit (exclusive or) stands at the border. Values that other ops read stay
    as they are. Real values do not change.
  }];
}

def CommuteDequantizePass : IntegerizationPass<"qd-commute-dequantize"> {
  let summary = "move casts past ops that only move or compare numbers";
  let description = [{
    Run before qd-integerize, after qd-rebase-unsigned. A per-tensor dequantize
    sinks below reshapes, transposes, slices, pads whose value has a code,
    concatenations of one grid, maxima over windows or axes, and relu; a quantize
    climbs above the same ops (not slices) when nothing else reads their input.
    quantize(dequantize(q)) of one grid becomes q. Every rewrite is exact;
    dequantize(quantize(x)) is never removed.
  }];
}

def IntegerizePass : IntegerizationPass<"qd-integerize"> {
  let summary = "rewrite dequantize-compute-quantize islands into integer arithmetic";
  let description = [{
    Run after qd-commute-dequantize. For every qd.quantize, matches the float ops
    back to the dequantizes they read. A contraction with constant weights
    becomes `i8 x i8 -> i32` over an init that holds bias and zero point
    compensation; sums, products and average pools their integer form; any
    function of one tensor a table of 256 codes (docs/PhaseContract.md
    section 5). A product whose activation has scales made at run time ends in
    floats behind its integer sum; a payload that reads a dequantized table reads
    its codes. The rounding to the output grid follows `rescale`. Refuses what it
    cannot prove: an accumulator outside i32, a zero point that does not fold.
    What stays float although it was asked to be integer (qd.requested), or,
    where nothing says what was asked, although it stands between dequantize and
    quantize, is marked with qd.fallback and the reason.

    Sets qd.acc_bound (bounds of the accumulators, and of what element-wise ops
    round, over all inputs), qd.macs, qd.intermediate_bits, and qd.error_lsb: how far the value before the last rounding can be from
    the exact one, in steps of the output.
  }];
  let dependentDialects = ["qd::QDDialect", "::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::math::MathDialect"];
  let options = [
    Option<"rescale", "rescale", "std::string", /*default=*/"\"float\"",
           "How accumulators reach the output grid: float (one f32 scale) or dyadic (integers alone)">
  ];
  let statistics = [
    Statistic<"numContractions", "contractions", "Contractions made integer">,
    Statistic<"numElementwise", "elementwise", "Sums, products and affine maps made integer">,
    Statistic<"numPools", "pools", "Average pools and means made integer">,
    Statistic<"numTables", "tables", "Functions of one tensor made tables">,
    Statistic<"numNonlinear", "nonlinear", "Softmax, norms, gelu and silu made integer">,
    Statistic<"numTableReads", "table-reads", "Reads of a dequantized table that read its codes">,
    Statistic<"numFallbacks", "fallbacks", "Ops left in float against the request">
  ];
}

def VerifyFallbacksPass : Pass<"qd-verify-fallbacks", "::mlir::func::FuncOp"> {
  let summary = "make every fallback an error";
  let description = [{
    Emits one error for each op that carries qd.fallback, naming the layer and
    the reason, and fails if there was one. Accepts any phase from integerize on.
  }];
}

def VerifyIntegerOnlyPass : Pass<"qd-verify-integer-only", "::mlir::func::FuncOp"> {
  let summary = "make every float of an integer-only program an error";
  let description = [{
    Run after qd-integerize, on functions that carry `qd.integer_only` (a recipe's `integer_only: true`).
    Floats may stand between an argument and a qd.quantize, and between a qd.dequantize and a result, for
    ops that move data and change precision. Any other float operand or result, in payloads too, is an error
    that names the layer and the op. Example: test/Transforms/verify-integer-only.mlir
  }];
}

def FormDispatchesPass : Pass<"qd-form-dispatches", "::mlir::func::FuncOp"> {
  let summary = "cut the program into qd.dispatch ops, the units of code generation";
  let description = [{
    Run last, on an integer program or on a float one, after qd-cast-to-linalg.
    Groups a contraction, pool or reduction with the element-wise ops that
    follow it (each the only reader of the one before, over the same iteration
    space; other operands of the same shape, such as a residual, become inputs),
    and chains of element-wise ops among themselves. Data movement stands alone.
    Constants, fills and pads that the kernel applies as it loads are copied
    into the region. Program loops and branches stay and are cut inside. Leaves
    qd.dispatch, tensor.collapse_shape, tensor.expand_shape and func.return at the
    top level (docs/PhaseContract.md section 6). Refuses ops with several results.
  }];
  let dependentDialects = ["qd::QDDialect"];
  let statistics = [
    Statistic<"numDispatches", "dispatches", "Dispatches formed">,
    Statistic<"numFused", "fused", "Element-wise ops fused into the dispatch of their producer">
  ];
}

#endif // QDIALECT_TRANSFORMS_PASSES_TD
