// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Layout-agnostic ops rebuilt in another order of dimensions (LayoutOps.h).

#include "LayoutOps.h"
#include "QDialect/Analysis/AxisInterpolation.h"
#include "QDialect/Analysis/LinalgQueries.h"
#include "QDialect/Analysis/TensorSizes.h"
#include "QDialect/IR/QDDialect.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace qdialect {

/// A generic over one tensor that slides a window or normalizes along some axis
/// without moving dimensions: position i of the input's index depends on the
/// loop at position i of the output and on reduction loops alone. All other
/// inputs carry no dimension of the output (the shape of the window).
static bool isWindowedGeneric(linalg::GenericOp op) {
  if (op.getNumDpsInits() != 1 || op.getNumDpsInputs() == 0 ||
      !op.hasPureTensorSemantics() || op.hasIndexSemantics())
    return false;
  AffineMap output = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  AffineMap input = op.getMatchingIndexingMap(op.getDpsInputOperand(0));
  if (!output.isProjectedPermutation() ||
      input.getNumResults() != output.getNumResults())
    return false;
  for (auto [position, expr] : llvm::enumerate(input.getResults())) {
    bool own = false;
    for (auto [other, loop] : llvm::enumerate(output.getResults())) {
      bool uses = expr.isFunctionOfDim(cast<AffineDimExpr>(loop).getPosition());
      own |= uses && other == position;
      if (uses && other != position)
        return false;
    }
    if (!own)
      return false;
  }
  SmallVector<OpOperand *> inputs = op.getDpsInputOperands();
  for (OpOperand *operand : llvm::drop_begin(inputs))
    for (AffineExpr loop : output.getResults())
      if (op.getMatchingIndexingMap(operand).isFunctionOfDim(
              cast<AffineDimExpr>(loop).getPosition()))
        return false;
  return true;
}

bool isLayoutAgnostic(Operation *op) {
  if (!op || op->getNumResults() != 1)
    return false;
  return TypeSwitch<Operation *, bool>(op)
      .Case<linalg::GenericOp>([](linalg::GenericOp generic) {
        return isElementwiseGeneric(generic.getOperation()) ||
               isWindowedGeneric(generic);
      })
      .Case<tensor::PadOp>([](tensor::PadOp pad) {
        return static_cast<bool>(pad.getConstantPaddingValue());
      })
      .Case<tensor::ExtractSliceOp>([](tensor::ExtractSliceOp slice) {
        return slice.getSourceType().getRank() == slice.getType().getRank();
      })
      .Case<qd::QuantizeOp>([](qd::QuantizeOp op) {
        return isa<RankedTensorType>(op.getType()) && !op.getGroupIndex() &&
               llvm::all_of(op->getOperands().drop_front(), [](Value value) {
                 return cast<RankedTensorType>(value.getType()).getRank() ==
                            0 ||
                        isPermutableConstant(value);
               });
      })
      .Case<qd::DequantizeOp>([](qd::DequantizeOp op) {
        return isa<RankedTensorType>(op.getType()) && !op.getGroupIndex() &&
               llvm::all_of(op->getOperands().drop_front(), [](Value value) {
                 return cast<RankedTensorType>(value.getType()).getRank() ==
                            0 ||
                        isPermutableConstant(value);
               });
      })
      .Case<tensor::ConcatOp, qd::ObserveOp, qd::SoftmaxOp>(
          [](auto) { return true; })
      .Case<qd::GeluOp, qd::SiluOp, qd::LookupOp, qd::StorageCastOp>(
          [](auto op) { return isa<RankedTensorType>(op.getType()); })
      .Default([](Operation *) { return false; });
}

SmallVector<Value> layoutOperands(Operation *op) {
  if (auto concat = dyn_cast<tensor::ConcatOp>(op))
    return llvm::to_vector(concat.getInputs());
  auto generic = dyn_cast<linalg::GenericOp>(op);
  if (!generic)
    return {op->getOperand(0)};
  if (!isElementwiseGeneric(generic.getOperation()))
    return {generic.getDpsInputs()[0]};
  SmallVector<Value> result;
  for (OpOperand *operand : generic.getDpsInputOperands())
    if (generic.getMatchingIndexingMap(operand).getNumResults() ==
        generic.getNumLoops())
      result.push_back(operand->get());
  for (auto read : generic.getBlock()->getOps<tensor::ExtractOp>())
    if (isAlignedRead(generic, read) &&
        !llvm::is_contained(result, read.getTensor()))
      result.push_back(read.getTensor());
  return result;
}

