// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The verifier of discardable attributes: what passes compute with must hold
// for modules that somebody wrote by hand, too. The labels are those of
// QDDialect.td; test/IR/attributes-invalid.mlir and dim-bounds-invalid.mlir
// have one case for each.

#include "QDialect/IR/AttributeNames.h"
#include "QDialect/IR/QDDialect.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;
using namespace qdialect::qd;

namespace {

/// Where an attribute stands, as a set.
enum Place : unsigned {
  OnOp = 1,
  OnFunction = 2,
  OnModule = 4,
  OnArgument = 8,
  OnResult = 16,
};

/// What is known of an attribute from its name alone.
struct Rule {
  StringRef name;
  unsigned places;
  StringRef kind;
  bool (*holds)(Attribute);
};

} // namespace

static bool isString(Attribute value) { return isa<StringAttr>(value); }
static bool isUnit(Attribute value) { return isa<UnitAttr>(value); }
static bool isCount(Attribute value) {
  auto number = dyn_cast<IntegerAttr>(value);
  return number && number.getType().isSignlessInteger(64) &&
         number.getInt() >= 0;
}
static bool isArray(Attribute value) { return isa<ArrayAttr>(value); }
static bool isStrings(Attribute value) {
  auto array = dyn_cast<ArrayAttr>(value);
  return array && llvm::all_of(array, isString);
}
static bool isIntegers(Attribute value) {
  return isa<DenseI64ArrayAttr>(value);
}
static bool isPair(Attribute value) {
  auto numbers = dyn_cast<DenseI64ArrayAttr>(value);
  return numbers && numbers.size() == 2;
}
static bool isRange(Attribute value) {
  auto numbers = dyn_cast<DenseI64ArrayAttr>(value);
  return isPair(value) && numbers[0] <= numbers[1];
}
static bool isError(Attribute value) {
  auto number = dyn_cast<FloatAttr>(value);
  return number && number.getType().isF64() &&
         !number.getValue().isNegative() && !number.getValue().isNaN();
}
static bool isAlphabet(Attribute value) {
  auto type = dyn_cast<TypeAttr>(value);
  return type && isa<AlphabetTypeInterface>(type.getValue());
}
static bool isPhase(Attribute value) {
  auto name = dyn_cast<StringAttr>(value);
  return name &&
         llvm::is_contained(ArrayRef(kPhaseNames).drop_back(), name.getValue());
}
static bool isRescaleMode(Attribute value) {
  auto name = dyn_cast<StringAttr>(value);
  return name && llvm::is_contained(kRescaleModes, name.getValue());
}

static constexpr StringLiteral kPhases =
    "import, normalize, calibrate, quantize, integerize or dispatch";

static const Rule *findRule(StringRef name) {
  static const Rule rules[] = {
      {kNameAttr, OnOp | OnFunction | OnArgument | OnResult, "a string",
       isString},
      {kPhaseAttr, OnModule, kPhases, isPhase},
      {kDimsAttr, OnArgument, "an array", isArray},
      {kDimBoundsAttr, OnFunction, "a dictionary",
       [](Attribute value) { return isa<DictionaryAttr>(value); }},
      {kCodesAttr, OnArgument | OnResult, "an alphabet", isAlphabet},
      {kProgramAttr, OnFunction, "a string", isString},
      {kObservedAttr, OnFunction, "an array of strings", isStrings},
      {kTakenAttr, OnFunction, "an array of i64 numbers", isIntegers},
      {kModelAttr, OnFunction, "a string", isString},
      {kRecipeAttr, OnFunction, "a string", isString},
      {kRescaleAttr, OnFunction, "float or dyadic", isRescaleMode},
      {kIntegerOnlyAttr, OnFunction, "a unit attribute", isUnit},
      {kRequestedAttr, OnOp, "a string", isString},
      {kFallbackAttr, OnOp, "a string", isString},
      {kIntegerSchemeAttr, OnOp, "a scheme",
       [](Attribute value) { return isa<IntegerSchemeAttr>(value); }},
      {kAccBoundAttr, OnOp, "two i64 numbers in order", isRange},
      {kCodeRangeAttr, OnOp, "two i64 numbers in order", isRange},
      {kIntermediateBitsAttr, OnOp, "two i64 numbers", isPair},
      {kMacsAttr, OnOp, "an i64 number from 0 on", isCount},
      {kErrorLsbAttr, OnOp, "an f64 number from 0 on", isError},
      {kCorrectedLayerAttr, OnOp, "an i64 number from 0 on", isCount},
      {kOutliersAttr, OnOp, "an i64 number from 0 on", isCount},
      {kPackedAttr, OnOp, "a unit attribute", isUnit},
  };
  const Rule *found =
      llvm::find_if(rules, [&](const Rule &rule) { return rule.name == name; });
  return found == std::end(rules) ? nullptr : found;
}

