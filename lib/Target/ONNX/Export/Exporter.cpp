// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Walks the program; binds, transposes and reshapes tensors (Exporter.h).

#include "Export/Exporter.h"

#include "QDialect/Analysis/ContractionStructure.h"
#include "QDialect/IR/AttributeNames.h"
#include "QDialect/Support/ConstantView.h"
#include "QDialect/Support/PermuteTensor.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace qdialect::onnx_export {

Order identityOrder(int64_t rank) {
  return llvm::to_vector(llvm::seq<int64_t>(0, rank));
}

Layout layoutOf(ArrayRef<int64_t> order) {
  Layout layout;
  for (int64_t dim : order)
    layout.push_back({dim});
  return layout;
}

StringRef givenName(Operation *op) {
  auto name = op ? op->getAttrOfType<StringAttr>(qd::kNameAttr) : StringAttr();
  return name ? name.getValue() : StringRef();
}

/// The dimensions of `layout` in order, then those of size one it leaves out.
static Order flatten(const Layout &layout, int64_t rank) {
  Order order;
  for (ArrayRef<int64_t> group : layout)
    llvm::append_range(order, group);
  for (int64_t dim = 0; dim < rank; ++dim)
    if (!llvm::is_contained(order, dim))
      order.push_back(dim);
  return order;
}

/// True if each dimension of the value is a group of its own.
static bool isPermutation(const Layout &layout, int64_t rank) {
  return static_cast<int64_t>(layout.size()) == rank &&
         llvm::all_of(layout, [](auto &group) { return group.size() == 1; });
}

static const Rules &allRules() {
  static const Rules rules = [] {
    Rules made;
    addCastRules(made);
    addNormRules(made);
    addMovementRules(made);
    addContractionRules(made);
    addReductionRules(made);
    addElementwiseRules(made);
    return made;
  }();
  return rules;
}

static const Rule *ruleFor(Operation *op) {
  for (const Rule &rule : allRules())
    if (rule.matches(op))
      return &rule;
  return nullptr;
}

InFlightDiagnostic Exporter::refuse(Operation *op) {
  InFlightDiagnostic error = op->emitOpError();
  if (StringRef name = givenName(op); !name.empty())
    error << "'" << name << "' ";
  error << "has no ONNX form: ";
  return error;
}

/// Ops that readers take in, or that hold no data of their own.
static bool isOnDemand(Operation *op) {
  if (op->hasTrait<OpTrait::ConstantLike>() ||
      llvm::all_of(op->getResultTypes(),
                   [](Type type) { return type.isIntOrIndexOrFloat(); }))
    return true;
  // Constants are written in the layout that each reader wants.
  if (op->getNumResults() == 1 && isComputedFromConstants(op->getResult(0)))
    return true;
  const Rule *rule = ruleFor(op);
  return rule && rule->onDemand;
}

LogicalResult Exporter::emit(Operation *op) {
  const Rule *rule = ruleFor(op);
  if (!rule)
    return refuse(op) << "no operator computes it";
  return rule->emit(*this, op);
}

LogicalResult Exporter::run(func::FuncOp main) {
  if (failed(addInterface(main)))
    return failure();
  Block &body = main.getBody().front();
  for (Operation &op : body.without_terminator())
    if (!isOpTriviallyDead(&op) && !isOnDemand(&op) && failed(emit(&op)))
      return failure();
  return finish(main, body.getTerminator());
}

