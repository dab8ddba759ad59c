// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every job has a context of its own, so that no job sees another.

#include "RunJob.h"
#include "QDialect/Execution/Executor.h"
#include "QDialect/Execution/RunModel.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Interpreter/Interpreter.h"
#include "QDialect/Pipelines/Passes.h"
#include "QDialect/Support/ConstantView.h"
#include "QDialect/Support/Npy.h"
#include "QDialect/Target/ONNX/ImportONNX.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/Path.h"
#include <chrono>

using namespace mlir;
using namespace qdialect;
namespace json = llvm::json;

namespace {

/// The last stage that was entered and what went wrong there.
struct Job {
  MLIRContext context{MLIRContext::Threading::DISABLED};
  std::string diagnostics;
  StringRef stage = "job";

  llvm::Error fail(const llvm::Twine &what) {
    return llvm::createStringError(diagnostics.empty() ? what.str()
                                                       : diagnostics);
  }
};

std::string nameOf(DictionaryAttr attributes, const Twine &otherwise) {
  if (attributes)
    if (auto name = attributes.getAs<StringAttr>(qd::kNameAttr))
      return name.getValue().str();
  return otherwise.str();
}

/// The arrays of the job in the order of the arguments. Codes that numpy has no
/// type for come as unsigned integers of the same width.
llvm::Expected<std::vector<HostTensor>> readInputs(func::FuncOp main,
                                                   const json::Object &files) {
  std::vector<HostTensor> inputs;
  for (auto [index, type] : llvm::enumerate(main.getArgumentTypes())) {
    std::string name = nameOf(main.getArgAttrDict(index), "arg" + Twine(index));
    std::optional<StringRef> path = files.getString(name);
    if (!path)
      return llvm::createStringError("input '" + name + "' is missing");
    auto tensor = readNpy(*path);
    if (!tensor)
      return tensor.takeError();
    auto shaped = dyn_cast<RankedTensorType>(type);
    std::optional<DType> wanted =
        shaped ? hostType(shaped.getElementType()) : std::nullopt;
    if (!wanted)
      return llvm::createStringError("input '" + name +
                                     "' has a type without host form");
    if (tensor->type() != *wanted &&
        byteWidth(tensor->type()) == byteWidth(*wanted))
      *tensor = tensor->bitcast(*wanted);
    inputs.push_back(std::move(*tensor));
  }
  return inputs;
}

llvm::Expected<std::vector<HostTensor>>
compileAndRun(Job &job, ModuleOp module, const json::Object &files) {
  auto main = module.lookupSymbol<func::FuncOp>("main");
  job.stage = "input";
  auto inputs = readInputs(main, files);
  if (!inputs)
    return inputs.takeError();
  for (auto [stage, build] :
       {std::make_pair("normalize", buildNormalizePipeline),
        std::make_pair("dispatch", buildDispatchPipeline)}) {
    job.stage = stage;
    PassManager pm(&job.context);
    build(pm);
    if (failed(pm.run(module)))
      return job.fail("the pipeline failed");
  }
  job.stage = "compile";
  auto executor = Executor::create(module);
  if (!executor)
    return job.fail(llvm::toString(executor.takeError()));
  job.stage = "run";
  return (*executor)->run(*inputs);
}

llvm::Expected<std::vector<HostTensor>>
interpretMain(Job &job, ModuleOp module, const json::Object &files) {
  auto main = module.lookupSymbol<func::FuncOp>("main");
  job.stage = "input";
  auto inputs = readInputs(main, files);
  if (!inputs)
    return inputs.takeError();
  job.stage = "run";
  auto results = interpret(main, *inputs);
  if (!results)
    return results.takeError();
  return std::vector<HostTensor>(results->begin(), results->end());
}

llvm::Expected<json::Array> run(Job &job, const json::Object &request) {
  std::optional<StringRef> model = request.getString("model"),
                           mode = request.getString("mode"),
                           folder = request.getString("outputs");
  const json::Object *files = request.getObject("inputs");
  if (!model || !folder || !files ||
      (mode != StringRef("interpret") && mode != StringRef("compile")))
    return llvm::createStringError(
        "a job wants model, mode (interpret or compile), inputs and outputs");
  ImportOptions import;
  if (const json::Array *dims = request.getArray("dims"))
    for (const json::Value &dim : *dims)
      if (llvm::Error error =
              parseDimension(dim.getAsString().value_or(""), import))
        return std::move(error);

  ScopedDiagnosticHandler handler(&job.context, [&](Diagnostic &said) {
    if (said.getSeverity() == DiagnosticSeverity::Error)
      job.diagnostics += (job.diagnostics.empty() ? "" : "; ") + said.str();
  });
  job.stage = "import";
  job.context.loadDialect<qd::QDDialect>();
  OwningOpRef<ModuleOp> module = importONNX(*model, &job.context, import);
  if (!module)
    return job.fail("import failed");
  auto results = mode == StringRef("compile")
                     ? compileAndRun(job, *module, *files)
                     : interpretMain(job, *module, *files);
  if (!results)
    return results.takeError();
  job.stage = "output";
  json::Array names;
  for (auto [index, tensor] : llvm::enumerate(*results)) {
    SmallString<128> path(*folder);
    std::string name = std::to_string(index) + ".npy";
    llvm::sys::path::append(path, name);
    if (llvm::Error error = writeNpy(path, tensor))
      return std::move(error);
    names.push_back(name);
  }
  return names;
}

} // namespace

json::Object qdialect::runJob(StringRef line) {
  auto parsed = json::parse(line);
  Job job;
  auto refuse = [&](llvm::Error error) {
    return json::Object{
        {"ok", false},
        {"stage", job.stage},
        {"error", json::fixUTF8(llvm::toString(std::move(error)))}};
  };
  if (!parsed)
    return refuse(parsed.takeError());
  const json::Object *request = parsed->getAsObject();
  if (!request)
    return refuse(llvm::createStringError("a job is a JSON object"));
  auto start = std::chrono::steady_clock::now();
  auto outputs = run(job, *request);
  if (!outputs)
    return refuse(outputs.takeError());
  std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  return json::Object{{"ok", true},
                      {"seconds", took.count()},
                      {"outputs", std::move(*outputs)}};
}
