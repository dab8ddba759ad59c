// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Multiply-accumulate on each variant.

#include "DotPolicy.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace qdialect::cpu {
namespace {

/// vpdpbusd: four unsigned by signed byte products summed into an i32 lane.
class VnniPolicy : public CodeDotPolicy {
public:
  using CodeDotPolicy::CodeDotPolicy;
  VectorType bytes() { return Emitter::vector(e.i8(), 64); }

  SmallVector<Value> start(Value init) override { return {init}; }
  Value finish(ValueRange accumulators) override { return accumulators[0]; }
  SmallVector<Value> loadWeights(Value pointer) override {
    return {e.load(bytes(), pointer, 64)};
  }
  SmallVector<Value> splitWeights(Value bytes) override { return {bytes}; }
  Value spreadActivations(Value four) override {
    return e.bitcast(e.broadcast(four, Emitter::vector(e.i32())), bytes());
  }
  void accumulate(MutableArrayRef<Value> accumulators, Value activations,
                  ArrayRef<Value> weights) override {
    accumulators[0] =
        e.intrinsic("llvm.x86.avx512.vpdpbusd.512", Emitter::vector(e.i32()),
                    {accumulators[0], activations, weights[0]});
  }
};

/// Bytes widened to i16, vpmaddwd, vpaddd: exact, unlike vpmaddubsw. An
/// accumulator register holds two partial sums of four channels.
class Avx2Policy : public CodeDotPolicy {
public:
  using CodeDotPolicy::CodeDotPolicy;
  static constexpr int64_t kParts = 4;
  VectorType words() { return Emitter::vector(e.getI16Type(), 16); }

  SmallVector<Value> start(Value init) override {
    Value zero = e.constantInt(init.getType(), 0);
    SmallVector<Value> parts;
    for (int64_t part = 0; part < kParts; ++part) {
      SmallVector<int64_t> lanes;
      for (int64_t channel = 0; channel < 4; ++channel) {
        lanes.push_back(4 * part + channel);
        lanes.push_back(16); // a zero
      }
      parts.push_back(vector::ShuffleOp::create(e, init, zero, lanes));
    }
    return parts;
  }
  Value finish(ValueRange parts) override {
    Value low = e.concat(parts[0], parts[1]),
          high = e.concat(parts[2], parts[3]);
    SmallVector<int64_t> even, odd;
    for (int64_t lane = 0; lane < 32; lane += 2) {
      even.push_back(lane);
      odd.push_back(lane + 1);
    }
    return arith::AddIOp::create(e,
                                 vector::ShuffleOp::create(e, low, high, even),
                                 vector::ShuffleOp::create(e, low, high, odd));
  }
  SmallVector<Value> loadWeights(Value pointer) override {
    SmallVector<Value> parts;
    for (int64_t part = 0; part < kParts; ++part)
      parts.push_back(arith::ExtSIOp::create(
          e, words(),
          e.load(Emitter::vector(e.i8(), 16), e.at(pointer, 16 * part), 16)));
    return parts;
  }
  SmallVector<Value> splitWeights(Value bytes) override {
    SmallVector<Value> parts;
    for (int64_t part = 0; part < kParts; ++part)
      parts.push_back(
          arith::ExtSIOp::create(e, words(), e.slice(bytes, 16 * part, 16)));
    return parts;
  }
  Value spreadActivations(Value four) override {
    Value bytes = e.bitcast(e.broadcast(four, Emitter::vector(e.i32(), 4)),
                            Emitter::vector(e.i8(), 16));
    return arith::ExtUIOp::create(e, words(), bytes);
  }
  void accumulate(MutableArrayRef<Value> accumulators, Value activations,
                  ArrayRef<Value> weights) override {
    auto type = Emitter::vector(e.i32(), 8);
    for (auto [accumulator, weight] : llvm::zip(accumulators, weights)) {
      Value pairs =
          e.intrinsic("llvm.x86.avx2.pmadd.wd", type, {activations, weight});
      accumulator = arith::AddIOp::create(e, accumulator, pairs);
    }
  }
};

/// vpmaddubsw, vpmaddwd by ones, vpaddd: exact for weights of at most 64 steps,
/// 2 * 255 * 64 < 2^15. An accumulator register holds eight channels.
class Avx2NarrowPolicy : public CodeDotPolicy {
public:
  using CodeDotPolicy::CodeDotPolicy;
  static constexpr int64_t kBytes = 32;
  VectorType bytes() { return Emitter::vector(e.i8(), kBytes); }
  VectorType words() { return Emitter::vector(e.getI16Type(), kBytes / 2); }

  SmallVector<Value> start(Value init) override {
    return {e.slice(init, 0, 8), e.slice(init, 8, 8)};
  }
  Value finish(ValueRange parts) override {
    return e.concat(parts[0], parts[1]);
  }
  SmallVector<Value> loadWeights(Value pointer) override {
    return {e.load(bytes(), pointer, 32),
            e.load(bytes(), e.at(pointer, kBytes), 32)};
  }
  SmallVector<Value> splitWeights(Value both) override {
    return {e.slice(both, 0, kBytes), e.slice(both, kBytes, kBytes)};
  }
  Value spreadActivations(Value four) override {
    return e.bitcast(e.broadcast(four, Emitter::vector(e.i32(), 8)), bytes());
  }
  void accumulate(MutableArrayRef<Value> accumulators, Value activations,
                  ArrayRef<Value> weights) override {
    Value ones = e.constantInt(words(), 1);
    for (auto [accumulator, weight] : llvm::zip(accumulators, weights)) {
      Value pairs = e.intrinsic("llvm.x86.avx2.pmadd.ub.sw", words(),
                                {activations, weight});
      Value fours = e.intrinsic("llvm.x86.avx2.pmadd.wd",
                                Emitter::vector(e.i32(), 8), {pairs, ones});
      accumulator = arith::AddIOp::create(e, accumulator, fours);
    }
  }
};

/// Plain vector ops that any target has: one product of 16 channels a code.
class PortablePolicy : public CodeDotPolicy {
public:
  using CodeDotPolicy::CodeDotPolicy;