LogicalResult Exporter::addInterface(func::FuncOp main) {
  auto nameOf = [&](Attribute given, const Twine &otherwise) {
    auto name = dyn_cast_or_null<StringAttr>(given);
    return name ? name.getValue().str() : otherwise.str();
  };
  for (auto [index, argument] : llvm::enumerate(main.getArguments())) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type || !hasDataType(type.getElementType()))
      return main.emitError() << "argument " << index << " of type "
                              << argument.getType() << " has no ONNX form";
    std::string name =
        nameOf(main.getArgAttr(index, qd::kNameAttr), "input" + Twine(index));
    if (!model.claim(name))
      return main.emitError() << "two arguments are named '" << name << "'";
    auto named = main.getArgAttrOfType<ArrayAttr>(index, qd::kDimsAttr);
    SmallVector<ModelWriter::Dimension> dims;
    for (auto [dim, size] : llvm::enumerate(type.getShape())) {
      if (!ShapedType::isDynamic(size))
        dims.push_back(size);
      else
        dims.push_back(
            nameOf(named && dim < named.size() ? named[dim] : Attribute(),
                   name + "_" + Twine(dim)));
    }
    model.addInput(name, type.getElementType(), dims);
    bind(argument, name);
  }
  // Outputs have their names before anything else is named.
  for (auto [index, value] :
       llvm::enumerate(main.getBody().front().getTerminator()->getOperands())) {
    std::string name = nameOf(main.getResultAttr(index, qd::kNameAttr),
                              "output" + Twine(index));
    if (!model.claim(name))
      return main.emitError() << "two results are named '" << name << "'";
    // What is an input, a constant or returned twice is copied in the end.
    if (value.getDefiningOp())
      outputNames.try_emplace(value, name);
  }
  return success();
}

LogicalResult Exporter::finish(func::FuncOp main, Operation *terminator) {
  for (auto [index, value] : llvm::enumerate(terminator->getOperands())) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type || !hasDataType(type.getElementType()))
      return main.emitError() << "result " << index << " of type "
                              << value.getType() << " has no ONNX form";
    std::string name = use(value);
    if (name.empty())
      return failure();
    auto given = main.getResultAttrOfType<StringAttr>(index, qd::kNameAttr);
    std::string wanted =
        given ? given.getValue().str() : ("output" + Twine(index)).str();
    if (name != wanted)
      model.addNode("Identity", {name}, {wanted}, {});
    SmallVector<ModelWriter::Dimension> dims;
    for (auto [dim, size] : llvm::enumerate(type.getShape())) {
      if (ShapedType::isDynamic(size))
        dims.push_back(wanted + "_" + std::to_string(dim));
      else
        dims.push_back(size);
    }
    model.addOutput(wanted, type.getElementType(), dims);
  }
  return success();
}

std::string Exporter::nameFor(Value value, ArrayRef<int64_t> order) {
  auto output = outputNames.find(value);
  if (output != outputNames.end() &&
      order == ArrayRef<int64_t>(identityOrder(order.size()))) {
    std::string name = output->second;
    outputNames.erase(output);
    return name;
  }
  StringRef name = givenName(value.getDefiningOp());
  return model.uniqueName(name.empty() ? StringRef("value") : name);
}

std::string Exporter::nameFor(Value value, const Layout &layout) {
  auto type = cast<RankedTensorType>(value.getType());
  // An order that is not the identity has no claim to an output's name.
  return nameFor(value, isPermutation(layout, type.getRank())
                            ? flatten(layout, type.getRank())
                            : Order{-1});
}

std::string Exporter::node(StringRef op, ArrayRef<std::string> inputs,
                           ArrayRef<NodeAttribute> attributes, Value value,
                           StringRef wish) {
  StringRef name = value ? givenName(value.getDefiningOp()) : wish;
  std::string result = model.uniqueName(name.empty() ? op : name);
  model.addNode(op, inputs, {result}, attributes);
  return result;
}

void Exporter::bind(Value value, std::string name, ArrayRef<int64_t> order) {
  bindings[value] = {std::move(name), Order(order)};
}

void Exporter::bind(Value value, std::string name) {
  auto type = cast<RankedTensorType>(value.getType());
  bind(value, std::move(name), identityOrder(type.getRank()));
}

std::optional<Binding> Exporter::find(Value value) {
  auto known = bindings.find(value);
  if (known != bindings.end())
    return known->second;
  Operation *op = value.getDefiningOp();
  if (!op)
    return std::nullopt;
  if (isa<arith::ConstantOp>(op)) {
    std::string name = use(value);
    if (name.empty())
      return std::nullopt;
    bind(value, name);
  } else if (failed(emit(op))) {
    return std::nullopt;
  }
  known = bindings.find(value);
  if (known == bindings.end()) {
    refuse(op) << "its result " << cast<OpResult>(value).getResultNumber()
               << " is not computed";
    return std::nullopt;
  }
  return known->second;
}

