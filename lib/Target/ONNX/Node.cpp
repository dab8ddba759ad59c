// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Binding of inputs and outputs, and the checks handlers share. Attributes are
// NodeAttributes.cpp.

#include "Node.h"
#include "ElementTypes.h"
#include "ModelFile.h"
#include "Registry.h"
#include "RunTimeShapes.h"
#include "onnx.pb.h"
#include "llvm/ADT/SmallSet.h"

using namespace mlir;

namespace qdialect::onnx_import {

std::string describeType(RankedTensorType type) {
  std::string text;
  llvm::raw_string_ostream os(text);
  type.print(os);
  return text;
}

Node::Node(const onnx::NodeProto &proto, int64_t opset, ModelFile &file,
           GraphBuilder &builder, ArrayRef<std::optional<Tensor>> inputs)
    : b(builder), proto(proto), version(opset), file(file), inputs(inputs),
      results(proto.output_size()) {}

StringRef Node::opType() const { return proto.op_type(); }

StringRef nodeName(const onnx::NodeProto &proto) {
  if (proto.name().empty() && proto.output_size() > 0)
    return proto.output(0);
  return proto.name();
}

std::string describeNode(const onnx::NodeProto &proto,
                         std::optional<int64_t> opset) {
  StringRef domain = canonicalDomain(proto.domain());
  std::string text = ("node '" + nodeName(proto) + "' (" + domain +
                      (domain.empty() ? "" : ".") + proto.op_type())
                         .str();
  if (opset)
    text += (", opset " + Twine(*opset)).str();
  return text + "): ";
}

InFlightDiagnostic Node::emitError() {
  failed = true;
  return mlir::emitError(UnknownLoc::get(b.context()))
         << file.getName() << ": " << describeNode(proto, version);
}

std::string Node::describe() const { return describeNode(proto, version); }

std::string Node::inputName(size_t index) const {
  return static_cast<int>(index) < proto.input_size()
             ? proto.input(static_cast<int>(index))
             : std::string();
}

Tensor Node::input(size_t index, StringRef label) {
  if (hasInput(index))
    return *inputs[index];
  if (!failed)
    emitError() << "input " << index << " (" << label << ") is missing";
  return b.integers({}, {0});
}

std::optional<Tensor> Node::optionalInput(size_t index) {
  return hasInput(index) ? inputs[index] : std::nullopt;
}

Tensor Node::floatInput(size_t index, StringRef label) {
  Tensor tensor = input(index, label);
  if (!failed && (!isFloat(tensor.elementType()) ||
                  tensor.elementType().getIntOrFloatBitWidth() < 16))
    emitError() << "input " << label << " ('" << inputName(index) << "') is "
                << describeType(tensor.type) << ", but must be float";
  return tensor;
}

Shape Node::constantIntegers(size_t index, StringRef label) {
  Tensor tensor = input(index, label);
  if (failed)
    return {};
  Shape numbers;
  if (!tensor.isConstant()) {
    emitError() << "input " << label << " ('" << inputName(index)
                << "') must be a constant known at compile time";
  } else if (isFloat(tensor.elementType()) || tensor.rank() > 1 ||
             tensor.size() > (int64_t(1) << 20)) {
    emitError() << "input " << label << " ('" << inputName(index) << "') is "
                << describeType(tensor.type)
                << ", but must be a list of integers";
  } else {
    for (int64_t i = 0; i < tensor.size(); ++i)
      numbers.push_back(tensor.data->asInteger(i));
  }
  return numbers;
}

double Node::constantNumber(size_t index, StringRef label) {
  Tensor tensor = input(index, label);
  if (failed)
    return 0;
  if (tensor.isConstant() && tensor.size() == 1 &&
      !tensor.hasSymbolicElements())
    return tensor.data->asDouble(0);
  emitError() << "input " << label << " ('" << inputName(index)
              << "') must be one number known at compile time, but is "
              << describeType(tensor.type);
  return 0;
}

int64_t Node::constantInteger(size_t index, StringRef label) {
  return toInteger(constantNumber(index, label));
}

FailureOr<Tensor> Node::delegate(StringRef op, int64_t opset,
                                 ArrayRef<std::optional<Tensor>> operands,
                                 ArrayRef<StringRef> attributes) {
  onnx::NodeProto other;
  other.set_name(nodeName(proto).str());
  other.set_op_type(op.str());
  for (size_t i = 0; i < operands.size(); ++i)
    other.add_input(inputName(i));
  other.add_output(proto.output_size() ? proto.output(0) : "");
  for (const onnx::AttributeProto &attribute : proto.attribute())
    if (llvm::is_contained(attributes, StringRef(attribute.name())))
      *other.add_attribute() = attribute;
  ignore(attributes);
  const OpRegistry::Entry *entry = OpRegistry::get().find("", op, opset);
  assert(entry && "only operators of the registry are delegated to");
  Node node(other, opset, file, b, operands);
  if (mlir::failed(entry->handler(node)) || !node.ok() ||
      mlir::failed(node.checkAllRead())) {
    failed = true;
    return failure();
  }
  return *node.results.front();
}

size_t Node::numOutputs() const { return proto.output_size(); }

std::string Node::outputName(size_t index) const {
  return wantsOutput(index) ? proto.output(static_cast<int>(index))
                            : nodeName(proto).str();
}

std::optional<std::string> Node::dataSizeName(size_t output, int64_t axis) {
  if (!b.canDependOnData()) {
    emitError() << "the size of output " << output
                << " depends on data, which is not supported inside of a loop "
                   "that is one kernel";
    return std::nullopt;
  }
  return outputName(output) + ":" + std::to_string(axis);
}

bool Node::wantsOutput(size_t index) const {
  return static_cast<int>(index) < proto.output_size() &&
         !proto.output(static_cast<int>(index)).empty();
}

LogicalResult Node::result(size_t index, Tensor tensor) {
  if (tensor.value && tensor.sizes.empty())
    tensor = b.tensor(tensor.value);
  if (!isReasonableShape(tensor.shape()))
    return emitError() << "result of shape " << describeShape(tensor.shape())
                       << " is too large";
  if (b.dependsOnIteration(tensor.shape()))
    return emitError() << "the shape " << b.describe(tensor.shape())
                       << " of output " << index
                       << " depends on the iteration of a loop, which is not "
                          "supported";
  if (index < results.size())
    results[index] = std::move(tensor);
  return success();
}

int64_t Node::axis(int64_t axis, int64_t rank, StringRef label) {
  if (axis >= -rank && axis < rank)
    return axis < 0 ? axis + rank : axis;
  if (!failed)
    emitError() << label << " " << axis << " is outside [" << -rank << ", "
                << rank - 1 << "]";
  return 0;
}

Shape Node::axes(ArrayRef<int64_t> axes, int64_t rank, StringRef label) {
  if (!failed && axes.size() > maxRank)
    emitError() << label << " has " << axes.size() << " numbers; at most "
                << maxRank << " are supported";
  if (failed)
    return {};
  Shape result;
  llvm::SmallSet<int64_t, 8> seen;
  for (int64_t number : axes) {
    result.push_back(axis(number, rank, label));
    if (!failed && !seen.insert(result.back()).second)
      emitError() << label << " names axis " << result.back() << " twice";
  }
  return failed ? Shape() : result;
}

std::optional<Shape> Node::axesOperand(size_t index, int64_t since,
                                       int64_t rank) {
  if (version < since) {
    std::optional<Shape> listed = getInts("axes");
    return listed ? std::optional<Shape>(axes(*listed, rank)) : std::nullopt;
  }
  if (!hasInput(index))
    return std::nullopt;
  return axes(constantIntegers(index, "axes"), rank);
}

void Node::requireRank(const Tensor &tensor, StringRef label, int64_t atLeast) {
  if (!failed && tensor.rank() < atLeast)
    emitError() << "input " << label << " has rank " << tensor.rank()
                << ", but at least " << atLeast << " is needed";
}

void Node::requireSameType(const Tensor &a, const Tensor &other) {
  if (!failed && a.elementType() != other.elementType())
    emitError() << "element types disagree: " << describeType(a.type) << " and "
                << describeType(other.type);
}

/// The dimension whose quotient a size rounds down, if there is one.
static std::optional<unsigned> roundedSymbol(const SymbolicSizes &sizes,
                                             int64_t size) {
  for (const SymbolicSizes::Term &term : sizes.terms(size))
    for (unsigned number : term.atoms)
      if (sizes.atom(number).kind == SymbolicSizes::Atom::FloorDiv)
        for (unsigned symbol : sizes.symbolsOf(sizes.atom(number).lhs))
          if (!sizes.symbols()[symbol].isComputed)
            return symbol;
  return std::nullopt;
}

bool Node::requireBroadcast(ArrayRef<Tensor *> operands) {
  if (failed)
    return false;
  SmallVector<Shape> shapes;
  for (const Tensor *operand : operands)
    shapes.emplace_back(operand->shape());
  if (std::optional<Shape> shape = commonShape(*this, shapes)) {
    for (auto [index, operand] : llvm::enumerate(operands))
      *operand =
          fitted(*this, *operand, *shape, ("operand " + Twine(index)).str());
    return true;
  }
  InFlightDiagnostic diagnostic = emitError();
  diagnostic << "shapes do not broadcast:";
  for (auto [index, operand] : llvm::enumerate(operands))
    diagnostic << (index ? ", " : " ") << b.describe(operand->shape());
  for (const Tensor *operand : operands)
    for (int64_t size : operand->shape())
      if (std::optional<unsigned> symbol = roundedSymbol(b.sizes, size)) {
        StringRef name = b.sizes.symbols()[*symbol].name;
        diagnostic << "; --dim " << name
                   << "=low..high:step takes multiples of a step only, which "
                      "may make them equal";
        return false;
      }
  return false;
}

bool Node::requireRange(StringRef label, ArrayRef<int64_t> numbers, int64_t low,
                        int64_t high) {
  if (failed)
    return false;
  for (int64_t number : numbers)
    if (SymbolicSizes::isSymbolic(number)) {
      emitError() << label << " " << b.sizes.print(number)
                  << " is symbolic, but must be a number";
      return false;
    } else if (number < low || number > high) {
      emitError() << label << " " << number << " is outside [" << low << ", "
                  << high << "]";
      return false;
    }
  return true;
}

} // namespace qdialect::onnx_import
