// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Moves casts out of the way of ops that only move or compare numbers:
//
//   transpose(dequantize(q))  =>  dequantize(transpose(q))
//   quantize(concat(x, y))    =>  concat(quantize(x), quantize(y))
//
// Each rewrite is exact. Moving data commutes with any element-wise function;
// max commutes with every non-decreasing one, which both casts are; a pad needs
// the code of its value, which for a dequantize must exist exactly (real 0 is
// the zero point's code); channels with grids of their own have each their
// code, and a max may not join them.
// quantize(dequantize(q)) of one grid is q. The other order,
// dequantize(quantize(x)), is never touched: it holds an error that the program
// means to make.

#include "GreedyRewrite.h"
#include "IndexedCasts.h"
#include "IntegerizeGrid.h"
#include "IntegerizeRetype.h"
#include "PadCodes.h"
#include "QDialect/Analysis/ContractionStructure.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/Analysis/TensorSizes.h"
#include "QDialect/IR/AttributeNames.h"
#include "QDialect/Transforms/Passes.h"
#include "QuantizableUnits.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"

#define DEBUG_TYPE "qd-commute-dequantize"

namespace qdialect {
#define GEN_PASS_DEF_COMMUTEDEQUANTIZEPASS
#include "QDialect/Transforms/Passes.h.inc"
} // namespace qdialect

using namespace mlir;

namespace qdialect {
namespace {

Type withElement(Type type, Type element) {
  return cast<RankedTensorType>(type).clone(element);
}

/// Is `op` a tensor's copy in another arrangement, whose every element is one
/// of its first operand?
bool isRearrangement(Operation *op) {
  return isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp,
             tensor::ExtractSliceOp, linalg::TransposeOp>(op) ||
         isCopy(op);
}

/// The same rearrangement of `input`, whose element type may differ.
Value rearrange(OpBuilder &builder, Operation *op, Value input) {
  Type element = getElementTypeOrSelf(input.getType());
  Type result = withElement(op->getResult(0).getType(), element);
  Operation *copy;
  if (auto transpose = dyn_cast<linalg::TransposeOp>(op)) {
    Value empty = makePermutedEmpty(builder, op->getLoc(), input,
                                    transpose.getPermutation());
    copy = linalg::TransposeOp::create(builder, op->getLoc(), input, empty,
                                       transpose.getPermutation());
  } else if (isCopy(op)) {
    Value empty =
        makeEmptyLike(builder, op->getLoc(), op->getResult(0), element);
    copy = retypeLinalg(builder, cast<linalg::LinalgOp>(op), {input, empty});
  } else {
    IRMapping map;
    map.map(op->getOperand(0), input);
    copy = builder.clone(*op, map);
    copy->getResult(0).setType(result);
  }
  copyMarks(op, copy);
  return copy->getResult(0);
}

/// The pad with `codes` in place of its value.
Value padWith(OpBuilder &builder, tensor::PadOp pad, Value input,
              Coefficient codes) {
  // Seeded fault 27: pads with 0 where the zero point's code is wanted.
  if constexpr (QDIALECT_MUTATE == 27)
    codes = Coefficient::scalar(0);
  return padCodes(builder, pad, input, codes);
}

Value padWith(OpBuilder &builder, tensor::PadOp pad, Value input,
              int64_t code) {
  return padWith(builder, pad, input,
                 Coefficient::scalar(static_cast<double>(code)));
}

double paddingOf(Attribute value) {
  return cast<FloatAttr>(value).getValueAsDouble();
}

/// A max over windows or axes, on codes. The lowest code stands for -infinity:
/// the init of a max.
Value maxOfCodes(OpBuilder &builder, linalg::LinalgOp op, Value input,
                 const CodeGrid &grid) {
  Location loc = op.getLoc();
  auto empty = [&](Value like) -> Value {
    return makeEmptyLike(builder, loc, like, grid.alphabet);
  };
  SmallVector<Value> operands{input};
  if (op.getNumDpsInputs() == 2) // a window, of which only the shape counts
    operands.push_back(empty(op->getOperand(1)));
  Value lowest = arith::ConstantOp::create(
      builder, loc, builder.getIntegerAttr(grid.alphabet, grid.min));
  operands.push_back(
      linalg::FillOp::create(builder, loc, lowest, empty(op->getResult(0)))
          .getResult(0));
  Operation *copy = retypeLinalg(builder, op, operands);
  copyMarks(op, copy);
  return copy->getResult(0);
}

/// A max over windows or axes of floats from a fill of -infinity, which the
/// casts commute with.
bool isPlainMax(linalg::LinalgOp op) {
  if (getReductionKind(op) != ReductionKind::Max)
    return false;
  std::optional<Attribute> init = getSplatValue(op.getDpsInits()[0]);
  auto value = init ? dyn_cast<FloatAttr>(*init) : FloatAttr();
  // The importers fill with -inf or with the lowest finite value; both lie
  // below every dequantized code.
  return value &&
         (value.getValue().isInfinity() || value.getValue().isLargest()) &&
         value.getValue().isNegative();
}

AffineMap identityOf(Operation *cast) {
  auto type = mlir::cast<RankedTensorType>(cast->getResult(0).getType());
  return AffineMap::getMultiDimIdentityMap(type.getRank(), cast->getContext());
}

/// -infinity in front of a max is any code that no element is below.
bool isBeforeMax(tensor::PadOp pad) {
  return llvm::all_of(pad->getUsers(), [](Operation *user) {
    auto linalgOp = dyn_cast<linalg::LinalgOp>(user);
    return linalgOp && isPlainMax(linalgOp);
  });
}

/// The code that stands for the padding `real`, if there is one.
std::optional<int64_t> paddingCode(tensor::PadOp pad, double real,
                                   const CodeGrid &grid) {
  if (isBeforeMax(pad) && real < grid.scale * (grid.min - grid.zeroPoint))
    return grid.min;
  return grid.exactCode(real);
}

//===----------------------------------------------------------------------===//
// dequantize, downwards
//===----------------------------------------------------------------------===//

/// f(dequantize(q)) => dequantize(f(q)) for the one-input ops above.
struct SinkDequantize : RewritePattern {
  SinkDequantize(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    if (op->getNumOperands() == 0 || op->getNumResults() != 1)
      return failure();
    auto dequantize = op->getOperand(0).getDefiningOp<qd::DequantizeOp>();
    if (!dequantize)
      return failure();
    std::optional<CodeGrid> grid = getGrid(dequantize);
    if (!grid && isRearrangement(op) && hasOneScale(dequantize))
      return rearrangeCodes(op, dequantize, rewriter);
    if (!grid)
      return sinkByIndex(op, dequantize, rewriter);
    Value codes = moveCodes(op, dequantize.getInput(), *grid, rewriter);
    if (!codes)
      return failure();
    auto result = makeDequantize(rewriter, op->getLoc(),
                                 op->getResult(0).getType(), codes, *grid);
    if (Attribute name = op->getAttr(qd::kNameAttr))
      result->setAttr(qd::kNameAttr, name);
    rewriter.replaceOp(op, result->getResults());
    return success();
  }