bool isFreeToPermute(Value value, ArrayRef<int64_t> permutation) {
  if (auto transpose = value.getDefiningOp<linalg::TransposeOp>())
    return isIdentityPermutation(
        composePermutations(transpose.getPermutation(), permutation));
  return isPermutableConstant(value) ||
         isa_and_nonnull<linalg::FillOp, tensor::EmptyOp>(
             value.getDefiningOp());
}

/// The order that makes the results of a projected permutation ascend.
static Permutation sortResults(AffineMap map) {
  Permutation order =
      llvm::to_vector<6>(llvm::seq<int64_t>(0, map.getNumResults()));
  llvm::sort(order, [&](int64_t a, int64_t b) {
    return map.getDimPosition(a) < map.getDimPosition(b);
  });
  return order;
}

/// The payload of an element-wise op whose loop number d became `newName[d]`;
/// what it reads in step with the loops is permuted like the result.
static void renameLoops(RewriterBase &rewriter, linalg::GenericOp op,
                        ArrayRef<int64_t> newName,
                        ArrayRef<int64_t> permutation) {
  SmallVector<tensor::ExtractOp> aligned;
  for (auto read : op.getBlock()->getOps<tensor::ExtractOp>())
    if (isAlignedRead(op, read))
      aligned.push_back(read);
  op.walk([&](linalg::IndexOp index) {
    rewriter.modifyOpInPlace(index,
                             [&] { index.setDim(newName[index.getDim()]); });
  });
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPoint(op);
  llvm::SmallDenseMap<Value, Value> sources;
  for (tensor::ExtractOp read : aligned) {
    Value &source = sources[read.getTensor()];
    if (!source)
      source =
          permuteValue(rewriter, op.getLoc(), read.getTensor(), permutation);
    SmallVector<Value> places(read.getIndices());
    rewriter.modifyOpInPlace(read, [&] {
      read.getTensorMutable().assign(source);
      read.getIndicesMutable().assign(permuted(ArrayRef(places), permutation));
    });
  }
}

/// The loops of an element-wise op renamed so that its output map is the
/// identity again; inputs are permuted where they have all dimensions or are
/// constants, else (a small broadcast tensor) their map keeps the new order.
static Value buildElementwise(RewriterBase &rewriter, linalg::GenericOp op,
                              ArrayRef<int64_t> permutation) {
  Location loc = op.getLoc();
  MLIRContext *context = op.getContext();
  Permutation newName = invertPermutation(permutation);
  SmallVector<AffineExpr> renamed;
  for (int64_t loop : newName)
    renamed.push_back(getAffineDimExpr(loop, context));
  SmallVector<AffineMap> maps;
  SmallVector<Value> inputs;
  for (OpOperand *operand : op.getDpsInputOperands()) {
    AffineMap map = op.getMatchingIndexingMap(operand).replaceDimsAndSymbols(
        renamed, {}, op.getNumLoops(), 0);
    Permutation order = sortResults(map);
    if (map.getNumResults() == op.getNumLoops() ||
        isPermutableConstant(operand->get())) {
      map = AffineMap::get(map.getNumDims(), 0,
                           permuted(map.getResults(), order), context);
      inputs.push_back(permuteValue(rewriter, loc, operand->get(), order));
    } else {
      inputs.push_back(operand->get());
    }
    maps.push_back(map);
  }
  RankedTensorType type = permuteType(
      cast<RankedTensorType>(op.getResult(0).getType()), permutation);
  Value init =
      makePermutedEmpty(rewriter, loc, op.getDpsInits()[0], permutation);
  maps.push_back(AffineMap::getMultiDimIdentityMap(op.getNumLoops(), context));
  auto result = linalg::GenericOp::create(rewriter, loc, TypeRange{type},
                                          inputs, ValueRange{init}, maps,
                                          op.getIteratorTypesArray());
  rewriter.cloneRegionBefore(op.getRegion(), result.getRegion(),
                             result.getRegion().end());
  renameLoops(rewriter, result, newName, permutation);
  copyAnnotations(op, result);
  return result.getResult(0);
}

/// A windowed generic keeps its loops; input and output index are permuted.
static Value buildWindowed(RewriterBase &rewriter, linalg::GenericOp op,
                           ArrayRef<int64_t> permutation) {
  Location loc = op.getLoc();
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  auto permuteMap = [&](AffineMap &map) {
    map = AffineMap::get(map.getNumDims(), 0,
                         permuted(map.getResults(), permutation),
                         op.getContext());
  };
  permuteMap(maps.front());
  permuteMap(maps.back());
  SmallVector<Value> inputs = op.getDpsInputs();
  inputs[0] = permuteValue(rewriter, loc, inputs[0], permutation);
  Value init = permuteValue(rewriter, loc, op.getDpsInits()[0], permutation);
  auto result = linalg::GenericOp::create(
      rewriter, loc, TypeRange{init.getType()}, inputs, ValueRange{init}, maps,
      op.getIteratorTypesArray());
  rewriter.cloneRegionBefore(op.getRegion(), result.getRegion(),
                             result.getRegion().end());
  copyAnnotations(op, result);
  return result.getResult(0);
}

