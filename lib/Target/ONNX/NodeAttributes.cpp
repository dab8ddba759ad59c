// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attributes of a node, read by name with their default.

#include "ModelFile.h"
#include "Node.h"
#include "onnx.pb.h"

using namespace mlir;

namespace qdialect::onnx_import {

using Attribute = onnx::AttributeProto;

const Attribute *Node::find(StringRef name) {
  read.insert(name);
  for (const Attribute &attribute : proto.attribute())
    if (attribute.name() == name)
      return &attribute;
  return nullptr;
}

const Attribute *Node::find(StringRef name, int type, StringRef typeName) {
  const Attribute *attribute = find(name);
  if (!attribute || failed)
    return nullptr;
  if (!attribute->ref_attr_name().empty()) {
    emitError() << "attribute '" << name << "' refers to attribute '"
                << attribute->ref_attr_name()
                << "' of a function, but the node is not in one";
    return nullptr;
  }
  // Files older than IR version 2 do not say the type.
  if (attribute->type() == type || attribute->type() == Attribute::UNDEFINED)
    return attribute;
  emitError() << "attribute '" << name << "' must be " << typeName
              << ", but is "
              << Attribute::AttributeType_Name(attribute->type());
  return nullptr;
}

bool Node::hasAttribute(StringRef name) const {
  return llvm::any_of(proto.attribute(), [&](const Attribute &attribute) {
    return attribute.name() == name;
  });
}

int64_t Node::getInt(StringRef name, int64_t otherwise) {
  const Attribute *attribute = find(name, Attribute::INT, "an integer");
  return attribute ? attribute->i() : otherwise;
}

float Node::getFloat(StringRef name, float otherwise) {
  const Attribute *attribute = find(name, Attribute::FLOAT, "a float");
  return attribute ? attribute->f() : otherwise;
}

std::string Node::getString(StringRef name, StringRef otherwise) {
  const Attribute *attribute = find(name, Attribute::STRING, "a string");
  return attribute ? attribute->s() : otherwise.str();
}

std::optional<Shape> Node::getInts(StringRef name) {
  const Attribute *attribute =
      find(name, Attribute::INTS, "a list of integers");
  if (!attribute)
    return std::nullopt;
  return Shape(attribute->ints().begin(), attribute->ints().end());
}

std::optional<SmallVector<float>> Node::getFloats(StringRef name) {
  const Attribute *attribute =
      find(name, Attribute::FLOATS, "a list of floats");
  if (!attribute)
    return std::nullopt;
  return SmallVector<float>(attribute->floats().begin(),
                            attribute->floats().end());
}

std::optional<SmallVector<std::string>> Node::getStrings(StringRef name) {
  const Attribute *attribute =
      find(name, Attribute::STRINGS, "a list of strings");
  if (!attribute)
    return std::nullopt;
  return SmallVector<std::string>(attribute->strings().begin(),
                                  attribute->strings().end());
}

FailureOr<std::vector<Tensor>> Node::importGraph(StringRef name,
                                                 ArrayRef<Tensor> inputs) {
  const Attribute *attribute = find(name, Attribute::GRAPH, "a graph");
  if (!attribute && !failed)
    emitError() << "attribute '" << name << "' is missing";
  if (!attribute)
    return failure();
  return importBody(attribute->g(), inputs);
}

std::optional<Tensor> Node::getTensor(StringRef name) {
  const Attribute *attribute = find(name, Attribute::TENSOR, "a tensor");
  if (!attribute)
    return std::nullopt;
  llvm::Expected<TypedTensor> tensor =
      file.readTensor(attribute->t(), b.context());
  if (!tensor) {
    emitError() << "attribute '" << name
                << "': " << llvm::toString(tensor.takeError());
    return std::nullopt;
  }
  return Tensor(tensor->elementType, tensor->data);
}

void Node::ignore(ArrayRef<StringRef> names) {
  for (StringRef name : names)
    read.insert(name);
}

LogicalResult Node::checkAllRead() {
  for (const Attribute &attribute : proto.attribute())
    if (!read.contains(attribute.name()))
      return emitError() << "attribute '" << attribute.name()
                         << "' is not known for this operator";
  return success();
}

} // namespace qdialect::onnx_import
