// Part of the QDialect project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Walks over rows (RowWalk.h).

#include "RowWalk.h"

#include "QDialect/Numerics/Reductions.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace qdialect::gpu {

/// Of a row that sixteen threads walk.
static constexpr int64_t kMaxShortRow = 1024;
/// Elements of a long row in shared memory.
static constexpr int64_t kMaxPiece = 8192;
static constexpr int64_t kWarp = 32;

RowShape::RowShape(int64_t rows, int64_t length, bool keeps, bool ordered)
    : rows(rows), length(length), isBlock(length > kMaxShortRow) {
  int64_t step = rowThreads() * neighbours();
  int64_t whole = (length + step - 1) / step * step;
  if (keeps || (isBlock && ordered))
    piece = isBlock ? std::min(whole, kMaxPiece) : whole;
}

int64_t RowShape::keptStride() const {
  // The two rows of a warp lie in different banks.
  return isBlock ? piece : (piece + 31) / 32 * 32 + 16;
}

int64_t RowShape::sharedBytes() const {
  return piece == 0 ? 0 : rowsOfBlock() * keptStride() * 4;
}

RowWalk::RowWalk(WarpEmitter &e, const RowShape &shape, StringRef symbol,
                 Value rows, Value length)
    : e(e), shape(shape), end(length), thread(e.threadId()) {
  Value block = arith::IndexCastUIOp::create(e, e.getIndexType(), e.blockId());
  auto toIndex = [&](Value i32) -> Value {
    return arith::IndexCastUIOp::create(e, e.getIndexType(), i32);
  };
  int64_t rowsOfBlock = shape.rowsOfBlock();
  lane = toIndex(shape.isBlock ? thread : e.rem(thread, shape.rowThreads()));
  Value inBlock =
      shape.isBlock ? index(0) : toIndex(e.div(thread, shape.rowThreads()));
  number = e.add(e.mul(block, rowsOfBlock), inBlock);
  if (shape.isSymbolic || shape.rows % rowsOfBlock != 0) {
    Value all = shape.isSymbolic ? rows : index(shape.rows);
    rowExists = e.isLessUnsigned(number, all);
    number = e.select(rowExists, number, e.sub(all, index(1)));
  }
  if (shape.piece != 0)
    scratch =
        e.at(e.shared((symbol + "_rows").str(), shape.sharedBytes()),
             arith::IndexCastOp::create(
                 e, e.getI64Type(), e.mul(inBlock, shape.keptStride() * 4)));
  if (shape.isBlock)
    exchange = e.shared((symbol + "_exchange").str(),
                        shape.threads() / kWarp * sizeof(int64_t));
}

Value RowWalk::index(int64_t number) {
  return e.constantOf(e.getIndexType(), number);
}

Value RowWalk::slot(Value place) {
  return e.at(scratch,
              arith::IndexCastOp::create(e, e.getI64Type(), e.mul(place, 4)));
}

Value RowWalk::onlyExisting(Value element, const RowColumn &at, Value other) {
  // Seeded fault 193: what lies behind the row counts.
  bool counts = !at.exists || QDIALECT_MUTATE == 193;
  return counts ? element : e.select(at.exists, element, other);
}

void RowWalk::keep(const RowColumn &at, Value element) {
  e.store(element, slot(at.place), 4);
}

Value RowWalk::kept(Type type, const RowColumn &at) {
  return e.load(type, slot(at.place), 4);
}