  /// Codes that are no integers (minifloats), all of one scale.
  static bool hasOneScale(qd::DequantizeOp dequantize) {
    return !dequantize.getGroupIndex() && !dequantize.getZeroPoint() &&
           !isComputedFromConstants(dequantize.getInput()) &&
           llvm::all_of(dequantize.getScales(), [](Value scale) {
             return cast<RankedTensorType>(scale.getType()).getRank() == 0;
           });
  }

  static LogicalResult rearrangeCodes(Operation *op,
                                      qd::DequantizeOp dequantize,
                                      PatternRewriter &rewriter) {
    Value codes = rearrange(rewriter, op, dequantize.getInput());
    IRMapping map;
    map.map(dequantize.getInput(), codes);
    Operation *result = rewriter.clone(*dequantize, map);
    result->getResult(0).setType(op->getResult(0).getType());
    rewriter.replaceOp(op, result->getResults());
    return success();
  }

  /// Codes whose channels have several grids.
  static LogicalResult sinkByIndex(Operation *op, qd::DequantizeOp dequantize,
                                   PatternRewriter &rewriter) {
    Value codes = dequantize.getInput();
    CastNumbers numbers = CastNumbers::of(dequantize);
    auto pad = dyn_cast<tensor::PadOp>(op);
    auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
    if (isRearrangement(op)) {
      // Weights are rearranged when they are read.
      if (isComputedFromConstants(codes) ||
          !getIndexedGrid(dequantize, identityOf(dequantize)))
        return rewriter.notifyMatchFailure(op, "no grid for each channel");
      std::optional<CastNumbers> moved =
          moveNumbers(rewriter, op, dequantize, /*toSource=*/false);
      if (!moved)
        return rewriter.notifyMatchFailure(op, "it regroups the channels");
      numbers = *moved;
      codes = rearrange(rewriter, op, codes);
    } else {
      bool isMax = linalgOp && isPlainMax(linalgOp);
      std::optional<IndexedGrid> grid;
      if (pad || isMax)
        grid = gridsKeptBy(op, dequantize);
      if (!grid)
        return rewriter.notifyMatchFailure(op, "not one grid for the tensor");
      Attribute value = getConstantPadding(op);
      std::optional<Coefficient> padding;
      if (value)
        padding = codesByIndex(*grid, [&](const CodeGrid &one) {
          return paddingCode(pad, paddingOf(value), one);
        });
      if (pad && !padding)
        return rewriter.notifyMatchFailure(op, "its padding has no code");
      codes = pad ? padWith(rewriter, pad, codes, *padding)
                  : maxOfCodes(rewriter, linalgOp, codes, grid->codes);
    }
    auto result = qd::DequantizeOp::create(
        rewriter, op->getLoc(), op->getResult(0).getType(), codes,
        numbers.scales, numbers.zeroPoint, numbers.blockSizes);
    copyMarks(dequantize, result);
    rewriter.replaceOp(op, result->getResults());
    return success();
  }

