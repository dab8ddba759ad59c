// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What operator handlers build with. A Tensor is a value of the model: either
// an SSA value or a constant whose elements are known in host memory. A
// constant becomes an arith.constant only when an operation needs it, so shape
// arithmetic and unused initializers leave no trace, and reshaping one is free.
//
//   Shape -> Gather -> Concat -> Reshape   folds to a Tensor with data [1, -1]
//   Conv weights                           one arith.constant dense_resource
//
// A size is a number or a handle of SymbolicSizes (b.sizes), in shapes as well
// as in the elements of integer constants: Shape of [batch, 3] is the constant
// [handle, 3]. Moving sizes about, comparing them for equality and handing them
// back needs no thought; arithmetic on them goes through b.sizes. Only handlers
// registered as `symbolic` (Registry.h) see such tensors.
//
// The methods emit what docs/PhaseContract.md section 1 allows and nothing
// else. They assume valid arguments: handlers check first (Node.h).

#ifndef QDIALECT_LIB_TARGET_ONNX_GRAPHBUILDER_H
#define QDIALECT_LIB_TARGET_ONNX_GRAPHBUILDER_H

#include "CastElement.h"
#include "QDialect/Support/HostTensor.h"
#include "QDialect/Support/SymbolicSizes.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace qdialect::onnx_import {

using Shape = llvm::SmallVector<int64_t>;

struct Tensor {
  mlir::RankedTensorType type;    ///< `?` where a size is symbolic
  Shape sizes;                    ///< with handles; empty if type says all
  mlir::Value value;              ///< null while only a constant
  std::optional<HostTensor> data; ///< set for constants
  std::string name;               ///< of a constant, for its resource

  Tensor() = default;
  explicit Tensor(mlir::Value value);
  Tensor(mlir::Type elementType, HostTensor data, llvm::StringRef name = "");

  bool isConstant() const { return data.has_value(); }
  /// True if a size or an element is symbolic.
  bool isSymbolic() const;
  /// True if the elements of an integer constant hold handles.
  bool hasSymbolicElements() const;
  llvm::ArrayRef<int64_t> shape() const {
    return sizes.empty() ? type.getShape() : llvm::ArrayRef<int64_t>(sizes);
  }
  int64_t dim(int64_t axis) const { return shape()[axis]; }
  int64_t rank() const { return type.getRank(); }
  /// Number of elements; negative if a size is symbolic (b.count knows then).
  int64_t size() const {
    return type.hasStaticShape() ? type.getNumElements()
                                 : mlir::ShapedType::kDynamic;
  }
  mlir::Type elementType() const { return type.getElementType(); }
};

/// Shape arithmetic and small tables are evaluated while importing; constants
/// with more elements than this stay in the program.
constexpr int64_t maxFoldedElements = 4096;
bool isSmallConstant(const Tensor &tensor);

/// A constant that follows from sizes which the model declares (positions,
/// counts, weights of a transform), not from data that it stores, has at most
/// this many elements. What would be larger is computed when the program runs.
constexpr int64_t maxTableElements = int64_t(1) << 20;

/// True if all operands are small constants and so is a result of `shape`.
bool canFold(llvm::ArrayRef<Tensor> operands, llvm::ArrayRef<int64_t> shape);
/// Row-major element of a tensor shaped `operand` that broadcasting puts at
/// element `index` of `shape`.
int64_t broadcastIndex(llvm::ArrayRef<int64_t> operand,
                       llvm::ArrayRef<int64_t> shape, int64_t index);

/// The numpy broadcast of shapes; std::nullopt if they disagree.
std::optional<Shape> broadcastShapes(llvm::ArrayRef<Shape> shapes);
std::optional<Shape> broadcastShape(llvm::ArrayRef<Tensor> operands);