/// A name that we know, in a place where it may stand, with a value of its
/// kind.
static LogicalResult verifyKind(Operation *op, NamedAttribute attribute,
                                Place place, StringRef placeName) {
  StringRef name = attribute.getName().strref();
  // attributes_c1
  const Rule *rule = findRule(name);
  if (!rule)
    return op->emitOpError() << name << " is no attribute of the qd dialect";
  // attributes_c2
  if (!(rule->places & place))
    return op->emitOpError() << name << " does not stand on " << placeName;
  // attributes_c3, dim_bounds_c1
  if (!rule->holds(attribute.getValue()))
    return op->emitOpError()
           << name << " is " << attribute.getValue() << ", not " << rule->kind;
  return success();
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

static LogicalResult verifyBounds(Operation *op, NamedAttribute size) {
  auto error = [&] {
    return op->emitOpError("qd.dim_bounds of '") << size.getName().strref();
  };
  // dim_bounds_c1
  auto numbers = dyn_cast<DenseI64ArrayAttr>(size.getValue());
  if (!numbers || (numbers.size() != 2 && numbers.size() != 3))
    return error() << "' are " << size.getValue()
                   << ", not two or three i64 numbers";
  // dim_bounds_c2
  int64_t low = numbers[0], high = numbers[1];
  if (low < 0 || low > high)
    return error() << "' are " << low << " to " << high << ", which is no range"
                   << " of sizes";
  // dim_bounds_c3
  int64_t step = numbers.size() == 3 ? numbers[2] : 1;
  if (step < 1)
    return error() << "' have the step " << step << ", which is not positive";
  if (low % step != 0 || high % step != 0)
    return error() << "' are " << low << " to " << high
                   << ", not multiples of the step " << step;
  return success();
}

LogicalResult QDDialect::verifyOperationAttribute(Operation *op,
                                                  NamedAttribute attribute) {
  Place place = isa<ModuleOp>(op)              ? OnModule
                : isa<FunctionOpInterface>(op) ? OnFunction
                                               : OnOp;
  if (failed(verifyKind(op, attribute, place,
                        place == OnModule     ? "modules"
                        : place == OnFunction ? "functions"
                                              : "such operations")))
    return failure();
  if (attribute.getName() != kDimBoundsAttr)
    return success();
  for (NamedAttribute size : cast<DictionaryAttr>(attribute.getValue()))
    if (failed(verifyBounds(op, size)))
      return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// Arguments and results of functions
//===----------------------------------------------------------------------===//

/// One name or number for each size of the argument's type.
static LogicalResult verifyDims(FunctionOpInterface function, unsigned index,
                                ArrayAttr dims) {
  Type type = function.getArgumentTypes()[index];
  SmallVector<int64_t> sizes{ShapedType::kDynamic};
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    sizes.assign(tensor.getShape().begin(), tensor.getShape().end());
  auto error = [&]() {
    return function->emitOpError("qd.dims of argument ")
           << index << " are " << dims << ", but its type is " << type;
  };
  // attributes_c4
  if (!isa<RankedTensorType, IndexType>(type) || sizes.size() != dims.size())
    return error();
  for (auto [size, dim] : llvm::zip_equal(sizes, dims)) {
    auto number = dyn_cast<IntegerAttr>(dim);
    if (ShapedType::isDynamic(size) ? !isa<StringAttr>(dim)
                                    : !number || number.getInt() != size)
      return error();
  }
  return success();
}

/// No other argument (result) before this one has its name.
template <typename GetName>
static LogicalResult verifyUnique(Operation *op, Attribute name, StringRef what,
                                  unsigned index, GetName &&nameOf) {
  // attributes_c5
  for (unsigned other = 0; other < index; ++other)
    if (nameOf(other) == name)
      return op->emitOpError() << what << "s " << other << " and " << index
                               << " have the same qd.name " << name;
  return success();
}

LogicalResult QDDialect::verifyRegionArgAttribute(Operation *op, unsigned,
                                                  unsigned index,
                                                  NamedAttribute attribute) {
  if (failed(verifyKind(op, attribute, OnArgument, "arguments")))
    return failure();
  auto function = dyn_cast<FunctionOpInterface>(op);
  if (!function)
    return success();
  if (attribute.getName() == kDimsAttr)
    return verifyDims(function, index, cast<ArrayAttr>(attribute.getValue()));
  if (attribute.getName() == kNameAttr)
    return verifyUnique(
        op, attribute.getValue(), "argument", index,
        [&](unsigned i) { return function.getArgAttr(i, kNameAttr); });
  return success();
}

LogicalResult QDDialect::verifyRegionResultAttribute(Operation *op, unsigned,
                                                     unsigned index,
                                                     NamedAttribute attribute) {
  if (failed(verifyKind(op, attribute, OnResult, "results")))
    return failure();
  // What is observed may be a result, too, and then has its name twice.
  auto function = dyn_cast<FunctionOpInterface>(op);
  if (!function || attribute.getName() != kNameAttr ||
      op->hasAttr(kObservedAttr))
    return success();
  return verifyUnique(
      op, attribute.getValue(), "result", index,
      [&](unsigned i) { return function.getResultAttr(i, kNameAttr); });
}
