// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which constants of the element-wise steps are no part of a kernel's code. A
// model has one scale and zero point a tensor, and its layers would need a
// kernel each if these numbers stood in the code.

#include "KernelRegion.h"

#include "Emitter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace qdialect::cpu {

/// Does the user compute with the number, whatever it is?
static bool takesAnyNumber(Operation *user) {
  return isa<arith::AddFOp, arith::SubFOp, arith::MulFOp, arith::DivFOp,
             arith::AddIOp, arith::SubIOp, arith::MulIOp, qd::QuantizeOp,
             qd::DequantizeOp, qd::RequantizeOp, qd::RescaleOp>(user);
}

static bool isParameterUse(const KernelRegion &region, OpOperand &use,
                           bool ofRoot) {
  Operation *user = use.getOwner();
  if (ofRoot && user->getParentOp() == region.root)
    return isa<arith::SubIOp>(user);
  if (!region.steps.contains(user))
    return region.steps.contains(user->getParentOp()) && takesAnyNumber(user);
  auto step = dyn_cast<linalg::GenericOp>(user);
  return step && step.isDpsInput(&use) &&
         llvm::all_of(step.getMatchingBlockArgument(&use).getUsers(),
                      takesAnyNumber);
}

/// Numbers by which the code generator multiplies or divides in a cheaper way,
/// or not at all, are better off in the code.
static bool isSpecialNumber(Attribute value) {
  if (auto real = dyn_cast<FloatAttr>(value)) {
    APFloat number = real.getValue();
    return !number.isFiniteNonZero() || number.getExactLog2Abs() != INT_MIN;
  }
  // The least code as a zero point: what a relu has rounded into, and codes in
  // memory (offset binary) are its distances.
  const APInt &number = cast<IntegerAttr>(value).getValue();
  return number.isZero() || !number.isSignedIntN(32) ||
         number.getSExtValue() == INT8_MIN;
}

/// Is nothing multiplied, because the sums are in steps already?
static bool isUnitMultiplier(Attribute value, OpOperand &use) {
  auto rescale = dyn_cast<qd::RescaleOp>(use.getOwner());
  auto number = dyn_cast<IntegerAttr>(value);
  return rescale && number && number.getValue().isOne() &&
         use.get() == rescale.getMultiplier();
}

static bool isParameter(const KernelRegion &region, Value constant,
                        bool ofRoot) {
  Type element = getElementTypeOrSelf(constant.getType());
  if (!(element.isF32() || element.isInteger(32) || element.isInteger(64)) ||
      constant.use_empty())
    return false;
  Attribute value = splatOf(constant);
  return value && !isSpecialNumber(value) &&
         llvm::all_of(constant.getUses(), [&](OpOperand &use) {
           return isParameterUse(region, use, ofRoot) &&
                  !isUnitMultiplier(value, use);
         });
}

void Epilogue::addParameters(std::vector<ConstantBlob> &blobs, bool ofRoot) {
  SmallVector<uint32_t> words;
  region->body().walk<WalkOrder::PreOrder>([&](arith::ConstantOp constant) {
    if (!isParameter(*region, constant, ofRoot))
      return;
    uint32_t word;
    std::memcpy(&word, constantView(constant)->raw.data(), sizeof(word));
    auto *place = llvm::find(words, word);
    parameters[constant] = static_cast<unsigned>(place - words.begin());
    if (place == words.end())
      words.push_back(word);
  });
  if (words.empty())
    return;
  parametersArgument = region->numInputs() + 1 + blobs.size();
  ConstantBlob blob;
  blob.size = static_cast<int64_t>(words.size() * sizeof(uint32_t));
  blob.fill = [words](MutableArrayRef<char> out) {
    std::memcpy(out.data(), words.data(), words.size() * sizeof(uint32_t));
  };
  blobs.push_back(std::move(blob));
}

void Epilogue::addOrigin(std::vector<ConstantBlob> &blobs) {
  if (direct->kind != Operand::Memory || direct->form.offset == 0 ||
      region->shapes)
    return;
  int64_t origin = direct->form.offset * elementBytes(direct->element);
  if (QDIALECT_MUTATE == 208) // fault: the place of a slice in elements
    origin = direct->form.offset;
  direct->form.offset = 0;
  originArgument = region->numInputs() + 1 + blobs.size();
  ConstantBlob blob;
  blob.size = sizeof(origin);
  blob.fill = [origin](MutableArrayRef<char> out) {
    std::memcpy(out.data(), &origin, sizeof(origin));
  };
  blobs.push_back(std::move(blob));
}

/// A copy is what it reads in which order, whichever views say so.
std::string Epilogue::passThroughKey() const {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "copy of " << direct->element << " from " << direct->argument << " to "
     << region->numInputs() << (originArgument ? " at origin" : "");
  for (auto [size, step] : llvm::zip_equal(sizes, direct->form.coefficients))
    os << ' ' << size << '*' << step;
  return text;
}

std::string Epilogue::key() const {
  if (isPassThrough() && direct->kind == Operand::Memory && !region->shapes)
    return passThroughKey();
#if QDIALECT_MUTATE == 41 // what ranges prove of one layer counts for all
  return structureKey(region->dispatch, parameters);
#endif
  return structureKey(region->dispatch, parameters) + region->sizesKey() +
         "\n" + provenFacts();
}

} // namespace qdialect::cpu
