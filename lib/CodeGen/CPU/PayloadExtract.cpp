// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tensor.extract inside payloads: rows of a table at computed places (Gather).
// Where only the last index moves with the lanes the elements lie in a row and
// are loaded as one; else each lane reads its own. Places outside the tensor,
// which only wrong data ask for, read its last element along that dimension.

#include "LaneIntegers.h"
#include "Payload.h"
#include "PayloadFrame.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace qdialect::cpu {

bool PayloadEmitter::isUniform(Value scalar) const {
  if (auto argument = dyn_cast<BlockArgument>(scalar)) {
    auto generic =
        dyn_cast<linalg::GenericOp>(argument.getOwner()->getParentOp());
    if (!generic || argument.getArgNumber() >= generic.getNumDpsInputs())
      return false;
    const Epilogue::Operand &operand =
        epilogue.operand(generic->getOpOperand(argument.getArgNumber()));
    return operand.kind == Epilogue::Operand::Splat ||
           operand.kind == Epilogue::Operand::Parameter ||
           (operand.kind == Epilogue::Operand::Memory &&
            operand.form.coefficients.back() == 0);
  }
  Operation *op = scalar.getDefiningOp();
  if (auto index = dyn_cast<linalg::IndexOp>(op))
    return index.getDim() + 1 != epilogue.sizes.size();
  // A constant, or computed from what is uniform.
  return !isa<tensor::ExtractOp>(op) &&
         llvm::all_of(op->getOperands(),
                      [&](Value operand) { return isUniform(operand); });
}

/// An i32 of a short table at a place that is computed in 32 bits.
std::optional<Lanes> PayloadEmitter::tableEntry(Frame &frame,
                                                tensor::ExtractOp op) {
  const Epilogue::Operand &source = epilogue.operand(op.getTensorMutable());
  RankedTensorType tensor = op.getTensor().getType();
  if (tensor.getRank() != 1 || !source.element.isInteger(32) ||
      tensor.getDimSize(0) > 1 << 16)
    return std::nullopt;
  auto cast = op.getIndices()[0].getDefiningOp<arith::IndexCastOp>();
  if (!cast || isUniform(cast))
    return std::nullopt;
  Value place = words(frame.scalar(*this, cast.getIn()));
  if (!place || cast.getIn().getType().getIntOrFloatBitWidth() > 32)
    return std::nullopt;
  auto type = Emitter::vector(e.i32());
  int64_t size = tensor.getDimSize(0);
  // Negative places count as large ones.
  place = arith::MinUIOp::create(e, place, e.constantInt(type, size - 1));
  Value base = pointers.lookup(source.argument);
  if (e.target.hasAvx512() && (size == 32 || size == 64)) {
    SmallVector<Value> registers;
    for (int64_t i = 0; i < size; i += Emitter::kLanes)
      registers.push_back(e.load(type, e.at(base, 4 * i), 4));
    return Lanes::of(lookUpRegisters(e, registers, place));
  }
  Value addresses = LLVM::GEPOp::create(
      e, VectorType::get({Emitter::kLanes}, e.ptr()), e.i32(), base,
      ArrayRef<LLVM::GEPArg>{place}, LLVM::GEPNoWrapFlags::inbounds);
  return Lanes::of(LLVM::masked_gather::create(
      e, type, addresses, e.prefixMask(Emitter::kLanes),
      ValueRange{e.constantInt(type, 0)}, e.getI32IntegerAttr(4)));
}

Lanes PayloadEmitter::extract(Frame &frame, tensor::ExtractOp op) {
  const Epilogue::Operand &source = epilogue.operand(op.getTensorMutable());
  if (source.kind == Epilogue::Operand::Splat)
    return splat(source.splat);
  auto tensor = cast<RankedTensorType>(op.getTensor().getType());
  if (std::optional<Lanes> entry = tableEntry(frame, op))
    return *entry;
  SmallVector<int64_t> strides = rowMajorStrides(tensor.getShape());
  int64_t bytes = elementBytes(source.element);
  auto places = Emitter::vector(e.i64());

  // The last index is the innermost loop itself: its lanes are neighbours.
  unsigned last = tensor.getRank() - 1;
  auto walked = tensor.getRank() == 0
                    ? linalg::IndexOp()
                    : op.getIndices()[last].getDefiningOp<linalg::IndexOp>();
  bool isRow = walked && walked.getDim() + 1 == epilogue.sizes.size() &&
               epilogue.sizes.back() <= tensor.getDimSize(last) &&
               llvm::all_of(op.getIndices().drop_back(),
                            [&](Value index) { return isUniform(index); });
  Value offset = e.constantInt(places, 0);
  for (auto [dim, index] : llvm::enumerate(op.getIndices())) {
    if (isRow && dim == last)
      break;
    Value place = plain(frame.scalar(*this, index));
    place = arith::IndexCastOp::create(e, places, place);
    // Negative places count as large ones.
    place = arith::MinUIOp::create(
        e, place, e.constantInt(places, tensor.getDimSize(dim) - 1));
    Value scaled = arith::MulIOp::create(
        e, place, e.constantInt(places, strides[dim] * bytes));
    offset = arith::AddIOp::create(e, offset, scaled);
  }

  Value base = pointers.lookup(source.argument);
  Type element = loadedType(source.element);
  auto type = Emitter::vector(element);
  Value raw;
  if (isRow) {
    Value row = e.at(base, vector::ExtractOp::create(e, offset, int64_t(0)));
    Value start = e.at(e.at(row, e.mul(frame.position.counters.back(), bytes)),
                       frame.position.laneOffset * bytes);
    bool slack = isOffsetBinary(source.element);
    raw = frame.position.mask && !slack
              ? e.maskedLoad(type, start, frame.position.mask)
              : e.load(type, start);
  } else if (llvm::all_of(op.getIndices(),
                          [&](Value index) { return isUniform(index); })) {
    Value place = vector::ExtractOp::create(e, offset, int64_t(0));
    raw = e.broadcast(e.load(element, e.at(base, place)), type);
  } else {
    Value addresses = LLVM::GEPOp::create(
        e, VectorType::get({Emitter::kLanes}, e.ptr()), e.i8(), base,
        ArrayRef<LLVM::GEPArg>{offset}, LLVM::GEPNoWrapFlags::inbounds);
    // Clamped places are good in lanes that do not exist, too.
    raw = LLVM::masked_gather::create(
        e, type, addresses, e.prefixMask(Emitter::kLanes),
        ValueRange{e.constant(type, 0)}, e.getI32IntegerAttr(1));
  }
  return ofLoaded(raw, source.element);
}

} // namespace qdialect::cpu
