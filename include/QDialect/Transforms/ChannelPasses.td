//===- ChannelPasses.td - Passes over channels -------------*- tablegen -*-===//
// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Passes that scale and shift the channels of a float program and leave what it
// computes as it is, so that quantization loses less.
//===----------------------------------------------------------------------===//
#ifndef QDIALECT_TRANSFORMS_CHANNELPASSES_TD
#define QDIALECT_TRANSFORMS_CHANNELPASSES_TD

include "mlir/Pass/PassBase.td"

//===----------------------------------------------------------------------===//
// Before calibration
//===----------------------------------------------------------------------===//

def FoldChannelAffinePass
    : Pass<"qd-fold-channel-affine", "::mlir::func::FuncOp"> {
  let summary = "fold channel-wise multiplications and additions into weights";
  let description = [{
    Run in the normalize phase, after constant folding. A chain of element-wise
    ops that together are `y * a + b` with constants of one value an output
    channel (or a scalar), after a contraction or convolution of any kind with
    constant f32 weights whose result has no other reader, becomes weights
    multiplied by `a` (computed in f64, rounded once) and one addition of a
    constant bias. Reshapes that keep the channels together may stand between.
    Left alone: weights that are not constants (quantized ones included),
    contractions that add to something other than zero when `a` is not 1.

    Example: test/Transforms/fold-channel-affine.mlir
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect",
                           "::mlir::arith::ArithDialect"];
  let statistics = [
    Statistic<"numFolded", "folded", "Element-wise ops that went into weights">
  ];
}

def EqualizeCrossLayerPass
    : Pass<"qd-equalize-cross-layer", "::mlir::func::FuncOp"> {
  let summary = "even out weight ranges between the layers that share channels";
  let description = [{
    Run on a float program in the normal form, before calibration. Where layers
    make and read the channels of a value and nothing between them blocks
    factors (Analysis/ChannelGroup.h), each channel is scaled so that its
    largest weight is the same on both sides: f = sqrt(r2 / r1), weights and
    biases of the makers times f, weights of the readers divided by f. All
    groups are visited in turn until no factor changes by more than 0.01 %, then
    every weight is rounded once. The program computes the same function; a
    weight scale or an activation scale for a whole tensor loses less.

    Left alone: channels whose weights are all zero on one side; values that a
    clip (relu6), gelu or sigmoid reads. Layers around a residual sum share one
    factor a channel. Factors stay within 2^-16 and 2^16.

    Source: Nagel et al., "Data-Free Quantization Through Weight Equalization and
    Bias Correction", ICCV 2019, section 4.1.

    Example: test/Transforms/equalize-cross-layer.mlir
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
  let options = [
    Option<"maxSweeps", "max-sweeps", "unsigned", "100",
           "Visits of all groups at most">
  ];
  let statistics = [
    Statistic<"numGroups", "groups", "Sets of channels that were evened out">,
    Statistic<"numSweeps", "sweeps", "Visits of all groups until they settled">
  ];
}

//===----------------------------------------------------------------------===//
// On a calibrated program
//===----------------------------------------------------------------------===//

/// Rewrites a program with observers by its statistics. What the values of the
/// rewritten program are is known without another calibration.
class CalibratedPass<string name, list<Option> more = []>
    : Pass<name, "::mlir::func::FuncOp"> {
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect", "::qdialect::qd::QDDialect"];
  let options = !listconcat(more, [
    Option<"statistics", "statistics", "std::string", /*default=*/"\"\"",
           "Path of the statistics file of the program as it is">,
    Option<"outputStatistics", "output-statistics", "std::string", /*default=*/"\"\"",
           "Where to write the statistics of the program as it becomes; none: calibrate again">
  ]);
}

/// The same, for the layers that a recipe quantizes, in its formats.
class RecipePass<string name, list<Option> more = []>
    : CalibratedPass<name, !listconcat([
        Option<"recipe", "recipe", "std::string", /*default=*/"\"w8a8-int\"",
               "Name of a built-in recipe or path of a recipe file">], more)>;

def AbsorbBiasPass
    : CalibratedPass<"qd-absorb-bias", [
        Option<"sigmas", "sigmas", "double", /*default=*/"0",
               "How many standard deviations below its mean the channel of a relu ends; 0: at "
               "the least value seen">]> {
  let summary = "move large biases behind the next contraction";
  let description = [{
    Where contractions with constant weights alone read what a contraction and
    perhaps a relu make, each channel gives a constant c to them:

      relu(W1 x + b1 - c) = relu(W1 x + b1) - c    as long as W1 x + b1 >= c
      W2 (y - c) + (W2 c + b2) = W2 y + b2

    Behind a relu c is the least value that the channel takes (never negative), so
    that the program computes the same on the data of the statistics; with
    `sigmas` n it is its mean less n standard deviations, and values below it are
    cut off: the paper's choice is 3, one value in 740 of a normal distribution.
    Without a relu c is the middle of the channel's range and the program the
    same for every input. Both narrow the range of a tensor, which has one scale.

    Left alone: tensors whose range would stay as it is, values that anything else
    reads, pads by zeros in between (the zeros would become -c), clips (relu6).

    Source: Nagel et al., "Data-Free Quantization Through Weight Equalization and
    Bias Correction", ICCV 2019, section 4.1.3.

    Example: test/Transforms/absorb-bias.mlir
  }];
  let statistics = [
    Statistic<"numAbsorbed", "absorbed", "Values whose channels were shifted">
  ];
}

/// One choice of the factors of channels.
class SmoothingPass<string name, list<Option> more = []>
    : RecipePass<name, more> {
  let statistics = [
    Statistic<"numSmoothed", "smoothed", "Values whose channels were divided">
  ];
}

def SmoothActivationsPass
    : SmoothingPass<"qd-smooth-activations", [
        Option<"alpha", "alpha", "double", /*default=*/"0.5",
               "0 evens the weights alone, 1 the activations alone">]> {
  let summary = "even out channels between activations and weights (SmoothQuant)";
  let description = [{
    Divides channel c of what contractions with constant weights alone read by

      f[c] = max |x[c]|^alpha / max |w[c]|^(1 - alpha)

    and multiplies their weights by it (PTQ/Smoothing.h). Where integers make the
    activation, the weights and biases that it is made with are divided
    (Analysis/ChannelGroup.h). What floats make (norms, gelu) is divided by an
    element-wise op in front of its observer, which qd-quantize makes part of the
    scales of the qd.quantize: it costs nothing. The program computes the same.

    qd-quantize does this itself where the recipe has `smoothing`; values whose
    channels the statistics do not tell, and those with other readers, are left
    alone.

    Source: Xiao et al., "SmoothQuant", ICML 2023.

    Example: test/Transforms/smooth-activations.mlir
  }];
}

def EqualizeLogPass : SmoothingPass<"qd-equalize-log"> {
  let summary = "even out channels by their logarithms (FPTQ)";
  let description = [{
    As qd-smooth-activations, by f[c] = a[c] / log2(2 + a[c]) with a[c] the largest
    magnitude of the channel, for values whose largest magnitude lies between 15
    and 150. Smaller ones need no factors; larger ones are left to scales chosen at
    run time, which qd-quantize gives them where the recipe has `smoothing: log`.

    Source: Li et al., "FPTQ", arXiv 2308.15987.

    Example: test/Transforms/smoothing-passes.test
  }];
}

def ClipPercentilePass : SmoothingPass<"qd-clip-percentile"> {
  let summary = "bring the few largest channels to the others (DGQ)";
  let description = [{
    As qd-smooth-activations, by f[c] = max(1, a[c] / base) with a[c] the largest
    magnitude of the channel and base the n-th largest of them, n = 0.005 C + 1.5:
    half a percent of the channels change.

    Source: Zhang et al., "Dual Grained Quantization", arXiv 2310.04836.

    Example: test/Transforms/smoothing-passes.test
  }];
}

def AWQPass : SmoothingPass<"qd-awq"> {
  let summary = "scale channels for the rounding of the weights (AWQ)";
  let description = [{
    As qd-smooth-activations, by the powers of the channels' root mean squares,
    0, 0.05, ... 0.95, that make the error of the outputs least when the weights
    are rounded in the recipe's format: for weights of few bits.

    Source: Lin et al., "AWQ", MLSys 2024.

    Example: test/Transforms/smoothing-passes.test
  }];
}

def CorrectBiasPass
    : RecipePass<"qd-correct-bias", [
        Option<"calibration", "calibration", "std::string", /*default=*/"\"\"",
               "Samples to run the quantized program on, layer by layer; none: by the statistics">]> {
  let summary = "give to biases what rounding will take from means";
  let description = [{
    Rounding the weights of a contraction to the recipe's format shifts the mean of
    each output by (W' - W) E[x]. The pass takes that from the bias, or adds one.
    With samples it is the shift that these have in the quantized program, whose
    layers in front are corrected already: rounded activations and clamps count, too.
    The float program changes by just that; quantized (by qd-quantize with a recipe
    without `bias_correction`) it has the means of the program it was. The
    statistics, which stay, are those of that program.

    Source: Nagel et al., "Data-Free Quantization Through Weight Equalization and
    Bias Correction", ICCV 2019, section 4.2.

    Example: test/Transforms/correct-bias.test
  }];
  let statistics = [
    Statistic<"numCorrected", "corrected", "Contractions whose bias was corrected">
  ];
}

#endif // QDIALECT_TRANSFORMS_CHANNELPASSES_TD
