// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The walk over the graph: checks the model's version, makes @main, and calls
// the handler of every node in order. Values are known by name; every operation
// that produces a named value carries it as qd.name, and the node's name as its
// location.

#include "Importer.h"
#include "ElementTypes.h"
#include "FoldNode.h"
#include "GraphBuilder.h"
#include "ModelFile.h"
#include "Node.h"
#include "NodeOrder.h"
#include "QDialect/IR/AttributeNames.h"
#include "QDialect/Target/ONNX/ImportONNX.h"
#include "Registry.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"
#include "onnx.pb.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

/// A body or a function is imported wherever it is used, so a few nested ones
/// can stand for any number of nodes. So many may be made of each one of the
/// file, and so many in any case.
constexpr size_t maxNestedFactor = 128, maxNestedFree = size_t(1) << 14;

class Importer {
public:
  Importer(ModelFile &file, MLIRContext *context, const ImportOptions &options)
      : file(file), graph(file.getProto().graph()), context(context),
        options(options), builder(context), maxNested(maxNestedFree) {
    size_t stored = graph.node_size();
    for (const onnx::FunctionProto &function : file.getProto().functions())
      stored += function.node_size();
    maxNested += maxNestedFactor * stored;
  }

  OwningOpRef<ModuleOp> run();

private:
  InFlightDiagnostic error() {
    return mlir::emitError(UnknownLoc::get(context)) << file.getName() << ": ";
  }
  LogicalResult checkVersion();
  LogicalResult readInitializers(const onnx::GraphProto &of);
  LogicalResult checkDimensionNames();
  LogicalResult addInputs();
  void addBounds();
  LogicalResult checkSizes(const onnx::NodeProto &proto,
                           ArrayRef<std::optional<Tensor>> inputs);
  LogicalResult importNode(const onnx::NodeProto &proto);
  FailureOr<std::vector<Tensor>> importBody(const onnx::GraphProto &body,
                                            ArrayRef<Tensor> inputs);
  LogicalResult importCall(const onnx::FunctionProto &function,
                           const onnx::NodeProto &call,
                           ArrayRef<std::optional<Tensor>> inputs);
  const onnx::FunctionProto *findFunction(const onnx::NodeProto &call) const;
  const Tensor *find(StringRef name) const;
  /// The version of the node's domain; nothing if the model imports none.
  std::optional<int64_t> opsetOf(const onnx::NodeProto &proto) const {
    auto found = opsets.find(canonicalDomain(proto.domain()));
    return found == opsets.end() ? std::nullopt : std::optional(found->second);
  }
  LogicalResult defineValue(StringRef name, const InputType &type,
                            StringRef text);
  LogicalResult unsupported(const onnx::NodeProto &proto);
  LogicalResult bindInputs(const onnx::NodeProto &proto,
                           SmallVectorImpl<std::optional<Tensor>> &inputs);
  LogicalResult bindOutputs(const onnx::NodeProto &proto, int64_t version,
                            ArrayRef<std::optional<Tensor>> results);
  LogicalResult addOutputs();
  LogicalResult define(StringRef name, Tensor tensor, const Twine &what);
  LogicalResult undefined(StringRef name, const onnx::NodeProto &user);

  ModelFile &file;
  const onnx::GraphProto &graph;
  MLIRContext *context;
  const ImportOptions &options;
  OpBuilder builder;
  std::optional<GraphBuilder> emit;
  func::FuncOp main;
  int64_t opset = 1; ///< of the default domain
  llvm::StringMap<int64_t> opsets;
  /// The values of one graph by name; a graph inside sees those around it.
  struct Scope {
    llvm::StringMap<Tensor> values;
    llvm::StringSet<> absent; ///< inputs that a call of a function leaves out
  };
  std::vector<Scope> scopes{1};
  size_t depth = 0;  ///< of bodies and calls
  size_t nested = 0; ///< nodes imported in bodies and calls
  size_t maxNested;
  std::string prefix; ///< of names inside calls: "call/"
  llvm::StringMap<const onnx::TensorProto *> initializers;
};

/// Bodies and calls may be nested this deeply.
constexpr size_t maxDepth = 32;

bool isDefaultDomain(StringRef domain) {
  return canonicalDomain(domain).empty();
}