  SmallVector<Value> start(Value init) override { return {init}; }
  Value finish(ValueRange accumulators) override { return accumulators[0]; }
  SmallVector<Value> loadWeights(Value pointer) override {
    return splitWeights(e.load(Emitter::vector(e.i8(), 64), pointer, 16));
  }
  SmallVector<Value> splitWeights(Value bytes) override {
    SmallVector<Value> parts;
    for (int64_t k = 0; k < 4; ++k) {
      SmallVector<int64_t> lanes;
      for (int64_t channel = 0; channel < 16; ++channel)
        lanes.push_back(4 * channel + k);
      Value codes = vector::ShuffleOp::create(e, bytes, bytes, lanes);
      parts.push_back(
          arith::ExtSIOp::create(e, Emitter::vector(e.i32()), codes));
    }
    return parts;
  }
  Value spreadActivations(Value four) override { return four; }
  void accumulate(MutableArrayRef<Value> accumulators, Value activations,
                  ArrayRef<Value> weights) override {
    for (auto [k, weight] : llvm::enumerate(weights)) {
      Value shifted = arith::ShRUIOp::create(
          e, activations, e.constantInt(e.i32(), 8 * static_cast<int64_t>(k)));
      Value code =
          arith::AndIOp::create(e, shifted, e.constantInt(e.i32(), 255));
      Value all = e.broadcast(code, Emitter::vector(e.i32()));
      accumulators[0] = arith::AddIOp::create(
          e, accumulators[0], arith::MulIOp::create(e, all, weight));
    }
  }
};

/// One float a step; fused where the machine fuses.
class FloatPolicy : public DotPolicy {
public:
  using DotPolicy::DotPolicy;
  VectorType lanes() { return Emitter::vector(e.f32()); }

  SmallVector<Value> start(Value init) override { return {init}; }
  Value finish(ValueRange accumulators) override { return accumulators[0]; }
  SmallVector<Value> loadWeights(Value pointer) override {
    return {e.load(lanes(), pointer, 64)};
  }
  Value loadActivations(Value pointer) override {
    return e.broadcast(e.load(e.f32(), pointer, 4), lanes());
  }
  void accumulate(MutableArrayRef<Value> accumulators, Value activations,
                  ArrayRef<Value> weights) override {
    if (e.target.isa == CpuTarget::Scalar)
      accumulators[0] = arith::AddFOp::create(
          e, accumulators[0],
          arith::MulFOp::create(e, activations, weights[0]));
    else
      accumulators[0] =
          math::FmaOp::create(e, activations, weights[0], accumulators[0]);
  }
};

} // namespace

std::unique_ptr<DotPolicy> DotPolicy::create(Emitter &e, bool isFloat) {
  if (isFloat)
    return std::make_unique<FloatPolicy>(e);
  return CodeDotPolicy::create(e);
}

std::unique_ptr<CodeDotPolicy> CodeDotPolicy::create(Emitter &e,
                                                     bool isNarrow) {
  switch (e.target.isa) {
  case CpuTarget::AVX512AMX:
  case CpuTarget::AVX512VNNI:
    return std::make_unique<VnniPolicy>(e);
  case CpuTarget::AVX2:
    if (isNarrow)
      return std::make_unique<Avx2NarrowPolicy>(e);
    return std::make_unique<Avx2Policy>(e);
  case CpuTarget::Scalar:
    return std::make_unique<PortablePolicy>(e);
  }
  llvm_unreachable("unknown instruction set");
}

TileShape DotPolicy::tileShape(const CpuTarget &target, bool isFloat,
                               int64_t panelVectors, bool pointers,
                               bool isNarrow) {
  switch (target.isa) {
  case CpuTarget::AVX512AMX:
  case CpuTarget::AVX512VNNI: {
    // rows * vectors accumulators, the weights, and two registers for
    // broadcasts must fit 32; rows with own pointers must fit the 15 address
    // registers.
    static constexpr int64_t rows[] = {0, 14, 12, 8, 6};
    int64_t most = rows[panelVectors];
    return {pointers ? std::min<int64_t>(most, 8) : most, panelVectors};
  }
  case CpuTarget::AVX2:
    // Of 16 registers: an accumulator takes four, narrow codes two.
    return {isFloat ? 6 : isNarrow ? 5 : 3, 1};
  case CpuTarget::Scalar:
    return {isFloat ? 2 : 1, 1};
  }
  llvm_unreachable("unknown instruction set");
}

std::string dotInstruction(const CpuTarget &target, bool isFloat,
                           bool isNarrow) {
  switch (target.isa) {
  case CpuTarget::AVX512AMX:
  case CpuTarget::AVX512VNNI:
    return isFloat ? "vfmadd231ps zmm" : "vpdpbusd zmm";
  case CpuTarget::AVX2:
    return isFloat    ? "vfmadd231ps ymm"
           : isNarrow ? "vpmaddubsw ymm"
                      : "vpmaddwd ymm";
  case CpuTarget::Scalar:
    return isFloat ? "mulps xmm" : "pmaddwd xmm";
  }
  llvm_unreachable("unknown instruction set");
}

} // namespace qdialect::cpu