  static Value moveCodes(Operation *op, Value codes, const CodeGrid &grid,
                         PatternRewriter &rewriter) {
    if (isRearrangement(op))
      return rearrange(rewriter, op, codes);
    if (auto pad = dyn_cast<tensor::PadOp>(op)) {
      Attribute value = getConstantPadding(pad);
      if (!value || !grid.alphabet.isSignlessInteger())
        return {};
      if (std::optional<int64_t> code =
              paddingCode(pad, paddingOf(value), grid))
        return padWith(rewriter, pad, codes, *code);
      return {};
    }
    if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
        linalgOp && grid.alphabet.isSignlessInteger() && isPlainMax(linalgOp))
      return maxOfCodes(rewriter, linalgOp, codes, grid);
    if (isRelu(op) && grid.alphabet.isSignlessInteger() &&
        grid.zeroPoint >= grid.min && grid.zeroPoint <= grid.max)
      return reluOfCodes(op, codes, grid, rewriter);
    return {};
  }

  /// max(x, 0) = (max(q, z) - z) * s.
  static Value reluOfCodes(Operation *op, Value codes, const CodeGrid &grid,
                           PatternRewriter &rewriter) {
    auto type = cast<RankedTensorType>(codes.getType());
    Value empty = makeEmptyLike(rewriter, op->getLoc(), codes, grid.alphabet);
    AffineMap identity = rewriter.getMultiDimIdentityMap(type.getRank());
    auto max = linalg::GenericOp::create(
        rewriter, op->getLoc(), type, mlir::ValueRange{codes},
        mlir::ValueRange{empty}, ArrayRef<AffineMap>{identity, identity},
        SmallVector<utils::IteratorType>(type.getRank(),
                                         utils::IteratorType::parallel),
        [&](OpBuilder &b, Location l, mlir::ValueRange args) {
          Value zero = arith::ConstantOp::create(
              b, l, b.getIntegerAttr(grid.alphabet, grid.zeroPoint));
          Value result = arith::MaxSIOp::create(b, l, args[0], zero);
          linalg::YieldOp::create(b, l, result);
        });
    copyMarks(op, max);
    return max.getResult(0);
  }
};

/// concat(dequantize(a), dequantize(b)) of one grid => dequantize(concat(a, b))
struct SinkDequantizeConcat : OpRewritePattern<tensor::ConcatOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::ConcatOp op,
                                PatternRewriter &rewriter) const override {
    SmallVector<Value> codes;
    std::optional<CodeGrid> grid;
    for (Value input : op.getInputs()) {
      auto dequantize = input.getDefiningOp<qd::DequantizeOp>();
      std::optional<CodeGrid> one;
      if (dequantize)
        one = getGrid(dequantize);
      if (!one || (grid && *grid != *one))
        return rewriter.notifyMatchFailure(op, "inputs of different grids");
      grid = one;
      codes.push_back(dequantize.getInput());
    }
    auto concat =
        tensor::ConcatOp::create(rewriter, op.getLoc(), op.getDim(), codes);
    copyMarks(op, concat);
    auto result =
        makeDequantize(rewriter, op.getLoc(), op.getType(), concat, *grid);
    if (Attribute name = op->getAttr(qd::kNameAttr))
      result->setAttr(qd::kNameAttr, name);
    rewriter.replaceOp(op, result->getResults());
    return success();
  }
};

//===----------------------------------------------------------------------===//
// quantize, upwards
//===----------------------------------------------------------------------===//

