// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Einsum: one linalg.generic whose loops are the letters of the equation, those
// of the result first. A letter that occurs twice in one operand is a diagonal.

#include "ElementTypes.h"
#include "GraphBuilder.h"
#include "Node.h"
#include "Registry.h"
#include "RunTimeShapes.h"
#include "Scalars.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include <map>

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

/// Labels of the dimensions of one operand: letters, and for an ellipsis
/// negative numbers counted from its end (-1 is its last dimension).
using Labels = SmallVector<int>;

/// The labels of `term`, whose ellipsis stands for `ellipsis` dimensions.
std::optional<Labels> labelsOf(StringRef term, int64_t ellipsis) {
  Labels labels;
  while (!term.empty()) {
    if (term.consume_front("...")) {
      for (int64_t i = ellipsis; i > 0; --i)
        labels.push_back(static_cast<int>(-i));
      continue;
    }
    if (!llvm::isAlpha(term.front()))
      return std::nullopt;
    labels.push_back(term.front());
    term = term.drop_front();
  }
  return labels;
}

struct Equation {
  SmallVector<Labels> operands;
  Labels result;
};

std::optional<Equation> parseEquation(StringRef text, ArrayRef<Tensor> inputs) {
  std::string compact;
  for (char c : text)
    if (c != ' ')
      compact.push_back(c);
  auto [left, right] = StringRef(compact).split("->");
  bool isExplicit = StringRef(compact).contains("->");
  SmallVector<StringRef> terms;
  left.split(terms, ',');
  if (terms.size() != inputs.size())
    return std::nullopt;
  Equation equation;
  int64_t widest = 0;
  for (auto [term, input] : llvm::zip_equal(terms, inputs)) {
    int64_t ellipsis = 0;
    if (term.contains("..."))
      ellipsis = input.rank() - (static_cast<int64_t>(term.size()) - 3);
    std::optional<Labels> labels =
        ellipsis < 0 ? std::nullopt : labelsOf(term, ellipsis);
    if (!labels || static_cast<int64_t>(labels->size()) != input.rank())
      return std::nullopt;
    widest = std::max(widest, ellipsis);
    equation.operands.push_back(*labels);
  }
  if (isExplicit) {
    std::optional<Labels> labels = labelsOf(right, widest);
    if (!labels)
      return std::nullopt;
    equation.result = *labels;
    return equation;
  }
  // Without a result: the ellipsis, then the letters that occur once, sorted.
  std::map<int, int> uses;
  for (const Labels &labels : equation.operands)
    for (int label : labels)
      ++uses[label];
  for (auto [label, count] : uses)
    if (label < 0 || count == 1)
      equation.result.push_back(label);
  return equation;
}

LogicalResult importEinsum(Node &n) {
  std::string text = n.getString("equation", "");
  SmallVector<Tensor> inputs;
  for (size_t i = 0; i < n.numInputs(); ++i)
    inputs.push_back(n.input(i, "Inputs"));
  if (!n.ok() || inputs.empty())
    return failure();
  for (const Tensor &input : inputs)
    n.requireSameType(inputs.front(), input);
  if (!n.ok())
    return failure();
  Type type = inputs.front().elementType();
  if (!isFloat(type) && !(isSignlessInteger(type) && !type.isInteger(1)))
    return n.emitError() << "element type of "
                         << describeType(inputs.front().type)
                         << " is not supported";
  std::optional<Equation> equation = parseEquation(text, inputs);
  if (!equation)
    return n.emitError() << "equation '" << text << "' does not fit the "
                         << inputs.size() << " inputs";
  // Loops: labels of the result, then the others in order of appearance.
  SmallVector<int> loops(equation->result.begin(), equation->result.end());
  for (const Labels &labels : equation->operands)
    for (int label : labels)
      if (!llvm::is_contained(loops, label))
        loops.push_back(label);
  llvm::DenseMap<int, int64_t> sizes;
  for (auto [labels, input] : llvm::zip_equal(equation->operands, inputs))
    for (auto [label, size] : llvm::zip_equal(labels, input.shape())) {
      auto [known, isNew] = sizes.try_emplace(label, size);
      std::optional<Shape> common =
          commonShape(n, {Shape{known->second}, Shape{size}});
      if (!common)
        return n.emitError()
               << "equation '" << text << "' gives one label the sizes "
               << n.b.sizes.print(known->second) << " and "
               << n.b.sizes.print(size);
      known->second = common->front();
    }
  for (auto [number, input] : llvm::enumerate(inputs)) {
    Shape target = llvm::map_to_vector(equation->operands[number],
                                       [&](int label) { return sizes[label]; });
    input = fitted(n, input, target, ("operand " + Twine(number)).str());
  }
  Shape shape, space;
  for (int label : equation->result) {
    if (!sizes.contains(label) || llvm::count(equation->result, label) != 1)
      return n.emitError() << "equation '" << text
                           << "' has a result that its operands do not give";
    shape.push_back(sizes[label]);
  }
  for (int label : loops)
    space.push_back(sizes[label]);
  if (!isReasonableShape(space))
    return n.emitError() << "equation '" << text << "' has too many steps";

  GraphBuilder &b = n.b;
  SmallVector<Value> values;
  SmallVector<AffineMap> maps;
  for (auto [labels, input] : llvm::zip_equal(equation->operands, inputs)) {
    // Dimensions along which the operand is broadcast disappear.
    Shape kept;
    SmallVector<AffineExpr> places;
    for (auto [label, size] : llvm::zip_equal(labels, input.shape())) {
      if (size == 1 && sizes[label] != 1)
        continue;
      kept.push_back(size);
      places.push_back(
          b.builder.getAffineDimExpr(llvm::find(loops, label) - loops.begin()));
    }
    values.push_back(b.value(b.reshape(input, kept)));
    maps.push_back(AffineMap::get(loops.size(), 0, places, b.context()));
  }
  unsigned parallel = shape.size();
  maps.push_back(b.builder.getMultiDimIdentityMap(loops.size())
                     .dropResults(llvm::to_vector(
                         llvm::seq<int64_t>(parallel, loops.size()))));
  SmallVector<utils::IteratorType> iterators(loops.size(),
                                             utils::IteratorType::reduction);
  std::fill_n(iterators.begin(), parallel, utils::IteratorType::parallel);
  Value init = b.filled(shape, type, 0);
  auto op = linalg::GenericOp::create(
      b.builder, b.loc, TypeRange{init.getType()}, values, ValueRange{init},
      maps, iterators, [](OpBuilder &nested, Location at, ValueRange v) {
        Scalars s{nested, at};
        Value product = v[0];
        for (Value factor : v.drop_front().drop_back())
          product = s.mul(product, factor);
        linalg::YieldOp::create(nested, at, s.add(v.back(), product));
      });
  return n.result(b.tensor(op.getResult(0), shape));
}

} // namespace

void registerEinsumOps(OpRegistry &r) {
  r.onOp("Einsum", 12, importEinsum, "float, signed integer").symbolic();
}

} // namespace qdialect::onnx_import
