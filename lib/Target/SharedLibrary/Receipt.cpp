// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Everything is read from the dispatches that were compiled and their plans:
// the receipt cannot promise what the program does not do. Attributes on the
// ops inside (qd.name, qd.acc_bound, qd.fallback, qd.requested) come from the
// passes that decided.

#include "Receipt.h"
#include "Certificate.h"
#include "QDialect/Analysis/ContractionStructure.h"
#include "QDialect/Analysis/DecodedActivations.h"
#include "QDialect/Analysis/ProductSize.h"
#include "QDialect/Analysis/ProgramLoops.h"
#include "QDialect/CodeGen/CPU/CpuCosts.h"
#include "QDialect/IR/QDDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/JSON.h"
#include <cstring>

using namespace mlir;
using namespace qdialect;
namespace json = llvm::json;

namespace {

/// Replaced by the number, right-aligned: JSON allows spaces before a value.
constexpr llvm::StringLiteral kFileBytesKey = "\"file_bytes\": ";
constexpr llvm::StringLiteral kFileBytesHole = "           1234567890";

std::string text(Type type) {
  std::string result;
  llvm::raw_string_ostream(result) << type;
  return result;
}

/// An op that only serves the others of its dispatch.
bool isAuxiliary(Operation &op) {
  // Weights that the kernel takes as codes.
  if (isa<qd::DequantizeOp>(op))
    return isa<RankedTensorType>(op.getResult(0).getType());
  return isa<arith::ConstantOp, tensor::EmptyOp, linalg::FillOp, tensor::PadOp,
             tensor::CollapseShapeOp, tensor::ExpandShapeOp, qd::YieldOp>(op);
}

bool isElementwise(Operation &op) {
  auto generic = dyn_cast<linalg::GenericOp>(op);
  return generic && generic.getNumLoops() == generic.getNumParallelLoops();
}

/// The op that gives a dispatch its name: the contraction, pool, reduction or
/// data movement, else its first element-wise op, else a pad.
Operation *findRoot(qd::DispatchOp dispatch) {
  Operation *elementwise = nullptr, *pad = nullptr;
  for (Operation &op : dispatch.getBody().front()) {
    if (isa<tensor::PadOp>(op))
      pad = &op;
    if (isAuxiliary(op))
      continue;
    if (!isElementwise(op))
      return &op;
    if (!elementwise)
      elementwise = &op;
  }
  return elementwise ? elementwise : pad ? pad : dispatch.getOperation();
}

/// "quantize", "dequantize", ...: the one cast that a dispatch with one
/// element-wise op does; else "elementwise".
std::string elementwiseName(Operation &op) {
  if (llvm::count_if(*op.getBlock(), isElementwise) != 1)
    return "elementwise";
  Operation *only = nullptr;
  for (Operation &inner : op.getRegion(0).front().without_terminator()) {
    if (isa<arith::ConstantOp>(inner))
      continue;
    if (only || !isa<qd::QDDialect>(inner.getDialect()))
      return "elementwise";
    only = &inner;
  }
  return only ? only->getName().stripDialect().str() : "elementwise";
}

/// "conv", "matmul", ..., an element-wise name, else the op's own name.
std::string operationName(Operation &root) {
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(root))
    if (auto structure = getContractionStructure(linalgOp))
      return stringify(structure->kind).str();
  if (isElementwise(root))
    return elementwiseName(root);
  if (isa<qd::BlockMatmulOp>(root))
    return stringify(ContractionStructure::Kind::Matmul).str();
  return root.getName().getStringRef().str();
}

struct Macs {
  int64_t total = 0;
  int64_t integer = 0;
};

Macs countMacs(qd::DispatchOp dispatch) {
  Macs macs;
  dispatch.walk([&](Operation *op) {
    std::optional<ProductSize> size = getProductSize(op);
    if (!size)
      return;
    macs.total += size->macs;
    macs.integer += size->isInteger ? size->macs : 0;
  });
  return macs;
}