class GraphBuilder {
public:
  using Body = llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location,
                                              mlir::ValueRange)>;

  GraphBuilder(mlir::OpBuilder &builder, mlir::Block *entry);

  mlir::OpBuilder &builder;
  mlir::Location loc;

  mlir::MLIRContext *context() { return builder.getContext(); }

  /// How often the body of a loop was imported once more.
  unsigned repeatedImports = 0;

  // Symbolic sizes.
  SymbolicSizes sizes;
  /// A type with `?` for symbolic sizes.
  mlir::RankedTensorType typeOf(llvm::ArrayRef<int64_t> shape,
                                mlir::Type elementType);
  /// `value` with its sizes, which follow from the operation that makes it.
  Tensor tensor(mlir::Value value);
  Tensor tensor(mlir::Value value, llvm::ArrayRef<int64_t> shape);
  /// The values of a region will be no more: before it goes, whether or not
  /// what is inside became a part of the program.
  void forget(mlir::Region &region);
  /// Says that dimension `axis` of a function argument is a symbol.
  void bindSymbol(mlir::Value argument, int64_t axis, int64_t size);
  /// The size that only the run knows: the number in `count`, an int64, at
  /// least 0 and at most `limit`. Only where canDependOnData.
  int64_t dataSize(const Tensor &count, llvm::StringRef name,
                   int64_t limit = SymbolicSizes::kUnbounded);
  /// Ends the program with an error that begins with `what` if the number is
  /// outside of this range.
  void requireCount(const Tensor &count, int64_t limit, llvm::StringRef what);
  /// In the function, and in the bodies of control flow that the program runs
  /// step by step.
  bool canDependOnData() const;
  /// Is every size known outside of the body too: does none follow from data
  /// that it computes?
  bool isKnownOutside(mlir::Block *body, llvm::ArrayRef<int64_t> shape) const;
  /// The number of an iteration as a size, from 0 to `count` - 1: positions may
  /// depend on it, sizes of tensors may not (dependsOnIteration).
  int64_t counterSize(mlir::Value counter, int64_t count);
  bool dependsOnIteration(llvm::ArrayRef<int64_t> shape) const;
  /// The size made for `key` before, or now.
  int64_t sizeOnce(const std::vector<int64_t> &key,
                   llvm::function_ref<int64_t()> make);
  /// Ends the program with an error that begins with `what` if the sizes are
  /// not equal; nothing if they always are. Only where canDependOnData.
  void requireEqual(int64_t size, int64_t expected, llvm::StringRef what);
  /// Element `place` of a tensor in row-major order, as an int64 of rank 0;
  /// made once.
  Tensor scalarAt(const Tensor &tensor, int64_t place);
  /// The constant that a value was made of, if it was.
  const Tensor *constantBehind(mlir::Value value) const;
  /// A size as an operand: a number, or index arithmetic at the entry.
  mlir::OpFoldResult operand(int64_t size);
  llvm::SmallVector<mlir::OpFoldResult>
  operands(llvm::ArrayRef<int64_t> numbers);
  mlir::Value index(int64_t size);
  /// The size that a float tensor of one element was cast from, if its numbers
  /// up to the largest one are exact.
  std::optional<int64_t> sizeBehindCast(const Tensor &tensor) const;
  int64_t count(const Tensor &tensor) { return sizes.product(tensor.shape()); }
  /// "batchx3": a shape with the names of its symbols.
  std::string describe(llvm::ArrayRef<int64_t> shape) const;
  /// "tensor<batchx3xf32>".
  std::string describe(const Tensor &tensor) const;
  /// A size as a number of `type`, for payloads.
  mlir::Value sizeAs(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::Type type, int64_t size);

  /// The SSA value; creates the arith.constant of a constant on first use.
  mlir::Value value(const Tensor &tensor);

  // Constants.
  Tensor constant(mlir::Type elementType, llvm::ArrayRef<int64_t> shape,
                  llvm::ArrayRef<double> numbers);
  Tensor integers(llvm::ArrayRef<int64_t> shape,
                  llvm::ArrayRef<int64_t> numbers);
  Tensor f32(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<float> numbers,
             llvm::StringRef name = "");
  /// One number everywhere: a constant up to maxTableElements, else filled when
  /// the program runs.
  Tensor splat(mlir::Type elementType, llvm::ArrayRef<int64_t> shape,
               double number);
  /// A scalar arith.constant of an integer or float type.
  static mlir::Value scalar(mlir::OpBuilder &builder, mlir::Location loc,
                            mlir::Type type, double number);
  mlir::Value scalar(mlir::Type type, double number) {
    return scalar(builder, loc, type, number);
  }

  // Storage for results.
  mlir::Value empty(llvm::ArrayRef<int64_t> shape, mlir::Type elementType);
  mlir::Value filled(llvm::ArrayRef<int64_t> shape, mlir::Type elementType,
                     double number);

  // Element-wise: one linalg.generic over the broadcast shape. Operands of one
  // constant element become constants of the payload; the others have the
  // dimensions along which they are broadcast collapsed away.
  Tensor elementwise(llvm::ArrayRef<Tensor> operands, mlir::Type resultElement,
                     Body body, llvm::ArrayRef<int64_t> atLeast = {});
  /// The same with operands of rank 1 that lie along `axis` of `tensor`
  /// (biases, channel factors). `body` gets the tensor's element first.
  Tensor channelwise(const Tensor &tensor, llvm::ArrayRef<Tensor> channels,
                     int64_t axis, Body body);
  /// A broadcast copy.
  Tensor expand(const Tensor &tensor, llvm::ArrayRef<int64_t> shape);
  /// Conversion between any two element types of the importer.
  Tensor cast(const Tensor &tensor, mlir::Type resultElement,
              const CastRules &rules = {});

  // Data movement. Constants stay constants: reshape always, the others while
  // they are small.
  Tensor reshape(const Tensor &tensor, llvm::ArrayRef<int64_t> shape);
  /// The same for a shape of as many elements, which the program has checked
  /// (requireEqual).
  Tensor reshapeChecked(const Tensor &tensor, llvm::ArrayRef<int64_t> shape);
  Tensor transpose(const Tensor &tensor, llvm::ArrayRef<int64_t> permutation);
  Tensor slice(const Tensor &tensor, llvm::ArrayRef<int64_t> offsets,
               llvm::ArrayRef<int64_t> extents,
               llvm::ArrayRef<int64_t> strides);
  /// Elements [offset, offset + size * stride) of one axis.
  Tensor sliceAxis(const Tensor &tensor, int64_t axis, int64_t offset,
                   int64_t size, int64_t stride = 1);
  Tensor concat(llvm::ArrayRef<Tensor> parts, int64_t axis);
  Tensor pad(const Tensor &tensor, llvm::ArrayRef<int64_t> low,
             llvm::ArrayRef<int64_t> high, double number);
  /// The tensor whose position i on `axis` is position indices[i] of the
  /// operand: slices of the arithmetic runs in `indices`, concatenated.
  Tensor select(const Tensor &tensor, int64_t axis,
                llvm::ArrayRef<int64_t> indices);

  /// Sum, maximum, ... over `axes`, which disappear. `body` gets (element,
  /// accumulator).
  Tensor reduce(const Tensor &tensor, llvm::ArrayRef<int64_t> axes,
                double start, Body body);

  /// While it lives a body is imported. What is made once for all is made once
  /// for the body in it, and again outside.
  class BodyScope {
  public:
    BodyScope(GraphBuilder &b, mlir::Block *body, bool mayDependOnData);
    ~BodyScope();

  private:
    GraphBuilder &b;
    mlir::OpBuilder::InsertionGuard guard;
    std::map<std::vector<int64_t>, int64_t> madeSizes;
    std::map<std::pair<const void *, int64_t>, Tensor> scalars;
  };

