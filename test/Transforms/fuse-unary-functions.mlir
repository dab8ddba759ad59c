// RUN: q-opt %s -qd-fuse-unary-functions -split-input-file | FileCheck %s
// RUN: q-opt %s -qd-fuse-unary-functions -split-input-file | q-opt -split-input-file -qd-fuse-unary-functions | FileCheck %s

#id = affine_map<(d0, d1) -> (d0, d1)>
#channel = affine_map<(d0, d1) -> (d1)>

// Hard-swish as exporters write it, the division at its end included; the bias
// in front of it stays with its sum.

// CHECK-LABEL: @hard_swish
// CHECK-SAME: %[[X:.+]]: tensor<2x3xf32>, %[[B:.+]]: tensor<3xf32>
// CHECK: %[[S:.+]] = linalg.generic {{.*}} ins(%[[X]], %{{.+}} : tensor<2x3xf32>, tensor<3xf32>)
// CHECK: %[[F:.+]] = linalg.generic {{.*}} ins(%[[S]] : tensor<2x3xf32>) {{.*}} attrs = {qd.name = "swish"}
// CHECK-NEXT: ^bb0(%[[V:.+]]: f32, %{{.+}}: f32):
// CHECK: %[[A:.+]] = arith.addf %[[V]], %{{.+}} : f32
// CHECK: %[[L:.+]] = arith.maximumf %[[A]], %{{.+}} : f32
// CHECK: %[[H:.+]] = arith.minimumf %[[L]], %{{.+}} : f32
// CHECK: %[[P:.+]] = arith.mulf %[[V]], %[[H]] : f32
// CHECK: %[[D:.+]] = arith.divf %[[P]], %{{.+}} : f32
// CHECK: linalg.yield %[[D]]
// CHECK-NOT: linalg.generic
// CHECK: return %[[F]]
func.func @hard_swish(%x: tensor<2x3xf32>, %b: tensor<3xf32>) -> tensor<2x3xf32> {
  %c = arith.constant dense<[1.0, 2.0, 3.0]> : tensor<3xf32>
  %three = arith.constant 3.0 : f32
  %zero = arith.constant 0.0 : f32
  %six = arith.constant 6.0 : f32
  %e = tensor.empty() : tensor<2x3xf32>
  %s = linalg.generic {indexing_maps = [#id, #channel, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %c : tensor<2x3xf32>, tensor<3xf32>) outs(%e : tensor<2x3xf32>) {
  ^bb0(%v: f32, %u: f32, %o: f32):
    %1 = arith.addf %v, %u : f32
    linalg.yield %1 : f32
  } -> tensor<2x3xf32>
  %a = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%s : tensor<2x3xf32>) outs(%e : tensor<2x3xf32>) {
  ^bb0(%v: f32, %o: f32):
    %1 = arith.addf %v, %three : f32
    linalg.yield %1 : f32
  } -> tensor<2x3xf32>
  %k = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%a : tensor<2x3xf32>) outs(%e : tensor<2x3xf32>) {
  ^bb0(%v: f32, %o: f32):
    %1 = arith.maximumf %v, %zero : f32
    %2 = arith.minimumf %1, %six : f32
    linalg.yield %2 : f32
  } -> tensor<2x3xf32>
  %m = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%s, %k : tensor<2x3xf32>, tensor<2x3xf32>) outs(%e : tensor<2x3xf32>) {
  ^bb0(%v: f32, %u: f32, %o: f32):
    %1 = arith.mulf %v, %u : f32
    linalg.yield %1 : f32
  } -> tensor<2x3xf32>
  %d = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%m : tensor<2x3xf32>) outs(%e : tensor<2x3xf32>) attrs = {qd.name = "swish"} {
  ^bb0(%v: f32, %o: f32):
    %1 = arith.divf %v, %six : f32
    linalg.yield %1 : f32
  } -> tensor<2x3xf32>
  return %d : tensor<2x3xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>
#channel = affine_map<(d0, d1) -> (d1)>

// PRelu as relu(x) - slope * relu(-x): one slope a channel.

// CHECK-LABEL: @prelu
// CHECK-SAME: %[[X:.+]]: tensor<2x3xf32>
// CHECK: %[[C:.+]] = arith.constant dense<[1.0
// CHECK: linalg.generic {indexing_maps = [#[[ID:.+]], #[[CH:.+]], #[[ID]]]{{.*}} ins(%[[X]], %[[C]] : tensor<2x3xf32>, tensor<3xf32>)
// CHECK-NOT: linalg.generic
func.func @prelu(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %c = arith.constant dense<[1.0, 2.0, 3.0]> : tensor<3xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x3xf32>
  %p = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<2x3xf32>) outs(%e : tensor<2x3xf32>) {
  ^bb0(%v: f32, %o: f32):
    %1 = arith.maximumf %v, %zero : f32
    linalg.yield %1 : f32
  } -> tensor<2x3xf32>
  %n = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<2x3xf32>) outs(%e : tensor<2x3xf32>) {
  ^bb0(%v: f32, %o: f32):
    %1 = arith.negf %v : f32
    %2 = arith.maximumf %1, %zero : f32
    linalg.yield %2 : f32
  } -> tensor<2x3xf32>
  %m = linalg.generic {indexing_maps = [#id, #channel, #id], iterator_types = ["parallel", "parallel"]} ins(%n, %c : tensor<2x3xf32>, tensor<3xf32>) outs(%e : tensor<2x3xf32>) {
  ^bb0(%v: f32, %u: f32, %o: f32):
    %1 = arith.mulf %v, %u : f32
    linalg.yield %1 : f32
  } -> tensor<2x3xf32>
  %s = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%p, %m : tensor<2x3xf32>, tensor<2x3xf32>) outs(%e : tensor<2x3xf32>) {
  ^bb0(%v: f32, %u: f32, %o: f32):
    %1 = arith.subf %v, %u : f32
    linalg.yield %1 : f32
  } -> tensor<2x3xf32>
  return %s : tensor<2x3xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>

// What another op reads on the way stays, and so does a sum of two tensors.

// CHECK-LABEL: @read_elsewhere
// CHECK-COUNT-3: linalg.generic
func.func @read_elsewhere(%x: tensor<2x3xf32>, %y: tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>) {
  %three = arith.constant 3.0 : f32
  %e = tensor.empty() : tensor<2x3xf32>
  %a = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<2x3xf32>) outs(%e : tensor<2x3xf32>) {
  ^bb0(%v: f32, %o: f32):
    %1 = arith.addf %v, %three : f32
    linalg.yield %1 : f32
  } -> tensor<2x3xf32>
  %m = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %a : tensor<2x3xf32>, tensor<2x3xf32>) outs(%e : tensor<2x3xf32>) {
  ^bb0(%v: f32, %u: f32, %o: f32):
    %1 = arith.mulf %v, %u : f32
    linalg.yield %1 : f32
  } -> tensor<2x3xf32>
  %s = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %y : tensor<2x3xf32>, tensor<2x3xf32>) outs(%e : tensor<2x3xf32>) {
  ^bb0(%v: f32, %u: f32, %o: f32):
    %1 = arith.addf %v, %u : f32
    linalg.yield %1 : f32
  } -> tensor<2x3xf32>
  return %a, %m, %s : tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>
}
