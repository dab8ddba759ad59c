// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The binder: one node of the model as its handler sees it. Accessors never
// fail loudly; the first thing that is wrong (a missing input, an attribute of
// another type) is reported once, and from then on ok() is false and the
// accessors return harmless defaults. So a handler reads everything, then asks
// once:
//
//   LogicalResult importElu(Node &n) {
//     Tensor x = n.input(0, "X");
//     float alpha = n.getFloat("alpha", 1.0f);
//     if (!n.ok())
//       return failure();
//     ...
//     return n.result(y);
//   }
//
// An attribute that no accessor read is an error after the handler: ignoring
// what a model asks for would be a silent miscompile.

#ifndef QDIALECT_LIB_TARGET_ONNX_NODE_H
#define QDIALECT_LIB_TARGET_ONNX_NODE_H

#include "GraphBuilder.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/StringSet.h"
#include <functional>
#include <vector>

namespace onnx {
class AttributeProto;
class GraphProto;
class NodeProto;
} // namespace onnx

namespace qdialect::onnx_import {

class ModelFile;

class Node {
public:
  Node(const onnx::NodeProto &proto, int64_t opset, ModelFile &file,
       GraphBuilder &builder, llvm::ArrayRef<std::optional<Tensor>> inputs);

  GraphBuilder &b;
  /// How importGraph imports; set by the importer.
  std::function<mlir::FailureOr<std::vector<Tensor>>(const onnx::GraphProto &,
                                                     llvm::ArrayRef<Tensor>)>
      importBody;

  llvm::StringRef opType() const;
  int64_t opset() const { return version; }
  bool ok() const { return !failed; }

  /// "model.onnx: node 'conv1' (Conv, opset 13): "; the caller appends what is
  /// wrong. Converts to failure().
  mlir::InFlightDiagnostic emitError();
  /// "node 'conv1' (Conv, opset 13): ", for errors when the program runs.
  std::string describe() const;

  // Inputs. `label` is the operator specification's name of the input.
  size_t numInputs() const { return inputs.size(); }
  bool hasInput(size_t index) const {
    return index < inputs.size() && inputs[index].has_value();
  }
  Tensor input(size_t index, llvm::StringRef label);
  std::optional<Tensor> optionalInput(size_t index);
  /// A required input that must be float (or is an error).
  Tensor floatInput(size_t index, llvm::StringRef label);
  /// The elements of an input that must be a known integer constant.
  Shape constantIntegers(size_t index, llvm::StringRef label);
  /// The one element of an input that must be a known constant.
  double constantNumber(size_t index, llvm::StringRef label);
  /// The same, without its fraction, as the nearest i64.
  int64_t constantInteger(size_t index, llvm::StringRef label);
  /// The input's name in the model, for messages.
  std::string inputName(size_t index) const;
  /// The name of an output, or of the node where it has none.
  std::string outputName(size_t index) const;

  // Outputs.
  size_t numOutputs() const;
  /// The name of dimension `axis` of an output, for a size that depends on
  /// data; an error where there can be none: inside of loops and branches.
  std::optional<std::string> dataSizeName(size_t output, int64_t axis);
  bool wantsOutput(size_t index) const;
  mlir::LogicalResult result(Tensor tensor) { return result(0, tensor); }
  mlir::LogicalResult result(size_t index, Tensor tensor);
  llvm::ArrayRef<std::optional<Tensor>> getResults() const { return results; }

  // Attributes.
  bool hasAttribute(llvm::StringRef name) const;
  int64_t getInt(llvm::StringRef name, int64_t otherwise);
  float getFloat(llvm::StringRef name, float otherwise);
  std::string getString(llvm::StringRef name, llvm::StringRef otherwise);
  std::optional<Shape> getInts(llvm::StringRef name);
  std::optional<llvm::SmallVector<float>> getFloats(llvm::StringRef name);
  std::optional<llvm::SmallVector<std::string>>
  getStrings(llvm::StringRef name);
  /// Imports the graph that the attribute holds, in place: its inputs are bound
  /// to `inputs`; gives its outputs. Reports what is wrong.
  mlir::FailureOr<std::vector<Tensor>>
  importGraph(llvm::StringRef name, llvm::ArrayRef<Tensor> inputs);
  std::optional<Tensor> getTensor(llvm::StringRef name);
  /// Declares attributes that do not change what inference computes.
  void ignore(llvm::ArrayRef<llvm::StringRef> names);
  /// After the handler: errors for attributes that nobody read.
  mlir::LogicalResult checkAllRead();

  /// What the operator `op` of the default domain makes of `inputs`, with those
  /// of this node's `attributes` that are there: for operators that are
  /// another one between casts.
  mlir::FailureOr<Tensor> delegate(llvm::StringRef op, int64_t opset,
                                   llvm::ArrayRef<std::optional<Tensor>> inputs,
                                   llvm::ArrayRef<llvm::StringRef> attributes);

  // Checks; each reports and clears ok() on failure.
  /// `axis` counted from the end if negative, checked against `rank`.
  int64_t axis(int64_t axis, int64_t rank, llvm::StringRef label = "axis");
  Shape axes(llvm::ArrayRef<int64_t> axes, int64_t rank,
             llvm::StringRef label = "axes");
  /// `axes` as attribute or, from `since` on, as input `index`; empty if
  /// absent.
  std::optional<Shape> axesOperand(size_t index, int64_t since, int64_t rank);
  void requireRank(const Tensor &tensor, llvm::StringRef label,
                   int64_t atLeast);
  void requireSameType(const Tensor &a, const Tensor &other);
  /// True if the operands broadcast. Where only the run knows that they do,
  /// they become what broadcasts (RunTimeShapes.h).
  bool requireBroadcast(llvm::ArrayRef<Tensor *> operands);
  /// True if every element of the list is in [low, high].
  bool requireRange(llvm::StringRef label, llvm::ArrayRef<int64_t> numbers,
                    int64_t low, int64_t high);

private:
  const onnx::AttributeProto *find(llvm::StringRef name);
  /// The attribute if it is there and of the given AttributeProto type.
  const onnx::AttributeProto *find(llvm::StringRef name, int type,
                                   llvm::StringRef typeName);

  const onnx::NodeProto &proto;
  int64_t version;
  ModelFile &file;
  llvm::ArrayRef<std::optional<Tensor>> inputs;
  llvm::SmallVector<std::optional<Tensor>, 1> results;
  llvm::StringSet<> read;
  bool failed = false;
};

inline llvm::SmallVector<Tensor *>
pointersTo(llvm::MutableArrayRef<Tensor> tensors) {
  return llvm::map_to_vector(tensors, [](Tensor &tensor) { return &tensor; });
}

/// The name of a node, or of its first output if it has none.
llvm::StringRef nodeName(const onnx::NodeProto &proto);
/// "node 'conv1' (Conv, opset 13): "; a domain other than the default one
/// precedes the operator, and an opset that is not known is left out.
std::string describeNode(const onnx::NodeProto &proto,
                         std::optional<int64_t> opset);
std::string describeType(mlir::RankedTensorType type);

} // namespace qdialect::onnx_import

#endif // QDIALECT_LIB_TARGET_ONNX_NODE_H