/// "int8" when no float tensor goes in or out of the root and (for element-wise
/// dispatches) of the dispatch, else the widest float type met.
std::string realisedPrecision(qd::DispatchOp dispatch, Operation &root) {
  SmallVector<Type> types(root.getOperandTypes());
  if (isElementwise(root) || &root == dispatch.getOperation()) {
    types.assign(dispatch.getOperandTypes().begin(),
                 dispatch.getOperandTypes().end());
    llvm::append_range(types, dispatch.getResultTypes());
  } else if (auto product = dyn_cast<qd::BlockMatmulOp>(root)) {
    // Its scales are floats, as an epilogue's would be.
    types.assign({product.getLhs().getType(), product.getRhs().getType()});
  } else if (auto sides = getMinifloatSides(&root)) {
    types.assign({sides->first, sides->second});
  }
  std::string floats, integers;
  unsigned floatBits = 0, integerBits = 0;
  for (Type type : types) {
    Type element = getElementTypeOrSelf(type);
    if (auto floatType = dyn_cast<FloatType>(element)) {
      if (floatType.getWidth() > floatBits)
        floats = text(element);
      floatBits = std::max(floatBits, floatType.getWidth());
      continue;
    }
    // The accumulator says nothing about the precision of the operands.
    unsigned bits = element.isInteger() ? element.getIntOrFloatBitWidth() : 8;
    if (integers.empty() || bits < integerBits) {
      integers = "int" + std::to_string(bits);
      integerBits = bits;
    }
  }
  return floatBits ? floats : integers;
}

/// The first of the named attributes inside a dispatch.
template <typename AttrT>
AttrT findAttribute(qd::DispatchOp dispatch, StringRef name) {
  if (auto own = dispatch->getAttrOfType<AttrT>(name))
    return own;
  for (Operation &op : dispatch.getBody().front())
    if (auto attribute = op.getAttrOfType<AttrT>(name))
      return attribute;
  return {};
}

/// What was asked of a dispatch: that of its first op of which anything but
/// floats was asked.
StringAttr findRequest(qd::DispatchOp dispatch) {
  for (Operation &op : dispatch.getBody().front())
    if (auto request = op.getAttrOfType<StringAttr>(qd::kRequestedAttr))
      if (request.getValue() != qd::kKeptFloat)
        return request;
  return findAttribute<StringAttr>(dispatch, qd::kRequestedAttr);
}

std::vector<std::string> findFallbacks(qd::DispatchOp dispatch) {
  std::vector<std::string> reasons;
  dispatch->walk([&](Operation *op) {
    if (auto reason = op->getAttrOfType<StringAttr>(qd::kFallbackAttr))
      reasons.push_back(reason.str());
  });
  return reasons;
}

/// "then", "else", or from the outer branch to the inner one: "else.then".
std::string branchName(Operation *op) {
  scf::IfOp branch = branchAround(op);
  if (!branch)
    return "";
  bool isThen = branch.getThenRegion().isAncestor(op->getParentRegion());
  std::string outer = branchName(branch);
  return outer + (outer.empty() ? "" : ".") + (isThen ? "then" : "else");
}

/// Those of all ops that are computed in one kernel, once each.
llvm::SetVector<StringRef> namesInside(qd::DispatchOp dispatch) {
  llvm::SetVector<StringRef> names;
  for (Operation &op : dispatch.getBody().front())
    if (auto name = op.getAttrOfType<StringAttr>(qd::kNameAttr))
      names.insert(name.getValue());
  return names;
}

/// What the constants of a kernel take, those that it shares included.
int64_t weightsBytes(const ProgramStep &step) {
  int64_t bytes = 0;
  for (const ConstantBlob &blob : step.plan->constants)
    bytes += blob.size;
  return bytes;
}