std::optional<HostTensor> Exporter::constant(Value value,
                                             const Layout &layout) {
  std::optional<ConstantView> view = constantView(value);
  if (!view || !isa<RankedTensorType>(value.getType()))
    return std::nullopt;
  HostTensor tensor = permuteTensor(view->toHostTensor(),
                                    flatten(layout, view->type.getRank()));
  std::vector<int64_t> shape;
  for (ArrayRef<int64_t> group : layout) {
    int64_t size = 1;
    for (int64_t dim : group)
      size *= view->type.getDimSize(dim);
    shape.push_back(size);
  }
  return tensor.reshaped(std::move(shape));
}

std::string Exporter::useConstant(Value value, const Layout &layout,
                                  StringRef otherwise) {
  std::optional<HostTensor> tensor = constant(value, layout);
  Type element = getElementTypeOrSelf(value.getType());
  if (element.isIndex())
    element = IntegerType::get(value.getContext(), 64);
  if (!tensor || !hasDataType(element)) {
    refuse(value.getDefiningOp()) << "there is no type for " << value.getType();
    return "";
  }
  StringRef name = givenName(value.getDefiningOp());
  if (name.empty())
    return this->constant(*tensor, element, otherwise);
  return model.addConstant(name, element, *tensor);
}

std::string Exporter::reshapeTo(Value value, std::string name,
                                const Layout &layout) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<int64_t> shape;
  int64_t symbolic = 0;
  for (ArrayRef<int64_t> group : layout) {
    int64_t size = 1;
    for (int64_t dim : group)
      size =
          type.isDynamicDim(dim) || size < 0 ? -1 : size * type.getDimSize(dim);
    symbolic += size < 0;
    shape.push_back(size);
  }
  if (symbolic <= 1)
    return node("Reshape", {name, integers(shape)}, {}, value);
  // The sizes of the tensor as it lies before, in the order of `layout`.
  std::string all = node("Shape", {name}), wanted;
  SmallVector<std::string> parts;
  int64_t next = 0;
  for (ArrayRef<int64_t> group : layout) {
    Order places;
    for (size_t i = 0; i < group.size(); ++i)
      places.push_back(next++);
    if (group.empty()) {
      parts.push_back(integers({1}));
      continue;
    }
    std::string picked = node("Gather", {all, integers(places)});
    parts.push_back(group.size() == 1 ? picked : node("ReduceProd", {picked}));
  }
  return node("Reshape", {name, node("Concat", parts, {{"axis", 0}})}, {},
              value);
}

std::string Exporter::use(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  return use(value, layoutOf(identityOrder(type.getRank())));
}

bool lookThrough(Value &value, Layout &layout) {
  Operation *op = value.getDefiningOp();
  if (!isa_and_nonnull<linalg::TransposeOp, tensor::CollapseShapeOp,
                       tensor::ExpandShapeOp>(op) ||
      !isComputedFromConstants(value))
    return false;
  Layout source;
  if (auto transpose = dyn_cast<linalg::TransposeOp>(op)) {
    for (ArrayRef<int64_t> group : layout) {
      source.push_back({});
      for (int64_t dim : group)
        source.back().push_back(transpose.getPermutation()[dim]);
    }
  } else if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    auto groups = collapse.getReassociationIndices();
    for (ArrayRef<int64_t> group : layout) {
      source.push_back({});
      for (int64_t dim : group)
        llvm::append_range(source.back(), groups[dim]);
    }
  } else {
    // Only dimensions of size one may have been added.
    auto expand = cast<tensor::ExpandShapeOp>(op);
    auto groups = expand.getReassociationIndices();
    ArrayRef<int64_t> shape = expand.getResultType().getShape();
    for (ArrayRef<int64_t> group : layout) {
      source.push_back({});
      for (int64_t dim : group)
        for (auto [from, parts] : llvm::enumerate(groups)) {
          if (!llvm::is_contained(parts, dim) || shape[dim] == 1)
            continue;
          if (llvm::count_if(parts, [&](int64_t d) { return shape[d] != 1; }) >
              1)
            return false;
          source.back().push_back(static_cast<int64_t>(from));
        }
    }
  }
  value = op->getOperand(0);
  layout = std::move(source);
  return true;
}