static Value buildPad(RewriterBase &rewriter, tensor::PadOp op,
                      ArrayRef<int64_t> permutation) {
  auto sizes = [&](SmallVector<OpFoldResult> list) {
    return permuted(ArrayRef(list), permutation);
  };
  Value source =
      permuteValue(rewriter, op.getLoc(), op.getSource(), permutation);
  auto result = tensor::PadOp::create(
      rewriter, op.getLoc(), permuteType(op.getType(), permutation), source,
      sizes(op.getMixedLowPad()), sizes(op.getMixedHighPad()),
      op.getConstantPaddingValue(), op.getNofold());
  copyAnnotations(op, result);
  return result;
}

static Value buildSlice(RewriterBase &rewriter, tensor::ExtractSliceOp op,
                        ArrayRef<int64_t> permutation) {
  auto sizes = [&](SmallVector<OpFoldResult> list) {
    return permuted(ArrayRef(list), permutation);
  };
  Value source =
      permuteValue(rewriter, op.getLoc(), op.getSource(), permutation);
  auto result = tensor::ExtractSliceOp::create(
      rewriter, op.getLoc(), permuteType(op.getType(), permutation), source,
      sizes(op.getMixedOffsets()), sizes(op.getMixedSizes()),
      sizes(op.getMixedStrides()));
  copyAnnotations(op, result);
  return result;
}

Value buildPermuted(RewriterBase &rewriter, Operation *op,
                    ArrayRef<int64_t> permutation) {
  if (auto pad = dyn_cast<tensor::PadOp>(op))
    return buildPad(rewriter, pad, permutation);
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
    return buildSlice(rewriter, slice, permutation);
  if (auto generic = dyn_cast<linalg::GenericOp>(op))
    return isElementwiseGeneric(generic.getOperation())
               ? buildElementwise(rewriter, generic, permutation)
               : buildWindowed(rewriter, generic, permutation);

  IRMapping mapping;
  for (Value operand : layoutOperands(op))
    mapping.map(operand,
                permuteValue(rewriter, op->getLoc(), operand, permutation));
  if (isa<qd::QuantizeOp, qd::DequantizeOp>(op))
    for (Value parameter : op->getOperands().drop_front())
      if (cast<RankedTensorType>(parameter.getType()).getRank() != 0)
        mapping.map(parameter,
                    permuteConstant(rewriter, parameter, permutation));
  Operation *copy = rewriter.clone(*op, mapping);
  Value result = copy->getResult(0);
  result.setType(
      permuteType(cast<RankedTensorType>(result.getType()), permutation));
  Permutation inverse = invertPermutation(permutation);
  TypeSwitch<Operation *>(copy)
      .Case<tensor::ConcatOp>([&](tensor::ConcatOp concat) {
        concat.setDim(inverse[concat.getDim()]);
      })
      .Case<qd::SoftmaxOp>([&](qd::SoftmaxOp softmax) {
        softmax.setAxis(inverse[softmax.getAxis()]);
      })
      .Case<qd::QuantizeOp, qd::DequantizeOp>([&](auto cast) {
        if (!cast.getBlockSizes().empty())
          cast.setBlockSizes(permuted(cast.getBlockSizes(), permutation));
      });
  return result;
}

SmallVector<ReassociationIndices> unitsLast(ArrayRef<int64_t> narrow,
                                            ArrayRef<int64_t> wide) {
  SmallVector<ReassociationIndices> groups;
  size_t next = 0;
  for (size_t i = 0; i < narrow.size(); ++i) {
    ReassociationIndices &group = groups.emplace_back();
    int64_t product = 1;
    do {
      if (next == wide.size())
        return {}; // no reshape
      product *= wide[next];
      group.push_back(next++);
    } while (product < narrow[i]);
    if (product != narrow[i])
      return {};
    // Each dimension still to come needs one of its own.
    while (next < wide.size() && wide[next] == 1 &&
           wide.size() - next > narrow.size() - i - 1)
      group.push_back(next++);
  }
  return next == wide.size() ? groups : SmallVector<ReassociationIndices>();
}

} // namespace qdialect