/// Has qd-verify-integer-only seen to it? Copies of dispatches for blocks of
/// rows lie in functions of their own beside the program's.
bool isIntegerOnly(const Program &program) {
  for (const ProgramStep &step : program.steps)
    if (step.dispatch)
      return llvm::any_of(
          step.dispatch->getParentOfType<ModuleOp>().getOps<func::FuncOp>(),
          [](func::FuncOp function) {
            return function->hasAttr(qd::kIntegerOnlyAttr);
          });
  return false;
}

class Writer {
public:
  Writer(json::OStream &out, const Program &program,
         llvm::ArrayRef<ProgramVariant> variants, EmitSummary &summary)
      : out(out), program(program), variants(variants), summary(summary) {}

  void tensors(StringRef key, llvm::ArrayRef<ProgramTensor> list);
  void symbols();
  void layer(size_t number, const ProgramStep &step);
  void bound(ArrayRef<int64_t> ends);
  void certificate(const Certificate &certificate);
  void certificates(qd::DispatchOp dispatch);
  void totals();

private:
  void launches(unsigned kernel);
  void prediction(const ProgramStep &step, int64_t times);

  json::OStream &out;
  const Program &program;
  llvm::ArrayRef<ProgramVariant> variants;
  EmitSummary &summary;
};

void Writer::tensors(StringRef key, llvm::ArrayRef<ProgramTensor> list) {
  out.attributeArray(key, [&] {
    for (const ProgramTensor &tensor : list)
      out.object([&] {
        out.attribute("name", json::fixUTF8(tensor.name));
        out.attribute("type", name(tensor.type));
        if (!tensor.codes.empty())
          out.attribute("codes", tensor.codes);
        out.attributeArray("shape", [&] {
          for (int64_t dim : tensor.shape)
            out.value(dim);
        });
      });
  });
}

/// Those of inputs: what a caller may choose.
void Writer::symbols() {
  llvm::SmallVector<SymbolicSizes::Symbol> given;
  for (const SymbolicSizes::Symbol &symbol : program.sizes.symbols())
    if (!symbol.isComputed)
      given.push_back(symbol);
  if (given.empty())
    return;
  out.attributeArray("symbols", [&] {
    for (const SymbolicSizes::Symbol &symbol : given)
      out.object([&] {
        out.attribute("name", json::fixUTF8(symbol.name));
        out.attribute("low", symbol.low);
        out.attribute("high", symbol.high);
        out.attribute("step", symbol.step);
      });
  });
}

/// Shape, registers and memory of a GPU kernel in each variant.
void Writer::launches(unsigned number) {
  if (variants.empty() || variants.front().gpuKernels.empty())
    return;
  out.attributeObject("launches", [&] {
    for (const ProgramVariant &variant : variants)
      out.attributeObject(variant.name, [&] {
        const GpuKernelCode &kernel = variant.gpuKernels[number];
        out.attribute("blocks", kernel.blocks);
        out.attribute("threads", kernel.threads);
        out.attribute("dynamic_shared_bytes", kernel.sharedBytes);
        if (!kernel.assembly)
          return;
        out.attribute("cubin_bytes",
                      static_cast<int64_t>(kernel.binary.size()));
        out.attribute("registers", kernel.assembly->registers);
        out.attribute("spill_bytes", kernel.assembly->spillStores +
                                         kernel.assembly->spillLoads);
        out.attribute("register_reductions", kernel.reductions);
        out.attribute("stack_bytes", kernel.assembly->stackBytes);
        out.attribute("static_shared_bytes", kernel.assembly->sharedBytes);
        out.attribute("occupancy", kernel.occupancy);
      });
  });
}