LogicalResult Importer::checkVersion() {
  bool found = false;
  for (const onnx::OperatorSetIdProto &import :
       file.getProto().opset_import()) {
    opsets[canonicalDomain(import.domain())] = import.version();
    if (isDefaultDomain(import.domain())) {
      opset = import.version();
      found = true;
    }
  }
  if (!found)
    return error() << "the model imports no operator set of the domain ai.onnx";
  if (opset < minOpset || opset > maxOpset)
    return error() << "opset " << opset << " is not supported; supported are "
                   << minOpset << " to " << maxOpset;
  if (!file.getProto().has_graph())
    return error() << "the model has no graph";
  return success();
}

LogicalResult Importer::define(StringRef name, Tensor tensor,
                               const Twine &what) {
  if (!scopes.back().values.try_emplace(name, std::move(tensor)).second)
    return error() << what << " defines value '" << name << "' a second time";
  return success();
}

const Tensor *Importer::find(StringRef name) const {
  for (const Scope &scope : llvm::reverse(scopes))
    if (auto found = scope.values.find(name); found != scope.values.end())
      return &found->second;
  return nullptr;
}

LogicalResult Importer::readInitializers(const onnx::GraphProto &of) {
  if (of.sparse_initializer_size() > 0)
    return error() << "sparse initializers are not supported";
  for (const onnx::TensorProto &proto : of.initializer()) {
    llvm::Expected<TypedTensor> tensor = file.readTensor(proto, context);
    if (!tensor)
      return error() << "initializer '" << proto.name()
                     << "': " << llvm::toString(tensor.takeError());
    if (failed(define(proto.name(),
                      Tensor(tensor->elementType, tensor->data, proto.name()),
                      "an initializer")))
      return failure();
    if (&of == &graph)
      initializers[proto.name()] = &proto;
  }
  return success();
}

/// A --dim that means no dimension of any input is a typing error.
LogicalResult Importer::checkDimensionNames() {
  SmallVector<std::string> names;
  for (const onnx::ValueInfoProto &input : graph.input()) {
    if (initializers.contains(input.name()))
      continue;
    int axis = 0;
    for (const auto &dim : input.type().tensor_type().shape().dim()) {
      if (!dim.dim_param().empty() &&
          !llvm::is_contained(names, dim.dim_param()))
        names.push_back(dim.dim_param());
      names.push_back(input.name() + ":" + std::to_string(axis++));
    }
  }
  for (const auto &given : options.dims)
    if (!llvm::is_contained(names, given.first()))
      return error() << "--dim names '" << given.first()
                     << "', but the dimensions of the inputs are "
                     << llvm::join(names, ", ");
  return success();
}

/// An input that --set makes a constant.
LogicalResult Importer::defineValue(StringRef name, const InputType &type,
                                    StringRef text) {
  double number = 0;
  bool fits = !text.getAsDouble(number) &&
              (isa<FloatType>(type.elementType) ||
               (isSignlessInteger(type.elementType) &&
                number == std::trunc(number) && std::abs(number) < 0x1p53));
  int64_t size = 1;
  for (int64_t dim : type.shape)
    size = SymbolicSizes::isSymbolic(dim) ? 0 : size * dim;
  if (!fits || size != 1)
    return error() << "--set " << name << "=" << text
                   << ": the input is no number of that kind, but "
                   << emit->typeOf(type.shape, type.elementType);
  return define(name, emit->constant(type.elementType, type.shape, {number}),
                "an input");
}

LogicalResult Importer::addInputs() {
  if (failed(checkDimensionNames()))
    return failure();
  for (const auto &given : options.values)
    if (llvm::none_of(graph.input(), [&](const onnx::ValueInfoProto &input) {
          return given.first() == input.name() &&
                 !initializers.contains(input.name());
        }))
      return error() << "--set names '" << given.first()
                     << "', which is no input of the model";
  for (const onnx::ValueInfoProto &input : graph.input()) {
    // Before IR version 4 initializers are listed as inputs too.
    if (initializers.contains(input.name()))
      continue;
    SymbolicSizes &sizes = emit->sizes;
    FailureOr<InputType> type =
        importInputType(input, file.getName(), context, options, sizes);
    if (failed(type))
      return failure();
    if (auto given = options.values.find(input.name());
        given != options.values.end()) {
      if (failed(defineValue(input.name(), *type, given->second)))
        return failure();
      continue;
    }
    unsigned index = main.getNumArguments();
    SmallVector<NamedAttribute> attributes{builder.getNamedAttr(
        qd::kNameAttr, builder.getStringAttr(input.name()))};
    if (SymbolicSizes::anySymbolic(type->shape)) {
      SmallVector<Attribute> dims;
      for (int64_t size : type->shape)
        dims.push_back(SymbolicSizes::isSymbolic(size)
                           ? Attribute(builder.getStringAttr(sizes.print(size)))
                           : builder.getI64IntegerAttr(size));
      attributes.push_back(
          builder.getNamedAttr(qd::kDimsAttr, builder.getArrayAttr(dims)));
    }
    if (failed(main.insertArgument(
            index, emit->typeOf(type->shape, type->elementType),
            builder.getDictionaryAttr(attributes), builder.getUnknownLoc())))
      return failure();
    Value argument = main.getArgument(index);
    for (auto [axis, size] : llvm::enumerate(type->shape))
      if (SymbolicSizes::isSymbolic(size))
        emit->bindSymbol(argument, static_cast<int64_t>(axis), size);
    if (failed(define(input.name(), emit->tensor(argument, type->shape),
                      "an input")))
      return failure();
  }
  return success();
}

