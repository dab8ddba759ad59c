// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The family "block-dot" (BlockDot.h): tasks are panels times chunks of rows,
// each walked by tiles.

#include "BlockDot.h"
#include "Families.h"
#include "Payload.h"

using namespace mlir;

namespace qdialect::cpu {
namespace {

/// Every tile height but those of fewer rows than one divides it.
constexpr int64_t kRowsTogether = 12;

class BlockDotPlan : public CpuKernelPlan {
public:
  BlockDotPlan(const KernelRegion &source, BlockWeights weights,
               BlockDotInputs inputs, int64_t rows)
      : region(source), image(std::move(weights)), inputs(inputs), rows(rows) {}

  bool init() {
    constants = image.constants();
    std::optional<Epilogue> resolved =
        Epilogue::create(region, constants, image.w.channels);
    if (!resolved)
      return false;
    epilogue = std::move(*resolved);
    family = "block-dot";
    weightBits = image.w.bits;
    // Panels alone occupy the threads of wide layers.
    int64_t wanted = image.panels() >= 16 ? 1 : 8;
    int64_t together = (rows + kRowsTogether - 1) / kRowsTogether;
    chunkRows = (together + wanted - 1) / wanted * kRowsTogether;
    chunks = (rows + chunkRows - 1) / chunkRows;
    numTasks = image.panels() * chunks;
    keyText = family + epilogue.key() + imageText();
    return true;
  }

  std::string instruction(const CpuTarget &target) const override {
    return dotInstruction(target, /*isFloat=*/false, image.isNarrow);
  }

  LogicalResult emit(OpBuilder &moduleBuilder, const CpuTarget &target,
                     StringRef symbol) override;

private:
  /// What the code depends on and only the contents of constants say.
  std::string imageText() const {
    return std::to_string(static_cast<int>(image.zeros)) + " " +
           std::to_string(image.zero) + (image.wideSums ? " wide" : "") +
           (image.isNarrow ? " narrow\n" : "\n");
  }

  KernelRegion region;
  BlockDotImage image;
  BlockDotInputs inputs;
  Epilogue epilogue;
  int64_t rows, chunks = 1, chunkRows = 1;
};

LogicalResult BlockDotPlan::emit(OpBuilder &moduleBuilder,
                                 const CpuTarget &target, StringRef symbol) {
  TileShape shape = blockDotTile(target, image, rows);
  int64_t perTile = shape.vectors * Emitter::kLanes;
  llvm::DenseMap<std::pair<int64_t, int64_t>, LLVM::LLVMFuncOp> tiles;
  auto tile = [&](int64_t height, int64_t channels) {
    LLVM::LLVMFuncOp &func = tiles[{height, channels}];
    if (!func)
      func = emitBlockDotTile(
          moduleBuilder, target,
          (symbol + "_tile" + Twine(height) + "x" + Twine(channels)).str(),
          image, inputs, epilogue, {height, channels});
    return func;
  };
  // Tiles before the driver: they are functions of their own.
  int64_t rest = rows % shape.rows;
  int64_t tail = image.w.channels % kPanel;
  for (int64_t height : {shape.rows, rest})
    for (int64_t channels : {kPanel, tail})
      if (height > 0 && channels <= image.w.channels) {
        if (channels >= perTile)
          tile(height, perTile);
        if (channels % perTile != 0)
          tile(height, channels % perTile);
      }

  OpBuilder::InsertionGuard guard(moduleBuilder);
  Emitter e(region.dispatch.getLoc(), moduleBuilder, target);
  LLVM::LLVMFuncOp func = e.startFunction(symbol, {e.ptr(), e.i64(), e.i64()},
                                          /*internal=*/false);
  Value args = func.getArgument(0);
  auto walkColumns = [&](int64_t height, Value row, Value panel,
                         int64_t channels) {
    int64_t whole = channels / perTile;
    if (whole > 0)
      e.loop(e.index(0), e.index(whole * shape.vectors), shape.vectors,
             [&](Value vector) {
               e.call(tile(height, perTile), {args, row, panel, vector});
             });
    if (channels % perTile != 0)
      e.call(tile(height, channels % perTile),
             {args, row, panel, e.index(whole * shape.vectors)});
  };
  auto walk = [&](Value panel, Value chunk, int64_t channels) {
    Value first = e.mul(chunk, chunkRows);
    int64_t tiled = rows - rest;
    Value end = e.min(e.add(first, chunkRows), e.index(tiled));
    e.loop(first, end, shape.rows,
           [&](Value row) { walkColumns(shape.rows, row, panel, channels); });
    if (rest > 0)
      e.ifThen(e.less(e.index(chunks - 2), chunk),
               [&] { walkColumns(rest, e.index(tiled), panel, channels); });
  };
  e.loop(func.getArgument(1), func.getArgument(2), 1, [&](Value task) {
    Value panel = e.div(task, chunks), chunk = e.rem(task, chunks);
    if (tail == 0)
      return walk(panel, chunk, kPanel);
    if (image.panels() == 1)
      return walk(panel, chunk, tail);
    e.ifThen(
        e.less(panel, e.index(image.panels() - 1)),
        [&] { walk(panel, chunk, kPanel); }, [&] { walk(panel, chunk, tail); });
  });
  e.ret();
  return success();
}

} // namespace

/// The input that `value` is, whole and row-major.
static std::optional<unsigned> wholeInput(Value value) {
  LinearForm forms[] = {LinearForm::loop(2, 0), LinearForm::loop(2, 1)};
  std::optional<Access> access = resolveAccess(value, 2, forms);
  auto argument =
      access ? dyn_cast<BlockArgument>(access->base) : BlockArgument();
  auto type = cast<RankedTensorType>(value.getType());
  if (!argument || access->form.offset != 0 ||
      access->form.coefficients != rowMajorStrides(type.getShape()))
    return std::nullopt;
  return argument.getArgNumber();
}

std::optional<BlockDotInputs> blockDotInputs(qd::BlockMatmulOp op) {
  if (!op.getType().hasStaticShape() || op.getType().getNumElements() == 0)
    return std::nullopt;
  std::optional<unsigned> codes = wholeInput(op.getLhs()),
                          scales = wholeInput(op.getLhsScale());
  if (!codes || !scales)
    return std::nullopt;
  return BlockDotInputs{*codes, *scales,
                        op.getLhsScale().getType().getDimSize(1) != 1};
}

PlanPtr planBlockDot(const KernelRegion &region) {
  auto op = dyn_cast_or_null<qd::BlockMatmulOp>(region.root);
  if (!op)
    return nullptr;
  std::optional<BlockDotInputs> inputs = blockDotInputs(op);
  std::optional<BlockWeights> weights = getBlockWeights(op);
  if (!weights || !inputs)
    return nullptr;
  auto plan = std::make_unique<BlockDotPlan>(
      region, std::move(*weights), *inputs, op.getType().getDimSize(0));
  return plan->init() ? std::move(plan) : nullptr;
}

} // namespace qdialect::cpu
