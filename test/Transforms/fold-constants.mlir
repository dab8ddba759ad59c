// RUN: q-opt %s -qd-fold-constants -split-input-file | FileCheck %s
// Folding twice changes nothing more.
// RUN: q-opt %s -qd-fold-constants -split-input-file > %t.once
// RUN: q-opt %s -qd-fold-constants -qd-fold-constants -split-input-file | diff %t.once -
// RUN: q-opt %s -qd-fold-constants=fold-dequantize=true -split-input-file | FileCheck %s --check-prefix=ALL

// A chain of constants becomes one; the name moves along.
// CHECK-LABEL: @transpose
// CHECK-NEXT: %[[C:.*]] = arith.constant {qd.name = "w"} dense<{{\[}}[1.000000e+00, 3.000000e+00], [2.000000e+00, 5.000000e+00]]> : tensor<2x2xf32>
// CHECK-NEXT: return %[[C]]
func.func @transpose() -> tensor<2x2xf32> {
  %c = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %d = arith.constant dense<[[0.0, 0.0], [0.0, 1.0]]> : tensor<2x2xf32>
  %s = arith.addf %c, %d : tensor<2x2xf32>
  %e = tensor.empty() : tensor<2x2xf32>
  %t = linalg.transpose ins(%s : tensor<2x2xf32>) outs(%e : tensor<2x2xf32>) permutation = [1, 0] {qd.name = "w"}
  return %t : tensor<2x2xf32>
}

// -----

// A large result goes into a resource.
// CHECK-LABEL: @large
// CHECK-NEXT: %[[C:.*]] = arith.constant dense_resource<folded> : tensor<10x10xi32>
// CHECK-NEXT: return %[[C]]
func.func @large() -> tensor<10x10xi32> {
  %a = arith.constant dense<2> : tensor<10x10xi32>
  %b = arith.muli %a, %a : tensor<10x10xi32>
  return %b : tensor<10x10xi32>
}

// -----

// A contraction whose init is a fill by a constant.
// CHECK-LABEL: @fill
// CHECK-NEXT: %[[C:.*]] = arith.constant dense<1.100000e+01> : tensor<1x1xf32>
// CHECK-NEXT: return %[[C]]
func.func @fill() -> tensor<1x1xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x1xf32>
  %i = linalg.fill ins(%z : f32) outs(%e : tensor<1x1xf32>) -> tensor<1x1xf32>
  %a = arith.constant dense<[[1.0, 2.0]]> : tensor<1x2xf32>
  %b = arith.constant dense<[[3.0], [4.0]]> : tensor<2x1xf32>
  %0 = linalg.matmul ins(%a, %b : tensor<1x2xf32>, tensor<2x1xf32>) outs(%i : tensor<1x1xf32>) -> tensor<1x1xf32>
  return %0 : tensor<1x1xf32>
}

// -----

// Codes keep the rounding; the dequantization stays unless asked for.
// CHECK-LABEL: @quantize
// CHECK: %[[Q:.*]] = arith.constant dense<[2, -4]> : tensor<2xi8>
// CHECK: %[[X:.*]] = qd.dequantize %[[Q]]
// CHECK: return %[[X]]
// ALL-LABEL: @quantize
// ALL-NEXT: %[[X:.*]] = arith.constant dense<[1.000000e+00, -2.000000e+00]> : tensor<2xf32>
// ALL-NEXT: return %[[X]]
func.func @quantize() -> tensor<2xf32> {
  %x = arith.constant dense<[1.1, -2.1]> : tensor<2xf32>
  %s = arith.constant dense<0.5> : tensor<f32>
  %q = qd.quantize %x scale %s rounding(half_even) overflow(saturate) : tensor<2xf32>, tensor<f32> -> tensor<2xi8>
  %y = qd.dequantize %q scale %s : tensor<2xi8>, tensor<f32> -> tensor<2xf32>
  return %y : tensor<2xf32>
}

// -----

//===-- must not fold -----------------------------------------------------===//

// CHECK-LABEL: @observe
// CHECK: qd.observe
func.func @observe() -> tensor<2xf32> {
  %x = arith.constant dense<1.0> : tensor<2xf32>
  %y = qd.observe %x "x" : tensor<2xf32>
  return %y : tensor<2xf32>
}

// -----