/// The bounds of the symbols, for the whole program.
void Importer::addBounds() {
  SmallVector<NamedAttribute> bounds;
  for (const SymbolicSizes::Symbol &symbol : emit->sizes.symbols()) {
    if (symbol.isComputed)
      continue;
    SmallVector<int64_t> range{symbol.low, symbol.high};
    if (symbol.step != 1)
      range.push_back(symbol.step);
    bounds.push_back(
        builder.getNamedAttr(symbol.name, builder.getDenseI64ArrayAttr(range)));
  }
  if (!bounds.empty())
    main->setAttr(qd::kDimBoundsAttr, builder.getDictionaryAttr(bounds));
}

/// Handlers that have not learned of symbolic sizes never see one.
LogicalResult Importer::checkSizes(const onnx::NodeProto &proto,
                                   ArrayRef<std::optional<Tensor>> inputs) {
  for (auto [index, input] : llvm::enumerate(inputs))
    if (input && input->isSymbolic()) {
      ArrayRef<int64_t> shape = input->shape();
      int64_t axis =
          llvm::find_if(shape, SymbolicSizes::isSymbolic) - shape.begin();
      InFlightDiagnostic diagnostic = error() << describeNode(proto, opset);
      diagnostic << "input " << index << " ('"
                 << proto.input(static_cast<int>(index)) << "') ";
      if (axis < input->rank())
        diagnostic << "has the symbolic size " << emit->sizes.print(shape[axis])
                   << " in dimension " << axis;
      else
        diagnostic << "is computed from symbolic sizes";
      return diagnostic << ", which the operator does not support; fix it with "
                           "--dim name=value";
    }
  return success();
}

LogicalResult Importer::undefined(StringRef name, const onnx::NodeProto &user) {
  InFlightDiagnostic diagnostic = error() << describeNode(user, opsetOf(user))
                                          << "input '" << name << "' ";
  for (const onnx::NodeProto &node : graph.node())
    if (llvm::is_contained(node.output(), name))
      return diagnostic << "is produced only later, by node '" << nodeName(node)
                        << "' (" << node.op_type() << "): the graph is cyclic";
  return diagnostic
         << "is neither a graph input, nor an initializer, nor produced by any "
            "node";
}

LogicalResult
Importer::bindInputs(const onnx::NodeProto &proto,
                     SmallVectorImpl<std::optional<Tensor>> &inputs) {
  for (const std::string &name : proto.input()) {
    if (name.empty() || scopes.back().absent.contains(name)) {
      inputs.push_back(std::nullopt);
      continue;
    }
    const Tensor *found = find(name);
    if (!found)
      return undefined(name, proto);
    inputs.push_back(*found);
  }
  return success();
}

LogicalResult Importer::unsupported(const onnx::NodeProto &proto) {
  const OpRegistry &registry = OpRegistry::get();
  InFlightDiagnostic diagnostic = error();
  diagnostic << describeNode(proto, opsetOf(proto));
  if (!registry.knowsDomain(proto.domain()))
    return diagnostic << "operators of the domain '" << proto.domain()
                      << "' are not supported, only those listed in "
                         "docs/reference/ONNXCoverage.md";
  if (!opsetOf(proto))
    return diagnostic << "the model imports no operator set of the domain '"
                      << proto.domain() << "'";
  if (registry.knows(proto.domain(), proto.op_type()))
    return diagnostic << "the operator is not supported in this opset";
  return diagnostic << "the operator is not supported; supported are those of "
                       "docs/reference/ONNXCoverage.md";
}

