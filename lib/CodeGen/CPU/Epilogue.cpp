// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Resolves the operands of element-wise steps and bounds the values they make.

#include "KernelRegion.h"

#include "Emitter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

using namespace mlir;

namespace qdialect::cpu {

ConstantBlob tensorBlob(ConstantView view) {
  ConstantBlob blob;
  int64_t bytes =
      view.numElements() * static_cast<int64_t>(byteWidth(view.dtype));
  bool flip = isOffsetBinary(view.type.getElementType());
  blob.size = bytes + 64;
  blob.fill = [view, bytes, flip](MutableArrayRef<char> out) {
    if (view.splat)
      for (int64_t at = 0; at < bytes; at += view.raw.size())
        std::memcpy(out.data() + at, view.raw.data(), view.raw.size());
    else
      std::memcpy(out.data(), view.raw.data(), bytes);
    if (flip)
      for (char &byte : out.take_front(bytes))
        byte ^= static_cast<char>(0x80);
  };
  return blob;
}

Attribute splatOf(Value value) {
  std::optional<ConstantView> view = constantView(value);
  if (!view || !(view->splat || view->numElements() == 1))
    return {};
  Type element = getElementTypeOrSelf(value.getType());
  if (isa<FloatType>(element) && element.getIntOrFloatBitWidth() >= 16)
    return FloatAttr::get(element, view->number(0));
  if (isa<IntegerType>(element))
    return IntegerAttr::get(element, APInt(element.getIntOrFloatBitWidth(),
                                           view->integer(0), /*isSigned=*/true,
                                           /*implicitTrunc=*/true));
  return {};
}

std::optional<Epilogue::Operand>
Epilogue::memoryOperand(Value value, ArrayRef<LinearForm> indices,
                        std::vector<ConstantBlob> &blobs) {
  Operand operand;
  unsigned numLoops = region->resultType().getRank();
  std::optional<Access> access =
      resolveAccess(value, numLoops, indices, region->shapes.get());
  if (!access)
    return std::nullopt;
  operand.element = getElementTypeOrSelf(value.getType());
  if (parameters.contains(access->base)) {
    operand.kind = Operand::Parameter;
    operand.value = access->base;
    return operand;
  }
  if (Attribute splat = splatOf(access->base)) {
    operand.kind = Operand::Splat;
    operand.splat = splat;
    return operand;
  }
  operand.kind = Operand::Memory;
  operand.form = std::move(access->form);
  if (auto argument = dyn_cast<BlockArgument>(access->base)) {
    operand.argument = argument.getArgNumber();
    return operand;
  }
  auto [blob, isNew] = blobOf.try_emplace(access->base, blobs.size());
  if (isNew) {
    std::optional<ConstantView> view = constantView(access->base);
    if (!view)
      return std::nullopt;
    blobs.push_back(tensorBlob(std::move(*view)));
  }
  operand.argument = region->numInputs() + 1 + blob->second;
  return operand;
}

bool Epilogue::addOperand(OpOperand &use, ArrayRef<LinearForm> indices,
                          std::vector<ConstantBlob> &blobs) {
  Value value = use.get();
  Operand operand;
  if (!isa<RankedTensorType>(value.getType())) {
    // A scalar among linalg.generic's inputs.
    if (!matchPattern(value, m_Constant(&operand.splat)))
      return false;
    operand.kind =
        parameters.contains(value) ? Operand::Parameter : Operand::Splat;
    operand.value = value;
    operand.element = value.getType();
    operands[&use] = operand;
    return true;
  }
  Operation *op = value.getDefiningOp();
  if (op && (op == region->root || region->steps.contains(op))) {
    // A value in registers must be wanted at the position it was made for.
    unsigned numLoops = region->resultType().getRank();
    if (indices.size() != numLoops)
      return false;
    for (auto [dim, form] : llvm::enumerate(indices))
      if (form.offset != 0 ||
          form.coefficients != LinearForm::loop(numLoops, dim).coefficients)
        return false;
    operand.value = value;
    operands[&use] = operand;
    return true;
  }
  std::optional<Operand> resolved = memoryOperand(value, indices, blobs);
  if (!resolved)
    return false;
  operands[&use] = std::move(*resolved);
  return true;
}

/// The table as gathers of i32 read it. Bytes by bytes: indexed and valued in
/// offset binary, i32. Others as they are, with slack behind the last entry.
static ConstantBlob lookupBlob(ConstantView table, bool isOffset,
                               int64_t entryBytes) {
  ConstantBlob blob;
  if (!isOffset) {
    blob.size = entryBytes * table.numElements() + 4;
    blob.fill = [table, entryBytes](MutableArrayRef<char> out) {
      for (int64_t i = 0; i < table.numElements(); ++i) {
        int64_t value = table.integer(i);
        std::memcpy(out.data() + entryBytes * i, &value, entryBytes);
      }
    };
    return blob;
  }
  blob.size = 256 * 4;
  blob.fill = [table](MutableArrayRef<char> out) {
    for (int byte = 0; byte < 256; ++byte) {
      int32_t value = static_cast<uint8_t>(table.integer(byte ^ 0x80)) ^ 0x80;
      std::memcpy(out.data() + 4 * byte, &value, 4);
    }
  };
  return blob;
}

bool Epilogue::addTable(qd::LookupOp lookup, std::vector<ConstantBlob> &blobs) {
  std::optional<ConstantView> table = constantView(lookup.getTable());
  Type code = getElementTypeOrSelf(lookup.getCodes().getType()),
       entry = getElementTypeOrSelf(lookup.getType());
  auto hasWholeBytes = [](Type type) {
    return type.isInteger(8) || type.isInteger(16);
  };
  if (!table || !hasWholeBytes(code) || !hasWholeBytes(entry))
    return false;
  tables[lookup] = region->numInputs() + 1 + blobs.size();
  blobs.push_back(lookupBlob(std::move(*table),
                             isOffsetBinary(code) && isOffsetBinary(entry),
                             elementBytes(entry)));
  return true;
}

/// The tensor that a payload reads elements of: a whole input or constant.
bool Epilogue::addExtract(tensor::ExtractOp extract,
                          std::vector<ConstantBlob> &blobs) {
  RankedTensorType type = extract.getTensor().getType();
  if (!type.hasStaticShape())
    return false;
  unsigned numLoops = region->resultType().getRank();
  SmallVector<LinearForm> start(type.getRank(), LinearForm(numLoops));
  // The positions are the payload's business: only the base is wanted here.
  std::optional<Operand> source =
      memoryOperand(extract.getTensor(), start, blobs);
  if (!source || type.getNumElements() == 0 ||
      (source->kind == Operand::Memory && source->form.offset != 0))
    return false;
  operands[&extract.getTensorMutable()] = std::move(*source);
  return true;
}

void Epilogue::appendUnitLoop() {
  sizes.push_back(1);
  output.coefficients.push_back(0);
  for (auto &entry : operands)
    entry.second.form.coefficients.push_back(0);
}

void Epilogue::makeRowOfOne() {
  sizes = {1};
  output.coefficients = {1};
  for (auto &entry : operands)
    entry.second.form.coefficients.assign(1, 0);
  if (direct)
    direct->form.coefficients.assign(1, 0);
}

bool Epilogue::joinLoops(std::optional<int64_t> columns) {
  SymbolicShapes *shapes = region->shapes.get();
  SmallVector<LinearForm *> forms{&output};
  LinearForm row(sizes.size()); // keeps the columns apart from other loops
  if (columns)
    for (int64_t loop = sizes.size() - 1, step = 1;
         loop >= 0 && (shapes ? step != *columns : step < *columns); --loop) {
      row.coefficients[loop] = step;
      step = multiplySizes(step, sizes[loop], shapes);
    }
  forms.push_back(&row);
  for (auto &entry : operands)
    if (entry.second.kind == Operand::Memory)
      forms.push_back(&entry.second.form);
  if (direct && direct->kind == Operand::Memory)
    forms.push_back(&direct->form);
  coalesceLoops(sizes, forms, shapes);
  // Lanes are a number of elements apart, and their first one of each row
  // follows from the counters.
  return llvm::none_of(forms, [](LinearForm *form) {
    return SymbolicSizes::isSymbolic(form->offset) ||
           SymbolicSizes::isSymbolic(form->coefficients.back());
  });
}

std::optional<Epilogue> Epilogue::create(KernelRegion &region,
                                         std::vector<ConstantBlob> &blobs,
                                         std::optional<int64_t> columns,
                                         bool ofRoot) {
  Epilogue epilogue;
  epilogue.region = &region;
  epilogue.addParameters(blobs, ofRoot);
  SymbolicShapes *shapes = region.shapes.get();
  std::optional<SmallVector<int64_t>> shape = knownShape(region.result, shapes);
  if (!shape)
    return std::nullopt;
  unsigned numLoops = shape->size();
  epilogue.sizes = *shape;
  SmallVector<LinearForm> identity;
  for (unsigned dim = 0; dim < numLoops; ++dim)
    identity.push_back(LinearForm::loop(numLoops, dim));
  epilogue.output = LinearForm(numLoops);
  epilogue.output.coefficients = rowMajorStrides(*shape, shapes);

  bool usesIndices = false;
  for (Operation *step : region.steps) {
    if (knownShape(step->getResult(0), shapes) != shape)
      return std::nullopt;
    if (auto lookup = dyn_cast<qd::LookupOp>(step)) {
      if (!epilogue.addOperand(lookup->getOpOperand(0), identity, blobs) ||
          !epilogue.addTable(lookup, blobs))
        return std::nullopt;
      continue;
    }
    auto generic = cast<linalg::GenericOp>(step);
    usesIndices |= !generic.getBlock()->getOps<linalg::IndexOp>().empty();
    for (auto lookup : generic.getBlock()->getOps<qd::LookupOp>())
      if (!epilogue.addTable(lookup, blobs))
        return std::nullopt;
    for (auto extract : generic.getBlock()->getOps<tensor::ExtractOp>())
      if (!epilogue.addExtract(extract, blobs))
        return std::nullopt;
    for (OpOperand *input : generic.getDpsInputOperands()) {
      auto forms = linearResults(generic.getMatchingIndexingMap(input));
      if (!forms || !epilogue.addOperand(*input, *forms, blobs))
        return std::nullopt;
    }
  }
  if (region.steps.empty() && !region.root) {
    epilogue.direct = epilogue.memoryOperand(region.result, identity, blobs);
    if (!epilogue.direct)
      return std::nullopt;
    epilogue.addOrigin(blobs);
  }
  if (numLoops == 0)
    epilogue.makeRowOfOne();
  else if (!usesIndices && !epilogue.joinLoops(columns))
    return std::nullopt;
  if (columns == 1 && epilogue.sizes.back() != 1)
    epilogue.appendUnitLoop();
  if (columns && epilogue.sizes.back() != *columns)
    return std::nullopt;
  return epilogue;
}

std::optional<Interval> rangeOfConstant(Value constant) {
  std::optional<ConstantView> view = constantView(constant);
  if (!view || view->numElements() == 0)
    return std::nullopt;
  Interval interval{INFINITY, -INFINITY};
  for (int64_t i = 0, e = view->splat ? 1 : view->numElements(); i < e; ++i) {
    double value = view->number(i);
    if (!std::isfinite(value))
      return std::nullopt;
    interval.low = std::min(interval.low, value);
    interval.high = std::max(interval.high, value);
  }
  return interval;
}

} // namespace qdialect::cpu
