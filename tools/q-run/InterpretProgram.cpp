// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loads a program, runs it through the interpreter and reports the results.

#include "InterpretProgram.h"
#include "QDialect/Execution/RunModel.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Interpreter/InputSpecs.h"
#include "QDialect/Support/ConstantView.h"
#include "QDialect/Support/Npy.h"
#include "QDialect/Transforms/RetypeShapes.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SourceMgr.h"
#ifdef QDIALECT_HAS_ONNX
#include "QDialect/Target/ONNX/ImportONNX.h"
#endif

using namespace mlir;
using namespace qdialect;

namespace {
/// A program with the context it lives in. Diagnostics go to `errors`.
class Program {
public:
  explicit Program(llvm::raw_ostream &errors) {
    DialectRegistry registry;
    registry.insert<affine::AffineDialect, arith::ArithDialect,
                    func::FuncDialect, linalg::LinalgDialect, math::MathDialect,
                    scf::SCFDialect, tensor::TensorDialect, qd::QDDialect>();
    context.appendDialectRegistry(registry);
    // Also gives builtin float types their alphabets.
    context.loadDialect<qd::QDDialect>();
    context.getDiagEngine().registerHandler([&](Diagnostic &diagnostic) {
      errors << diagnostic.getLocation() << ": " << diagnostic << '\n';
      return success();
    });
  }
  bool load(const InterpretProgramOptions &options, llvm::raw_ostream &errors);

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};
} // namespace

bool Program::load(const InterpretProgramOptions &options,
                   llvm::raw_ostream &errors) {
  StringRef path = options.model;
  if (path.ends_with(".onnx")) {
#ifdef QDIALECT_HAS_ONNX
    ImportOptions import;
    for (const std::string &dim : options.dims)
      if (llvm::Error error = parseDimension(dim, import)) {
        errors << "error: " << toString(std::move(error)) << '\n';
        return false;
      }
    module = importONNX(path, &context, import);
#else
    errors << "error: this q-run was built without the ONNX importer\n";
#endif
    return bool(module);
  }
  module = parseSourceFile<ModuleOp>(path, &context);
  return bool(module);
}

static std::string nameOf(DictionaryAttr attributes, const Twine &otherwise) {
  if (attributes)
    if (auto name = attributes.getAs<StringAttr>(qd::kNameAttr))
      return name.getValue().str();
  return otherwise.str();
}

static std::vector<std::string> outputNames(func::FuncOp function) {
  std::vector<std::string> names;
  for (unsigned i = 0; i < function.getNumResults(); ++i)
    names.push_back(nameOf(function.getResultAttrDict(i), "result" + Twine(i)));
  return names;
}

static llvm::Error writeOutputs(StringRef folder, ArrayRef<std::string> names,
                                ArrayRef<HostTensor> tensors) {
  if (std::error_code code = llvm::sys::fs::create_directories(folder))
    return llvm::createStringError("cannot create folder '" + folder +
                                   "': " + code.message());
  for (auto [name, tensor] : llvm::zip_equal(names, tensors)) {
    SmallString<128> path(folder);
    llvm::sys::path::append(path, outputFileName(name));
    if (llvm::Error error = writeNpy(path, tensor))
      return error;
  }
  return llvm::Error::success();
}

/// Interprets the function; one with symbolic sizes as a copy for the shapes of
/// these inputs.
static llvm::Expected<SmallVector<HostTensor>>
interpretShaped(func::FuncOp function, ArrayRef<HostTensor> inputs,
                const InterpretProgramOptions &options) {
  bool isDynamic = llvm::any_of(function.getArgumentTypes(), [](Type type) {
    auto shaped = dyn_cast<ShapedType>(type);
    return shaped && !shaped.hasStaticShape();
  });
  if (!isDynamic)
    return interpret(function, inputs, options.interpreter);
  std::vector<std::vector<int64_t>> shapes;
  for (const HostTensor &input : inputs)
    shapes.push_back(input.shape());
  auto module = specializeShapes(function, shapes);
  if (!module)
    return module.takeError();
  return interpret(*(*module)->getOps<func::FuncOp>().begin(), inputs,
                   options.interpreter);
}