/// Outputs become known by name, and the operations made for them carry it.
LogicalResult Importer::bindOutputs(const onnx::NodeProto &proto,
                                    int64_t version,
                                    ArrayRef<std::optional<Tensor>> results) {
  for (auto [index, name] : llvm::enumerate(proto.output())) {
    if (name.empty())
      continue;
    std::optional<Tensor> tensor = results[index];
    if (!tensor)
      return error() << describeNode(proto, version) << "output " << index
                     << " ('" << name << "') is not supported";
    if (tensor->isConstant() && tensor->name.empty())
      tensor->name = name;
    // A value that only got another name (Identity) keeps its first one.
    Operation *op = tensor->value ? tensor->value.getDefiningOp() : nullptr;
    if (op && !op->hasAttr(qd::kNameAttr))
      op->setAttr(qd::kNameAttr, builder.getStringAttr(prefix + name));
    if (failed(define(name, *tensor, "node '" + nodeName(proto) + "'")))
      return failure();
  }
  return success();
}

LogicalResult Importer::importNode(const onnx::NodeProto &proto) {
  if (depth > 0 && nested++ == maxNested)
    return error() << "graphs and functions expand to more than " << maxNested
                   << " nodes";
  SmallVector<std::optional<Tensor>> inputs;
  if (failed(bindInputs(proto, inputs)))
    return failure();
  if (const onnx::FunctionProto *function = findFunction(proto))
    return importCall(*function, proto, inputs);
  std::optional<int64_t> version = opsetOf(proto);
  const OpRegistry::Entry *entry =
      version
          ? OpRegistry::get().find(proto.domain(), proto.op_type(), *version)
          : nullptr;
  if (!entry)
    return unsupported(proto);
  if (!entry->isSymbolic && failed(checkSizes(proto, inputs)))
    return failure();
  emit->loc = NameLoc::get(builder.getStringAttr(nodeName(proto)));
  NodeFolder folder(*emit, inputs);
  Node node(proto, *version, file, *emit, inputs);
  node.importBody = [this](const onnx::GraphProto &body,
                           ArrayRef<Tensor> given) {
    return importBody(body, given);
  };
  if (failed(entry->handler(node)) || !node.ok() || failed(node.checkAllRead()))
    return failure();
  SmallVector<std::optional<Tensor>> results(node.getResults());
  folder.fold(results);
  return bindOutputs(proto, *version, results);
}

/// The graph of an attribute, in place: its values end with it.
FailureOr<std::vector<Tensor>>
Importer::importBody(const onnx::GraphProto &body, ArrayRef<Tensor> inputs) {
  if (++depth > maxDepth)
    return error() << "graphs and functions are nested too deeply", failure();
  scopes.emplace_back();
  llvm::scope_exit leave([&] {
    scopes.pop_back();
    --depth;
  });
  if (static_cast<size_t>(body.input_size()) != inputs.size())
    return error() << "graph '" << body.name() << "' has " << body.input_size()
                   << " inputs, but is given " << inputs.size(),
           failure();
  if (failed(readInitializers(body)))
    return failure();
  for (auto [info, tensor] : llvm::zip_equal(body.input(), inputs))
    if (failed(define(info.name(), tensor, "an input")))
      return failure();
  for (const onnx::NodeProto *node : orderNodes(body))
    if (failed(importNode(*node)))
      return failure();
  std::vector<Tensor> results;
  for (const onnx::ValueInfoProto &output : body.output()) {
    const Tensor *found = find(output.name());
    if (!found)
      return error() << "output '" << output.name() << "' of graph '"
                     << body.name() << "' is produced by no node",
             failure();
    results.push_back(*found);
  }
  return results;
}

const onnx::FunctionProto *
Importer::findFunction(const onnx::NodeProto &call) const {
  for (const onnx::FunctionProto &function : file.getProto().functions())
    if (function.name() == call.op_type() &&
        canonicalDomain(function.domain()) == canonicalDomain(call.domain()) &&
        function.overload() == call.overload())
      return &function;
  return nullptr;
}

