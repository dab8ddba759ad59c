// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Look-ups in embedding tables as ONNX Runtime's optimizer writes them:
// EmbedLayerNormalization, and GatherBlockQuantized, whose table stays codes.
//
//   GatherBlockQuantized(codes, indices, scales)
//     =>  dequantize(Gather(codes, indices), Gather(scales, indices))

#include "GraphBuilder.h"
#include "Indexing.h"
#include "Node.h"
#include "QDialect/IR/QDDialect.h"
#include "QDialect/Numerics/Packing.h"
#include "Quantization.h"
#include "Registry.h"

using namespace mlir;

namespace qdialect::onnx_import {
namespace {

bool isIndexType(Type type) { return type.isInteger(32) || type.isInteger(64); }

/// A table with a row of `hidden` numbers for each index.
std::optional<Tensor> bindTable(Node &n, size_t index, StringRef label,
                                const Tensor &gamma) {
  Tensor table = n.floatInput(index, label);
  n.requireSameType(table, gamma);
  if (!n.ok())
    return std::nullopt;
  if (table.rank() != 2 || table.dim(1) != gamma.dim(0)) {
    n.emitError() << "input " << label << " " << describeType(table.type)
                  << " does not have rows of " << gamma.dim(0) << " numbers";
    return std::nullopt;
  }
  return table;
}

/// Places in a table, (batch, sequence).
std::optional<Tensor> bindPlaces(Node &n, size_t index, StringRef label) {
  Tensor places = n.input(index, label);
  if (!n.ok())
    return std::nullopt;
  if (places.rank() != 2 || !isIndexType(places.elementType())) {
    n.emitError() << "input " << label << " " << describeType(places.type)
                  << " must be int32 of rank 2";
    return std::nullopt;
  }
  return places;
}

Tensor add(GraphBuilder &b, const Tensor &x, const Tensor &y) {
  return b.elementwise({x, y}, x.elementType(),
                       [](OpBuilder &nested, Location at, ValueRange v) {
                         return Scalars{nested, at}.add(v[0], v[1]);
                       });
}

/// The number of ones in each row of the mask, or zeros without a mask.
std::optional<Tensor> countMask(Node &n, int64_t batch) {
  Type i32 = n.b.builder.getI32Type();
  if (!n.hasInput(7))
    return n.b.tensor(n.b.filled({batch}, i32, 0));
  std::optional<Tensor> mask = bindPlaces(n, 7, "mask");
  if (!mask)
    return std::nullopt;
  Tensor ones = n.b.elementwise(
      {*mask}, i32, [&](OpBuilder &nested, Location at, ValueRange v) {
        Scalars s{nested, at};
        return s.cast(s.eq(v[0], s.number(v[0], 1)), i32);
      });
  return n.b.reduce(ones, {1}, 0,
                    [](OpBuilder &nested, Location at, ValueRange v) {
                      return Scalars{nested, at}.add(v[0], v[1]);
                    });
}

/// The layer norm of the sum of the embeddings of words, places and segments.
LogicalResult importEmbedLayerNormalization(Node &n) {
  Tensor gamma = n.floatInput(5, "gamma"), beta = n.floatInput(6, "beta");
  float epsilon = n.getFloat("epsilon", 1e-12f);
  n.getInt("mask_index_type", 0);
  n.requireSameType(gamma, beta);
  if (!n.ok())
    return failure();
  if (gamma.rank() != 1 || beta.shape() != gamma.shape())
    return n.emitError() << "gamma " << describeType(gamma.type) << " and beta "
                         << describeType(beta.type)
                         << " must be one vector each of one size";
  std::optional<Tensor> ids = bindPlaces(n, 0, "input_ids");
  if (!ids)
    return failure();
  std::optional<Tensor> words = bindTable(n, 2, "word_embedding", gamma);
  if (!words)
    return failure();
  std::optional<Tensor> positions =
      bindTable(n, 3, "position_embedding", gamma);
  if (!positions)
    return failure();
  GraphBuilder &b = n.b;
  Tensor sum = gatherAlong(b, *words, *ids, 0);
  if (n.hasInput(8)) {
    std::optional<Tensor> places = bindPlaces(n, 8, "position_ids");
    if (!places || !n.requireBroadcast({&*ids, &*places}))
      return failure();
    sum = add(b, sum, gatherAlong(b, *positions, *places, 0));
  } else {
    int64_t length = ids->dim(1);
    if (!SymbolicSizes::isSymbolic(length) && length > positions->dim(0))
      return n.emitError() << "input_ids " << describeType(ids->type)
                           << " are longer than the " << positions->dim(0)
                           << " rows of position_embedding";
    sum = add(b, sum, b.sliceAxis(*positions, 0, 0, length));
  }
  if (n.hasInput(1) != n.hasInput(4))
    return n.emitError() << "segment_ids and segment_embedding come together";
  if (n.hasInput(1)) {
    std::optional<Tensor> segments = bindPlaces(n, 1, "segment_ids");
    std::optional<Tensor> table =
        segments ? bindTable(n, 4, "segment_embedding", gamma) : std::nullopt;
    if (!table || !n.requireBroadcast({&*ids, &*segments}))
      return failure();
    sum = add(b, sum, gatherAlong(b, *table, *segments, 0));
  }
  Tensor y = b.tensor(qd::LayerNormOp::create(
      b.builder, b.loc, sum.type, b.value(sum), b.value(gamma), b.value(beta),
      /*axis=*/uint64_t(2), llvm::APFloat(epsilon)));
  std::optional<Tensor> count = countMask(n, ids->dim(0));
  if (!count || failed(n.result(0, y)) || failed(n.result(1, *count)))
    return failure();
  return n.wantsOutput(2) ? n.result(2, sum) : success();
}

/// Bytes that hold several codes along the last dimension, the lowest bits
/// first, as `columns` codes each.
HostTensor unpackRows(const HostTensor &packed, unsigned bits,
                      int64_t columns) {
  std::vector<int64_t> shape = packed.shape();
  int64_t bytes = shape.back();
  shape.back() = columns;
  HostTensor codes(DType::U8, shape);
  int64_t rows = bytes == 0 ? 0 : packed.size() / bytes;
  for (int64_t row = 0; row < rows; ++row)
    unpackCodes(packed.data<uint8_t>() + row * bytes, columns, bits,
                codes.mutableData<uint8_t>() + row * columns);
  return codes;
}

struct BlockTable {
  Tensor codes, scales;
  std::optional<Tensor> zeros; ///< i32
  int64_t gatherAxis = 0, quantizeAxis = 0, block = 0;
};

std::optional<BlockTable> bindBlockTable(Node &n) {
  BlockTable t;
  t.codes = n.input(0, "data");
  t.scales = n.floatInput(2, "scales");
  int64_t bits = n.getInt("bits", 4);
  t.block = n.getInt("block_size", 128);
  int64_t gatherAxis = n.getInt("gather_axis", 0),
          quantizeAxis = n.getInt("quantize_axis", 1);
  n.requireRank(t.codes, "data", 1);
  if (!n.ok() || !n.requireRange("block_size", {t.block}, 1, int64_t(1) << 31))
    return std::nullopt;
  int64_t rank = t.codes.rank();
  t.gatherAxis = n.axis(gatherAxis, rank, "gather_axis");
  t.quantizeAxis = n.axis(quantizeAxis, rank, "quantize_axis");
  if (!n.ok())
    return std::nullopt;
  if (t.gatherAxis == t.quantizeAxis) {
    n.emitError() << "gather_axis and quantize_axis are both " << t.gatherAxis
                  << ", which is not supported";
    return std::nullopt;
  }
  if (!isCodeType(t.codes.elementType()) ||
      t.codes.elementType().isInteger(32) || !t.codes.isConstant()) {
    n.emitError() << "input data " << describeType(t.codes.type)
                  << " must be constant codes";
    return std::nullopt;
  }
  auto byte = dyn_cast<qd::UIntType>(t.codes.elementType());
  bool isByte = byte && byte.getWidth() == 8;
  if (isByte && bits != 2 && bits != 4 && bits != 8) {
    n.emitError() << "attribute 'bits' is " << bits
                  << ", but must be 2, 4 or 8";
    return std::nullopt;
  }
  Type i32 = n.b.builder.getI32Type();
  if (n.hasInput(3)) {
    t.zeros = n.input(3, "zero_points");
    if (!n.ok())
      return std::nullopt;
    n.requireSameType(t.codes, *t.zeros);
    if (!t.zeros->isConstant())
      n.emitError() << "input zero_points must be a constant";
  } else if (isByte) {
    t.zeros = n.b.constant(i32, {}, {double(int64_t(1) << (bits - 1))});
  }
  if (!n.ok())
    return std::nullopt;
  if (isByte && bits < 8) {
    auto element = qd::UIntType::get(n.b.context(), bits);
    int64_t columns = t.codes.dim(rank - 1) * (8 / bits);
    t.codes =
        Tensor(element, unpackRows(*t.codes.data, bits, columns), t.codes.name);
    if (n.hasInput(3) && t.zeros->rank() == rank && t.scales.rank() == rank) {
      int64_t blocks = t.scales.dim(rank - 1);
      if (t.zeros->dim(rank - 1) != (blocks * bits + 7) / 8) {
        n.emitError() << "input zero_points " << describeType(t.zeros->type)
                      << " does not hold " << blocks << " codes a row";
        return std::nullopt;
      }
      t.zeros = Tensor(element, unpackRows(*t.zeros->data, bits, blocks),
                       t.zeros->name);
    }
  }
  Shape wanted(t.codes.shape());
  int64_t &blocked = wanted[t.quantizeAxis];
  blocked = (blocked + t.block - 1) / t.block;
  bool zerosFit =
      !t.zeros || t.zeros->rank() == 0 || t.zeros->shape() == ArrayRef(wanted);
  if (t.scales.shape() != ArrayRef(wanted) || !zerosFit) {
    n.emitError() << "scales " << describeType(t.scales.type)
                  << " (and zero points) do not lie in blocks of " << t.block
                  << " along axis " << t.quantizeAxis << " of "
                  << describeType(t.codes.type);
    return std::nullopt;
  }
  if (t.zeros && t.zeros->rank() != 0)
    t.zeros = Tensor(i32, t.zeros->data->converted(DType::I32), t.zeros->name);
  return t;
}

LogicalResult importGatherBlockQuantized(Node &n) {
  Tensor indices = n.input(1, "indices");
  std::optional<BlockTable> t = bindBlockTable(n);
  if (!t)
    return failure();
  if (!isIndexType(indices.elementType()))
    return n.emitError() << "input indices " << describeType(indices.type)
                         << " must be int32 or int64";
  GraphBuilder &b = n.b;
  Tensor codes = gatherAlong(b, t->codes, indices, t->gatherAxis);
  Grid grid;
  grid.scale = gatherAlong(b, t->scales, indices, t->gatherAxis);
  if (t->zeros)
    grid.zeroPoint = t->zeros->rank() == 0
                         ? *t->zeros
                         : gatherAlong(b, *t->zeros, indices, t->gatherAxis);
  grid.blockSizes.assign(codes.rank(), 1);
  int64_t axis = t->quantizeAxis < t->gatherAxis
                     ? t->quantizeAxis
                     : t->quantizeAxis + indices.rank() - 1;
  grid.blockSizes[axis] = t->block;
  return n.result(dequantize(b, codes, grid));
}

} // namespace

void registerEmbeddingOps(OpRegistry &r) {
  r.onOp(microsoftDomain, "EmbedLayerNormalization", 1,
         importEmbedLayerNormalization)
      .symbolic();
  r.onOp(microsoftDomain, "GatherBlockQuantized", 1, importGatherBlockQuantized,
         "integer codes; constant table; quantize_axis other than gather_axis");
}

} // namespace qdialect::onnx_import
