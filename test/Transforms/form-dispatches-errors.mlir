// RUN: q-opt %s -qd-form-dispatches -split-input-file -verify-diagnostics

// expected-error@+1 {{expected a single block}}
func.func @two_blocks(%x: tensor<4xf32>) -> tensor<4xf32> {
  cf.br ^next
^next:
  return %x : tensor<4xf32>
}

// -----

#id = affine_map<(i) -> (i)>
func.func @two_results(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %e = tensor.empty() : tensor<4xf32>
  // expected-error@+1 {{cannot form a dispatch: expected one tensor result, got 2 results}}
  %a, %b = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%e, %e : tensor<4xf32>, tensor<4xf32>) {
  ^bb0(%v: f32, %o: f32, %p: f32):
    linalg.yield %v, %v : f32, f32
  } -> (tensor<4xf32>, tensor<4xf32>)
  return %a, %b : tensor<4xf32>, tensor<4xf32>
}

// -----

#id = affine_map<(i) -> (i)>
func.func @scalar_operand(%x: tensor<4xf32>, %s: f32) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  // expected-error@+1 {{cannot form a dispatch: operand of type 'f32' is neither a tensor nor a constant}}
  %a = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%v: f32, %o: f32):
    %m = arith.mulf %v, %s : f32
    linalg.yield %m : f32
  } -> tensor<4xf32>
  return %a : tensor<4xf32>
}

// -----

func.func @scalar_result(%c: tensor<i1>, %x: tensor<f32>) -> f32 {
  %condition = tensor.extract %c[] : tensor<i1>
  // expected-error@+1 {{cannot form a dispatch: result of type 'f32' is no tensor}}
  %a = scf.if %condition -> f32 {
    %v = tensor.extract %x[] : tensor<f32>
    scf.yield %v : f32
  } else {
    %z = arith.constant 0.0 : f32
    scf.yield %z : f32
  }
  return %a : f32
}