Value RowWalk::walk(Value init, int64_t neighbours, int64_t first, int64_t last,
                    function_ref<Value(ArrayRef<RowColumn>, Value)> body) {
  int64_t step = shape.rowThreads() * neighbours;
  int64_t whole = first + (last - first) / step * step;
  Value own = e.mul(lane, neighbours);
  auto at = [&](Value column, Value place, Value exists) {
    SmallVector<RowColumn> columns;
    for (int64_t i = 0; i < neighbours; ++i)
      columns.push_back({e.add(column, i), e.add(place, i), exists});
    return columns;
  };
  auto exist = [&](Value base, Value last) {
    Value exists = e.isLessUnsigned(base, last);
    return at(e.select(exists, base, index(0)), base, exists);
  };
  Value carried = init;
  if (shape.isSymbolic) {
    auto loop =
        scf::ForOp::create(e, index(first), end, index(step), ValueRange{init});
    OpBuilder::InsertionGuard guard(e);
    e.setInsertionPointToStart(loop.getBody());
    Value base = e.add(loop.getInductionVar(), own);
    scf::YieldOp::create(e, body(exist(base, end), loop.getRegionIterArg(0)));
    return loop.getResult(0);
  }
  if (first < whole) {
    auto loop = scf::ForOp::create(e, index(first), index(whole), index(step),
                                   ValueRange{init});
    OpBuilder::InsertionGuard guard(e);
    e.setInsertionPointToStart(loop.getBody());
    Value base = e.add(loop.getInductionVar(), own);
    scf::YieldOp::create(e, body(at(base, base, {}), loop.getRegionIterArg(0)));
    carried = loop.getResult(0);
  }
  if (whole == last)
    return carried;
  return body(exist(e.add(own, whole), index(last)), carried);
}

Value RowWalk::shuffle(Value value, int64_t distance) {
  constexpr int64_t kAllThreads = -1, kNoSegments = kWarp - 1;
  auto move = [&](Value word) -> Value {
    return NVVM::ShflOp::create(e, word.getType(), e.constant(kAllThreads),
                                word, e.constant(distance),
                                e.constant(kNoSegments), NVVM::ShflKind::bfly,
                                /*return_value_and_is_valid=*/UnitAttr());
  };
  if (!value.getType().isInteger(64))
    return move(value);
  Type i64 = e.getI64Type(), i32 = e.getI32Type();
  Value low = move(arith::TruncIOp::create(e, i32, value));
  Value high =
      move(arith::TruncIOp::create(e, i32, e.shiftRight(value, int64_t(32))));
  return e.orBits(
      arith::ExtUIOp::create(e, i64, low),
      e.shiftLeft(arith::ExtUIOp::create(e, i64, high), e.constantOf(i64, 32)));
}

Value RowWalk::acrossLanes(Value value, int64_t lanes, Combine combine) {
  for (int64_t distance = lanes / 2; distance != 0; distance /= 2)
    value = combine(value, shuffle(value, distance));
  return value;
}

Value RowWalk::combineAll(Value neutral, Element element, Combine combine) {
  Value all = walk(neutral, shape.neighbours(), 0, shape.length,
                   [&](ArrayRef<RowColumn> columns, Value carried) {
                     for (const RowColumn &at : columns)
                       carried = combine(
                           carried, onlyExisting(element(at), at, neutral));
                     return carried;
                   });
  if (!shape.isBlock)
    return acrossLanes(all, shape.rowThreads(), combine);
  all = acrossLanes(all, kWarp, combine);
  int64_t bytes = all.getType().isInteger(64) ? 8 : 4;
  auto place = [&](Value warp) { return e.at(exchange, e.mul(warp, bytes)); };
  // The last exchange was read.
  e.barrier();
  e.ifThen(arith::CmpIOp::create(e, arith::CmpIPredicate::eq,
                                 e.andBits(thread, kWarp - 1), e.constant(0)),
           [&] { e.store(all, place(e.div(thread, kWarp)), bytes); });
  e.barrier();
  Value result = e.load(all.getType(), exchange, bytes);
  for (int64_t warp = 1; warp < shape.threads() / kWarp; ++warp)
    result =
        combine(result, e.load(all.getType(), place(e.constant(warp)), bytes));
  return result;
}

Value RowWalk::orderedSum(Element element, bool keeps) {
  return shape.isBlock ? sumOfBlock(element) : sumOfHalfWarp(element, keeps);
}

static Value plus(WarpEmitter &e, Value a, Value b) {
  return arith::AddFOp::create(e, a, b);
}

static Value zero(WarpEmitter &e) {
  return arith::ConstantOp::create(e, e.getF32FloatAttr(0));
}