private:
  Tensor parallelGeneric(llvm::ArrayRef<int64_t> shape,
                         mlir::Type resultElement, mlir::ValueRange inputs,
                         llvm::ArrayRef<mlir::AffineMap> maps, Body body);

  std::optional<Shape> shapeOf(mlir::Value value) const;
  size_t depthOf(mlir::Block *block) const;
  void setInsertionPointBehindOperands(int64_t size);
  Shape operandsOf(int64_t size);
  mlir::Value symbolicConstant(const Tensor &tensor);
  mlir::Value payloadConstant(mlir::OpBuilder &builder, mlir::Location loc,
                              const Tensor &operand);

  /// Constants stand at the head of the function, in order of first use; so do
  /// symbolic sizes, but those that depend on data.
  mlir::Block *entry;
  struct OpenBody {
    mlir::Block *block;
    bool mayDependOnData;
  };
  llvm::SmallVector<OpenBody>
      bodies; ///< that are being imported, outer ones first
  mlir::Operation *lastConstant = nullptr, *lastSize = nullptr;
  std::map<int64_t, mlir::Value> sizeValues;
  std::map<int64_t, std::pair<mlir::Value, int64_t>> symbolPlaces;
  llvm::DenseMap<mlir::Value, Shape> shapes;
  llvm::DenseMap<mlir::Value, int64_t> castSizes;
  llvm::DenseMap<mlir::Value, Tensor> constantValues;
  /// The counters of loops, by the number of their symbol.
  std::map<unsigned, mlir::BlockArgument> counters;
  /// Where the sizes that depend on data stand, by the number of their symbol.
  std::map<unsigned, mlir::Block *> dataSizeBlocks;
  std::map<std::vector<int64_t>, int64_t> madeSizes;
  std::map<std::pair<const void *, int64_t>, Tensor> scalars;
  struct Materialized {
    HostTensor keepsAddressTaken;
    mlir::Value value;
  };
  std::map<std::pair<const void *, const void *>, Materialized> constants;
};

/// Number of runs with a constant step that `indices` decomposes into: the
/// slices that select() would make.
int64_t countRuns(llvm::ArrayRef<int64_t> indices);

bool isFloat(mlir::Type type);
bool isSignlessInteger(mlir::Type type);

} // namespace qdialect::onnx_import

#endif // QDIALECT_LIB_TARGET_ONNX_GRAPHBUILDER_H