std::string Exporter::use(Value value, const Layout &layout,
                          StringRef otherwise) {
  Key key{value.getAsOpaquePointer(), layout};
  auto known = laidOut.find(key);
  if (known != laidOut.end())
    return known->second;
  std::string name;
  auto type = cast<RankedTensorType>(value.getType());
  auto dequantize = value.getDefiningOp<qd::DequantizeOp>();
  Value source = value;
  Layout inSource = layout;
  if (value.getDefiningOp<arith::ConstantOp>()) {
    name = useConstant(value, layout, otherwise);
  } else if (lookThrough(source, inSource)) {
    name = use(source, inSource, otherwise);
  } else if (dequantize && isConstantDequantize(dequantize) &&
             fitsLayout(dequantize, layout)) {
    std::string codes = use(dequantize.getInput(), layout, otherwise);
    if (!codes.empty())
      name = *this->dequantize(dequantize, codes, layout, otherwise);
  } else if (std::optional<Binding> binding = find(value)) {
    Order wanted = flatten(layout, type.getRank()), permutation;
    for (int64_t dim : wanted)
      permutation.push_back(llvm::find(binding->order, dim) -
                            binding->order.begin());
    bool transposes =
        permutation != identityOrder(static_cast<int64_t>(wanted.size()));
    bool reshapes = !isPermutation(layout, type.getRank());
    name = binding->name;
    if (transposes && !reshapes) {
      std::string result = nameFor(value, wanted);
      model.addNode("Transpose", {name}, {result}, {{"perm", permutation}});
      name = result;
    } else if (transposes) {
      name = node("Transpose", {name}, {{"perm", permutation}}, value);
    }
    if (reshapes)
      name = reshapeTo(value, name, layout);
  }
  if (!name.empty())
    laidOut[key] = name;
  return name;
}

LogicalResult Exporter::bindMerged(Value value, std::string name,
                                   const Layout &layout) {
  auto type = cast<RankedTensorType>(value.getType());
  Order order = flatten(layout, type.getRank());
  if (!isPermutation(layout, type.getRank())) {
    SmallVector<int64_t> shape;
    for (int64_t dim : order)
      shape.push_back(type.isDynamicDim(dim) ? -1 : type.getDimSize(dim));
    if (llvm::count(shape, -1) > 1)
      return refuse(value.getDefiningOp())
             << "several symbolic sizes of " << type << " are one dimension";
    std::string result = nameFor(value, order);
    model.addNode("Reshape", {name, integers(shape)}, {result}, {});
    name = result;
  }
  bind(value, name, order);
  return success();
}

std::string Exporter::convert(StringRef name, Type element) {
  return node("Cast", {name.str()}, {{"to", model.dataType(element)}});
}

std::string Exporter::constant(const HostTensor &data, Type element,
                               StringRef wish) {
  constexpr int64_t largestShared = 4096;
  if (data.size() > largestShared)
    return model.addConstant(wish, element, data);
  std::string key = wish.str() + ":";
  key.append(data.bytes(), data.sizeInBytes());
  for (int64_t size : data.shape())
    key += "x" + std::to_string(size);
  std::string &name = constants[{element.getAsOpaquePointer(), key}];
  if (name.empty())
    name = model.addConstant(wish, element, data);
  return name;
}

std::string Exporter::integers(ArrayRef<int64_t> numbers) {
  std::vector<int64_t> elements(numbers.begin(), numbers.end());
  auto count = static_cast<int64_t>(numbers.size());
  return constant(HostTensor::of(DType::I64, {count}, elements),
                  IntegerType::get(context, 64), "sizes");
}

std::string Exporter::scalar(TypedAttr number) {
  Type type = number.getType();
  std::optional<ConstantView> view = constantView(number);
  if (!view)
    return "";
  if (type.isIndex())
    type = IntegerType::get(context, 64);
  return constant(view->toHostTensor().reshaped({}), type, "number");
}

} // namespace qdialect::onnx_export