/// Runs the function on every sample of `options.data`; each result gains a
/// leading axis of samples.
static llvm::Expected<SmallVector<HostTensor>>
interpretSamples(func::FuncOp function, ArrayRef<InputSpec> specs,
                 const InterpretProgramOptions &options) {
  auto source = InputSource::open(options.data, specs);
  if (!source)
    return source.takeError();
  SmallVector<HostTensor> stacked;
  for (int64_t sample = 0, count = source->numSamples();; ++sample) {
    auto inputs = source->next();
    if (!inputs)
      return inputs.takeError();
    if (!*inputs)
      return stacked;
    auto results = interpretShaped(function, **inputs, options);
    if (!results)
      return results.takeError();
    for (auto [i, result] : llvm::enumerate(*results)) {
      if (sample > 0 && result.size() * count != stacked[i].size())
        return llvm::createStringError(
            source->lastSampleName() +
            ": samples of different sizes have no common result");
      if (sample == 0) {
        std::vector<int64_t> shape{count};
        shape.insert(shape.end(), result.shape().begin(), result.shape().end());
        stacked.emplace_back(result.type(), std::move(shape));
      }
      std::memcpy(stacked[i].mutableBytes() + sample * result.sizeInBytes(),
                  result.bytes(), result.sizeInBytes());
    }
  }
}

/// Runs one function and reports its results.
static llvm::Error runFunction(func::FuncOp function, bool print,
                               const InterpretProgramOptions &options,
                               llvm::raw_ostream &out) {
  auto specs = inputSpecs(function);
  if (!specs)
    return specs.takeError();
  auto results = [&]() -> llvm::Expected<SmallVector<HostTensor>> {
    if (!options.data.empty())
      return interpretSamples(function, *specs, options);
    auto inputs = bindProgramInputs(*specs, options.inputs);
    if (!inputs)
      return inputs.takeError();
    return interpretShaped(function, *inputs, options);
  }();
  if (!results)
    return results.takeError();
  std::vector<std::string> names = outputNames(function);
  if (!options.outputDir.empty())
    if (llvm::Error error = writeOutputs(options.outputDir, names, *results))
      return error;
  if (print)
    for (auto [name, tensor] : llvm::zip_equal(names, *results)) {
      out << name << ": ";
      printTensor(out, tensor);
      out << '\n';
    }
  return llvm::Error::success();
}

int qdialect::interpretProgram(const InterpretProgramOptions &options,
                               llvm::raw_ostream &out,
                               llvm::raw_ostream &errors) {
  Program program(errors);
  if (!program.load(options, errors))
    return 1;
  auto report = [&](llvm::Error error) {
    out.flush();
    errors << "error: " << toString(std::move(error)) << '\n';
    return 1;
  };
  if (!options.dumpCodes.empty()) {
    if (llvm::Error error = dumpCodes(*program.module, options.dumpCodes, out))
      return report(std::move(error));
    return 0;
  }
  StringRef name = "main";
  if (!options.function.empty())
    name = options.function;
  if (auto function = program.module->lookupSymbol<func::FuncOp>(name)) {
    // Results that are written nowhere are printed.
    bool print = options.print || options.outputDir.empty();
    if (llvm::Error error = runFunction(function, print, options, out))
      return report(std::move(error));
    return 0;
  }
  if (!options.function.empty())
    return report(llvm::createStringError("'" + options.model +
                                          "' has no function '" + name + "'"));
  bool any = false;
  for (auto function : program.module->getOps<func::FuncOp>()) {
    if (function.getNumArguments() != 0 || function.isExternal())
      continue;
    any = true;
    out << '@' << function.getName() << '\n';
    if (llvm::Error error = runFunction(function, /*print=*/true, options, out))
      return report(std::move(error));
  }
  if (!any)
    return report(llvm::createStringError(
        "'" + options.model +
        "' has neither @main nor a function without arguments"));
  return 0;
}

llvm::Expected<std::map<std::string, HostTensor>>
qdialect::interpretReference(StringRef path,
                             const std::map<std::string, HostTensor> &inputs,
                             const InterpretProgramOptions &options) {
  std::string diagnostics;
  llvm::raw_string_ostream errors(diagnostics);
  Program program(errors);
  InterpretProgramOptions load = options;
  load.model = path.str();
  if (!program.load(load, errors))
    return llvm::createStringError(diagnostics);
  auto function = program.module->lookupSymbol<func::FuncOp>("main");
  if (!function)
    return llvm::createStringError("'" + path + "' has no @main");
  auto specs = inputSpecs(function);
  if (!specs)
    return specs.takeError();
  std::vector<HostTensor> ordered;
  for (const InputSpec &spec : *specs) {
    auto it = inputs.find(spec.name);
    if (it == inputs.end())
      return llvm::createStringError("'" + path + "' has an input '" +
                                     spec.name + "' that the model lacks");
    ordered.push_back(it->second);
  }
  auto results = interpretShaped(function, ordered, options);
  if (!results)
    return results.takeError();
  std::map<std::string, HostTensor> named;
  for (auto [name, tensor] : llvm::zip_equal(outputNames(function), *results))
    named.insert({name, tensor});
  return named;
}
