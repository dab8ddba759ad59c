// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Types of graph inputs: where symbolic dimensions become numbers or symbols.

#include "ElementTypes.h"
#include "GraphBuilder.h"
#include "Importer.h"
#include "onnx.pb.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

struct InputReader {
  const onnx::ValueInfoProto &input;
  StringRef model;
  MLIRContext *context;
  const ImportOptions &options;
  SymbolicSizes &sizes;

  InFlightDiagnostic error() const {
    return mlir::emitError(UnknownLoc::get(context)) << model << ": ";
  }
  FailureOr<int64_t>
  dimension(int axis, const onnx::TensorShapeProto::Dimension &dim) const;
  FailureOr<InputType> type() const;
};

FailureOr<int64_t>
InputReader::dimension(int axis,
                       const onnx::TensorShapeProto::Dimension &dim) const {
  StringRef name = input.name(), symbol = dim.dim_param();
  std::string place = (name + ":" + Twine(axis)).str();
  auto given = options.dims.find(place);
  if (given == options.dims.end() && !symbol.empty())
    given = options.dims.find(symbol);
  StringRef option = symbol.empty() ? StringRef(place) : symbol;
  // Some exporters write -1 for what they do not know.
  if (dim.has_dim_value() && dim.dim_value() != -1) {
    if (given != options.dims.end() &&
        (!given->second.isFixed() || given->second.low != dim.dim_value())) {
      InFlightDiagnostic diagnostic = error();
      diagnostic << "--dim " << given->first() << "=" << given->second.low;
      if (!given->second.isFixed())
        diagnostic << ".." << given->second.high;
      if (given->second.step != 1)
        diagnostic << ":" << given->second.step;
      diagnostic << " contradicts the model: dimension " << axis
                 << " of input '" << name << "' is " << dim.dim_value();
      return failure();
    }
    return dim.dim_value();
  }
  if (given != options.dims.end()) {
    ImportOptions::Dimension bounds = given->second;
    return bounds.isFixed() ? bounds.low
                            : sizes.symbol(given->first(), bounds.low,
                                           bounds.high, bounds.step);
  }
  if (axis == 0) {
    mlir::emitRemark(UnknownLoc::get(context))
        << model << ": the first dimension of input '" << name
        << "' is taken to be 1; --dim " << option << "=<value> chooses another";
    return 1;
  }
  error() << "dimension " << axis << " of input '" << name << "' is not fixed"
          << "; give --dim " << option << "=<value>, or --dim " << option
          << "=<low>..<high> to choose it at run time";
  return failure();
}

FailureOr<InputType> InputReader::type() const {
  auto fail = [&]() { return error() << "input '" << input.name() << "'"; };
  if (!input.type().has_tensor_type()) {
    fail() << " is not a tensor";
    return failure();
  }
  const onnx::TypeProto::Tensor &type = input.type().tensor_type();
  Type element = getElementType(type.elem_type(), context);
  if (!element) {
    fail() << ": " << describeDataType(type.elem_type()) << " is not supported";
    return failure();
  }
  if (!type.has_shape()) {
    fail() << " has no shape";
    return failure();
  }
  Shape shape;
  for (auto [axis, dim] : llvm::enumerate(type.shape().dim())) {
    FailureOr<int64_t> size = dimension(static_cast<int>(axis), dim);
    if (failed(size))
      return failure();
    if (*size < 0 && !SymbolicSizes::isSymbolic(*size)) {
      fail() << ": dimension " << axis << " is " << *size;
      return failure();
    }
    shape.push_back(*size);
  }
  if (!isReasonableShape(shape)) {
    fail() << ": shape " << describeShape(shape) << " is too large";
    return failure();
  }
  return InputType{element, shape};
}

} // namespace

FailureOr<InputType> importInputType(const onnx::ValueInfoProto &input,
                                     StringRef model, MLIRContext *context,
                                     const ImportOptions &options,
                                     SymbolicSizes &sizes) {
  return InputReader{input, model, context, options, sizes}.type();
}

} // namespace qdialect::onnx_import