/// What the kernel has to do, and how long one core of each CPU variant should
/// take.
void Writer::prediction(const ProgramStep &step, int64_t times) {
  // A block of rows or a tile is not what the step does.
  if (step.blocks || step.tiles)
    return;
  std::optional<KernelWork> work =
      countWork(cast<qd::DispatchOp>(step.dispatch));
  if (!work)
    return;
  work->weightBytes = static_cast<double>(weightsBytes(step));
  out.attributeObject("work", [&] {
    auto count = [&](StringRef key, double number) {
      if (number > 0)
        out.attribute(key, static_cast<int64_t>(number) * times);
    };
    count("products", work->products);
    count("float_products", work->floatProducts);
    count("operations", work->operations);
    count("bytes", work->bytes);
  });
  out.attributeObject("predicted_us", [&] {
    for (const ProgramVariant &variant : variants)
      if (const CpuCosts *costs = CpuCosts::find(variant.name))
        out.attribute(variant.name,
                      costs->microseconds(*work, step.plan->family) *
                          static_cast<double>(times));
  });
}

void Writer::certificate(const Certificate &certificate) {
  out.attribute("error_lsb", certificate.error);
  if (certificate.word > 0)
    out.attributeObject("intermediate_bits", [&] {
      out.attribute("i32", certificate.word);
      out.attribute("i64", certificate.dword);
    });
}

/// The largest error and widths of what is rounded in one kernel; each of them
/// where there are several.
void Writer::certificates(qd::DispatchOp dispatch) {
  SmallVector<Certificate> all = certificatesOf(dispatch);
  if (all.empty())
    return;
  Certificate largest = all.front();
  for (const Certificate &one : ArrayRef(all).drop_front())
    largest.merge(one);
  certificate(largest);
  if (all.size() == 1)
    return;
  out.attributeArray("roundings", [&] {
    for (const Certificate &one : all)
      out.object([&] {
        out.attribute("name", json::fixUTF8(one.name));
        if (one.bound)
          bound(one.bound.asArrayRef());
        certificate(one);
      });
  });
}

void Writer::bound(ArrayRef<int64_t> ends) {
  out.attributeArray("accumulator_bound", [&] {
    for (int64_t end : ends)
      out.value(end);
  });
}

void Writer::layer(size_t number, const ProgramStep &step) {
  auto dispatch = cast<qd::DispatchOp>(step.dispatch);
  Operation *root = findRoot(dispatch);
  Macs macs = countMacs(dispatch);
  // Of all iterations, but of one row or pixel, however many a block or tile
  // has.
  int64_t rows = step.blocks ? step.blocks->rows : 1;
  if (step.tiles)
    rows = step.tiles->height * step.tiles->width;
  int64_t times = timesRun(dispatch);
  macs.total = macs.total / rows * times;
  macs.integer = macs.integer / rows * times;
  summary.totalMacs += macs.total;
  summary.intMacs += macs.integer;
  out.object([&] {
    out.attribute("name", json::fixUTF8(step.name));
    out.attribute("step", static_cast<int64_t>(number));
    out.attribute("op", operationName(*root));
    out.attributeArray("names", [&] {
      for (StringRef name : namesInside(dispatch))
        out.value(json::fixUTF8(name));
    });
    out.attributeArray("inputs", [&] {
      for (Type type : dispatch->getOperandTypes())
        out.value(text(type));
    });
    out.attribute("output", text(dispatch->getResult(0).getType()));
    if (StringAttr requested = findRequest(dispatch))
      out.attribute("requested", json::fixUTF8(requested.getValue()));
    out.attribute("realised", realisedPrecision(dispatch, *root));
    if (auto outliers = findAttribute<IntegerAttr>(dispatch, qd::kOutliersAttr))
      out.attribute("outlier_channels", outliers.getInt());
    out.attribute("kernel", step.plan->family);
    out.attribute("function", program.kernels[step.kernel].symbol);
    out.attributeObject("instructions", [&] {
      for (const ProgramVariant &variant : variants)
        out.attribute(variant.name, variant.instructions[step.kernel]);
    });
    launches(step.kernel);
    if (step.plan->weightBits > 0)
      out.attribute("weight_bits", step.plan->weightBits);
    if (step.blocks)
      out.attribute("rows", rows);
    if (step.tiles)
      out.attributeArray("tile", [&] {
        out.value(step.tiles->height);
        out.value(step.tiles->width);
      });
    if (times != 1)
      out.attribute("iterations", times);
    if (std::string branch = branchName(dispatch); !branch.empty())
      out.attribute("branch", branch);
    out.attribute("macs", macs.total);
    out.attribute("weights_bytes", weightsBytes(step));
    prediction(step, times);
    if (auto bound =
            findAttribute<DenseI64ArrayAttr>(dispatch, qd::kAccBoundAttr))
      this->bound(bound.asArrayRef());
    certificates(dispatch);
    std::vector<std::string> reasons = findFallbacks(dispatch);
    summary.fallbacks += reasons.size();
    if (!reasons.empty())
      out.attribute("fallback", json::fixUTF8(llvm::join(reasons, "; ")));
  });
}