/// The node with attributes of the function, which it refers to, replaced by
/// what the call gives; those that nobody gives disappear.
static void bindAttributes(onnx::NodeProto &node,
                           const onnx::FunctionProto &function,
                           const onnx::NodeProto &call) {
  onnx::NodeProto source = node;
  node.clear_attribute();
  for (onnx::AttributeProto &attribute : *source.mutable_attribute()) {
    if (attribute.has_g())
      for (onnx::NodeProto &inner : *attribute.mutable_g()->mutable_node())
        bindAttributes(inner, function, call);
    if (attribute.ref_attr_name().empty()) {
      *node.add_attribute() = attribute;
      continue;
    }
    auto isMeant = [&](const onnx::AttributeProto &given) {
      return given.name() == attribute.ref_attr_name();
    };
    auto given = llvm::find_if(call.attribute(), isMeant);
    auto byDefault = llvm::find_if(function.attribute_proto(), isMeant);
    onnx::AttributeProto bound;
    if (given != call.attribute().end())
      bound = *given;
    else if (byDefault != function.attribute_proto().end())
      bound = *byDefault;
    else
      continue;
    bound.set_name(attribute.name());
    *node.add_attribute() = bound;
  }
}

/// A call of a function of the model: its nodes, in place. It sees no values
/// but its inputs, and has operator sets of its own.
LogicalResult Importer::importCall(const onnx::FunctionProto &function,
                                   const onnx::NodeProto &call,
                                   ArrayRef<std::optional<Tensor>> inputs) {
  if (++depth > maxDepth)
    return error() << "graphs and functions are nested too deeply";
  std::vector<Scope> around(1);
  std::swap(around, scopes);
  llvm::StringMap<int64_t> versions = opsets;
  std::string outer = prefix;
  prefix += (nodeName(call) + "/").str();
  llvm::scope_exit leave([&] { --depth; });
  for (const onnx::OperatorSetIdProto &import : function.opset_import())
    opsets[canonicalDomain(import.domain())] = import.version();
  for (auto [index, name] : llvm::enumerate(function.input())) {
    if (index >= inputs.size() || !inputs[index])
      scopes.back().absent.insert(name);
    else if (failed(define(name, *inputs[index], "an input")))
      return failure();
  }
  for (onnx::NodeProto node : function.node()) {
    bindAttributes(node, function, call);
    if (failed(importNode(node)))
      return failure();
  }
  SmallVector<std::optional<Tensor>> results;
  for (auto [index, name] : llvm::enumerate(call.output())) {
    const Tensor *found = static_cast<int>(index) < function.output_size()
                              ? find(function.output(static_cast<int>(index)))
                              : nullptr;
    results.push_back(found ? std::optional<Tensor>(*found) : std::nullopt);
  }
  std::swap(around, scopes);
  opsets = std::move(versions);
  prefix = std::move(outer);
  return bindOutputs(call, opset, results);
}

LogicalResult Importer::addOutputs() {
  SmallVector<Value> returned;
  SmallVector<Attribute> names;
  for (const onnx::ValueInfoProto &output : graph.output()) {
    const Tensor *found = find(output.name());
    if (!found)
      return error() << "output '" << output.name()
                     << "' is produced by no node";
    emit->loc = builder.getUnknownLoc();
    returned.push_back(emit->value(*found));
    names.push_back(builder.getStringAttr(output.name()));
  }
  func::ReturnOp::create(builder, builder.getUnknownLoc(), returned);
  main.setType(builder.getFunctionType(main.getArgumentTypes(),
                                       ValueRange(returned).getTypes()));
  for (auto [index, name] : llvm::enumerate(names))
    main.setResultAttr(static_cast<unsigned>(index), qd::kNameAttr, name);
  return success();
}

OwningOpRef<ModuleOp> Importer::run() {
  if (failed(checkVersion()))
    return nullptr;
  OwningOpRef<ModuleOp> module = ModuleOp::create(builder.getUnknownLoc());
  builder.setInsertionPointToStart(module->getBody());
  main = func::FuncOp::create(builder, builder.getUnknownLoc(), "main",
                              builder.getFunctionType({}, {}));
  Block *entry = main.addEntryBlock();
  builder.setInsertionPointToEnd(entry);
  emit.emplace(builder, entry);
  if (failed(readInitializers(graph)) || failed(addInputs()))
    return nullptr;
  for (const onnx::NodeProto *node : orderNodes(graph))
    if (failed(importNode(*node)))
      return nullptr;
  if (failed(addOutputs()))
    return nullptr;
  addBounds();
  // Handlers check what they build; this is for what they forgot.
  if (failed(mlir::verify(*module)))
    return nullptr;
  return module;
}

} // namespace

OwningOpRef<ModuleOp> importGraph(ModelFile &file, MLIRContext *context,
                                  const ImportOptions &options) {
  return Importer(file, context, options).run();
}

} // namespace qdialect::onnx_import