Value RowWalk::sumOfHalfWarp(Element element, bool keeps) {
  Value none = zero(e);
  Value sum =
      walk(none, /*neighbours=*/1, 0, shape.length,
           [&](ArrayRef<RowColumn> at, Value partial) {
             Value next = element(at.front());
             if (keeps)
               keep(at.front(), next);
             // A partial sum is never -0, so +0 changes none.
             return plus(e, partial, onlyExisting(next, at.front(), none));
           });
  // Others read what this thread kept. Seeded fault 191: nobody waits for it.
  if (keeps && QDIALECT_MUTATE != 191)
    NVVM::SyncWarpOp::create(e, e.constant(-1));
  return acrossLanes(sum, kReductionLanes,
                     [&](Value a, Value b) { return plus(e, a, b); });
}

Value RowWalk::sumOfBlock(Element element) {
  Value none = zero(e), sum = none;
  Value isAdder = e.isLessUnsigned(thread, e.constant(kWarp));
  Value adder = arith::IndexCastUIOp::create(e, e.getIndexType(),
                                             e.rem(thread, kReductionLanes));
  for (int64_t first = 0; first < shape.length; first += shape.piece) {
    int64_t last = std::min(first + shape.piece, shape.length);
    // The last piece, or the elements of an earlier pass, were read.
    e.barrier();
    walk(none, /*neighbours=*/1, first, last,
         [&](ArrayRef<RowColumn> at, Value carried) {
           Value next = onlyExisting(element(at.front()), at.front(), none);
           e.store(next, slot(e.sub(at.front().place, index(first))), 4);
           return carried;
         });
    // Seeded fault 192: a piece is added before it is there.
    if (QDIALECT_MUTATE != 192)
      e.barrier();
    // Lanes behind the row's end have zeros.
    Value added = end;
    if (!shape.isSymbolic)
      added = index((last - first + kReductionLanes - 1) / kReductionLanes *
                    kReductionLanes);
    auto adds = scf::IfOp::create(e, sum.getType(), isAdder,
                                  /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(e);
    e.setInsertionPointToStart(adds.thenBlock());
    auto loop = scf::ForOp::create(e, index(0), added, index(kReductionLanes),
                                   ValueRange{sum});
    scf::YieldOp::create(e, loop.getResult(0));
    e.setInsertionPointToStart(loop.getBody());
    Value place = e.add(loop.getInductionVar(), adder);
    Value next = e.load(e.getF32Type(), slot(place), 4);
    scf::YieldOp::create(e, plus(e, loop.getRegionIterArg(0), next));
    e.setInsertionPointToStart(adds.elseBlock());
    scf::YieldOp::create(e, sum);
    sum = adds.getResult(0);
  }
  sum = acrossLanes(sum, kReductionLanes,
                    [&](Value a, Value b) { return plus(e, a, b); });
  return ofFirstThread(sum);
}

Value RowWalk::ofFirstThread(Value value) {
  e.barrier();
  e.ifThen(
      arith::CmpIOp::create(e, arith::CmpIPredicate::eq, thread, e.constant(0)),
      [&] { e.store(value, exchange, 4); });
  e.barrier();
  return e.load(value.getType(), exchange, 4);
}

void RowWalk::forEach(Element element,
                      function_ref<void(const RowColumn &, Value)> store) {
  auto pass = [&] {
    walk(e.constant(0), shape.neighbours(), 0, shape.length,
         [&](ArrayRef<RowColumn> columns, Value carried) {
           auto all = [&] {
             SmallVector<Value> elements;
             for (const RowColumn &at : columns)
               elements.push_back(element(at));
             for (auto [at, value] : llvm::zip_equal(columns, elements))
               store(at, value);
           };
           if (Value exists = columns.front().exists)
             e.ifThen(exists, all);
           else
             all();
           return carried;
         });
  };
  if (rowExists)
    e.ifThen(rowExists, pass);
  else
    pass();
}

} // namespace qdialect::gpu