void Writer::totals() {
  out.attribute("layers", summary.steps);
  out.attribute("kernels", summary.kernels);
  out.attribute("fallbacks", summary.fallbacks);
  out.attribute("int_macs", summary.intMacs);
  out.attribute("total_macs", summary.totalMacs);
  // A program without contractions has no float one either.
  out.attribute("int_macs_share",
                summary.totalMacs
                    ? static_cast<double>(summary.intMacs) / summary.totalMacs
                    : 1.0);
  out.attribute("weights_bytes", summary.weightsBytes);
  out.attribute("arena_bytes", summary.arenaBytes);
  out.attributeBegin("file_bytes");
  out.rawValue(kFileBytesHole);
  out.attributeEnd();
}

} // namespace

std::string qdialect::makeReceipt(const Program &program,
                                  const WeightsLayout &weights,
                                  llvm::ArrayRef<ProgramVariant> variants,
                                  const ModelProvenance &provenance,
                                  EmitSummary &summary) {
  summary.kernels = program.kernels.size();
  summary.weightsBytes = weights.bytes;
  summary.arenaBytes = program.arenaBytes;
  std::string result;
  llvm::raw_string_ostream stream(result);
  json::OStream out(stream, /*IndentSize=*/1);
  Writer writer(out, program, variants, summary);
  out.object([&] {
    out.attribute("receipt_version", 1);
    out.attribute("compiler", "QDialect " QDIALECT_VERSION
                              " (LLVM " LLVM_VERSION_STRING ")");
    out.attribute("model", json::fixUTF8(provenance.name));
    out.attribute("model_digest", json::fixUTF8(provenance.digest));
    out.attribute("recipe", json::fixUTF8(provenance.recipe));
    out.attribute("rescale", json::fixUTF8(provenance.rescale));
    out.attribute("integer_only", isIntegerOnly(program));
    out.attributeArray("variants", [&] {
      for (const ProgramVariant &variant : variants)
        out.value(variant.name);
    });
    writer.tensors("inputs", program.inputs);
    writer.tensors("outputs", program.outputs);
    writer.symbols();
    out.attributeArray("layers", [&] {
      for (auto [number, step] : llvm::enumerate(program.steps))
        if (step.dispatch && !(step.blocks && step.blocks->rest)) {
          ++summary.steps;
          writer.layer(number, step);
        }
    });
    out.attributeObject("totals", [&] { writer.totals(); });
  });
  stream << "\n";
  return result;
}

bool qdialect::setFileBytes(llvm::MutableArrayRef<char> file,
                            int64_t fileBytes) {
  std::string hole = (kFileBytesKey + kFileBytesHole).str();
  std::string digits = std::to_string(fileBytes);
  bool found = false;
  char *at = file.data(), *end = file.data() + file.size();
  while (auto *match = static_cast<char *>(
             memmem(at, end - at, hole.data(), hole.size()))) {
    char *number = match + kFileBytesKey.size();
    std::memset(number, ' ', kFileBytesHole.size());
    std::memcpy(number + kFileBytesHole.size() - digits.size(), digits.data(),
                digits.size());
    found = true;
    at = match + hole.size();
  }
  return found;
}