/// quantize(f(x)) => f(quantize(x)) for rearrangements, pads, concats and
/// maxima that nothing else reads.
struct HoistQuantize : OpRewritePattern<qd::QuantizeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(qd::QuantizeOp op,
                                PatternRewriter &rewriter) const override {
    Operation *producer = op.getInput().getDefiningOp();
    if (!producer || !producer->hasOneUse() ||
        !isa<RankedTensorType>(op.getType()) || !roundsToNearest(op))
      return failure();
    std::optional<CodeGrid> grid = getGrid(op);
    Value codes = grid ? moveAbove(producer, *grid, rewriter)
                       : moveAboveByIndex(producer, op, rewriter);
    if (!codes)
      return failure();
    rewriter.replaceOp(op, codes);
    return success();
  }

  /// Channels that are quantized by a grid each.
  static Value moveAboveByIndex(Operation *op, qd::QuantizeOp quantize,
                                PatternRewriter &rewriter) {
    auto quantized = [&](const CastNumbers &numbers) -> Value {
      Value input = op->getOperand(0);
      return qd::QuantizeOp::create(
          rewriter, op->getLoc(),
          withElement(input.getType(),
                      getElementTypeOrSelf(quantize.getType())),
          input, numbers.scales, numbers.zeroPoint, numbers.blockSizes);
    };
    if (isRearrangement(op)) {
      if (!getIndexedGrid(quantize, identityOf(quantize)))
        return {};
      std::optional<CastNumbers> moved =
          moveNumbers(rewriter, op, quantize, /*toSource=*/true);
      return moved ? rearrange(rewriter, op, quantized(*moved)) : Value();
    }
    auto pad = dyn_cast<tensor::PadOp>(op);
    auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
    if (!pad && !(linalgOp && isPlainMax(linalgOp)))
      return {};
    std::optional<IndexedGrid> grid = gridsKeptBy(op, quantize);
    std::optional<Coefficient> padding;
    if (Attribute value = getConstantPadding(op); grid && value)
      padding = codesByIndex(*grid, [&](const CodeGrid &one) {
        return std::optional<int64_t>(one.encode(paddingOf(value)));
      });
    if (!grid || (pad && !padding))
      return {};
    Value codes = quantized(CastNumbers::of(quantize));
    return pad ? padWith(rewriter, pad, codes, *padding)
               : maxOfCodes(rewriter, linalgOp, codes, grid->codes);
  }

  static Value quantized(OpBuilder &builder, Operation *op, Value input,
                         const CodeGrid &grid) {
    return makeQuantize(builder, op->getLoc(), input, grid);
  }

  static Value moveAbove(Operation *op, const CodeGrid &grid,
                         PatternRewriter &rewriter) {
    // A slice is left: quantizing what it drops is work for nothing.
    if (isRearrangement(op) && !isa<tensor::ExtractSliceOp>(op))
      return rearrange(rewriter, op,
                       quantized(rewriter, op, op->getOperand(0), grid));
    if (auto concat = dyn_cast<tensor::ConcatOp>(op)) {
      SmallVector<Value> codes;
      for (Value input : concat.getInputs())
        codes.push_back(quantized(rewriter, op, input, grid));
      auto copy = tensor::ConcatOp::create(rewriter, op->getLoc(),
                                           concat.getDim(), codes);
      copyMarks(op, copy);
      return copy;
    }
    if (!grid.alphabet.isSignlessInteger())
      return {};
    if (auto pad = dyn_cast<tensor::PadOp>(op)) {
      Attribute value = getConstantPadding(pad);
      if (!value)
        return {};
      return padWith(rewriter, pad,
                     quantized(rewriter, op, pad.getSource(), grid),
                     grid.encode(paddingOf(value)));
    }
    auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
    if (linalgOp && isPlainMax(linalgOp))
      return maxOfCodes(rewriter, linalgOp,
                        quantized(rewriter, op, op->getOperand(0), grid), grid);
    return {};
  }
};

/// quantize(dequantize(q)) of one grid => q
struct FoldQuantizeOfDequantize : OpRewritePattern<qd::QuantizeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(qd::QuantizeOp op,
                                PatternRewriter &rewriter) const override {
    auto dequantize = op.getInput().getDefiningOp<qd::DequantizeOp>();
    if (!dequantize || !roundsToNearest(op))
      return failure();
    std::optional<CodeGrid> from = getGrid(dequantize), to = getGrid(op);
    if (!from || !to || *from != *to)
      return rewriter.notifyMatchFailure(op, "the grids differ");
    rewriter.replaceOp(op, dequantize.getInput());
    return success();
  }
};

struct CommuteDequantizePass
    : public impl::CommuteDequantizePassBase<CommuteDequantizePass> {
  using CommuteDequantizePassBase::CommuteDequantizePassBase;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<SinkDequantize, SinkDequantizeConcat, HoistQuantize,
                 FoldQuantizeOfDequantize>(&getContext());
    if (failed(
            applyPatternsBesideConstants(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
} // namespace qdialect