// An init alone is no weight.
// CHECK-LABEL: @init
// CHECK: tensor.empty
// CHECK: linalg.fill
func.func @init() -> tensor<4xf32> {
  %z = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4xf32>
  %i = linalg.fill ins(%z : f32) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  return %i : tensor<4xf32>
}

// -----

// 4 bytes would become 4 MB.
// CHECK-LABEL: @broadcast
// CHECK: linalg.generic
func.func @broadcast() -> tensor<1048576xf32> {
  %x = arith.constant dense<1.0> : tensor<1xf32>
  %e = tensor.empty() : tensor<1048576xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(i) -> (0)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x : tensor<1xf32>) outs(%e : tensor<1048576xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<1048576xf32>
  return %0 : tensor<1048576xf32>
}

// -----

// One operand is not constant; a captured value is not constant.
// CHECK-LABEL: @not_constant
// CHECK: arith.addf
// CHECK: linalg.generic
func.func @not_constant(%x: tensor<2xf32>, %f: f32) -> (tensor<2xf32>, tensor<2xf32>) {
  %c = arith.constant dense<1.0> : tensor<2xf32>
  %0 = arith.addf %x, %c : tensor<2xf32>
  %e = tensor.empty() : tensor<2xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%c : tensor<2xf32>) outs(%e : tensor<2xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %a, %f : f32
    linalg.yield %s : f32
  } -> tensor<2xf32>
  return %0, %1 : tensor<2xf32>, tensor<2xf32>
}

// -----

// An op that would fail (a division by zero) or that nobody knows stays.
// CHECK-LABEL: @refused
// CHECK: arith.divsi
// CHECK: math.cbrt
func.func @refused() -> (tensor<1xi32>, tensor<1xf32>) {
  %z = arith.constant dense<0> : tensor<1xi32>
  %0 = arith.divsi %z, %z : tensor<1xi32>
  %x = arith.constant dense<8.0> : tensor<1xf32>
  %1 = math.cbrt %x : tensor<1xf32>
  return %0, %1 : tensor<1xi32>, tensor<1xf32>
}

// -----

// What a branch or a loop of the program makes of constants is one; payloads and other control flow are not entered.
// CHECK-LABEL: @branch
// CHECK:         scf.if
// CHECK-NEXT:      %[[C:.*]] = arith.constant dense<[2.000000e+00, 4.000000e+00]> : tensor<2xf32>
// CHECK-NEXT:      scf.yield %[[C]]
// CHECK:         } else {
// CHECK-NEXT:      scf.for
// CHECK-NEXT:        %[[D:.*]] = arith.constant dense<[1.000000e+00, 4.000000e+00]> : tensor<2xf32>
// CHECK-NEXT:        arith.addf %{{.*}}, %[[D]]
func.func @branch(%x: tensor<2xf32>, %c: i1) -> tensor<2xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %k = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %r = scf.if %c -> (tensor<2xf32>) {
    %s = arith.addf %k, %k : tensor<2xf32>
    scf.yield %s : tensor<2xf32>
  } else {
    %e = scf.for %t = %c0 to %c3 step %c1 iter_args(%h = %x) -> (tensor<2xf32>) {
      %s = arith.mulf %k, %k : tensor<2xf32>
      %n = arith.addf %h, %s : tensor<2xf32>
      scf.yield %n : tensor<2xf32>
    }
    scf.yield %e : tensor<2xf32>
  }
  return %r : tensor<2xf32>
}

// -----

// What only reads constants is constant: a table that its payload captures.
// CHECK-LABEL: @lookup
// CHECK-NEXT:    %[[C:.*]] = arith.constant dense<[3, 2, 1]> : tensor<3xi64>
// CHECK-NEXT:    return %[[C]]
func.func @lookup() -> tensor<3xi64> {
  %table = arith.constant dense<[1, 2, 3]> : tensor<3xi64>
  %e = tensor.empty() : tensor<3xi64>
  %r = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} outs(%e : tensor<3xi64>) {
  ^bb0(%o: i64):
    %i = linalg.index 0 : index
    %c2 = arith.constant 2 : index
    %j = arith.subi %c2, %i : index
    %v = tensor.extract %table[%j] : tensor<3xi64>
    linalg.yield %v : i64
  } -> tensor<3xi64>
  return %r : tensor<3xi64>
}
