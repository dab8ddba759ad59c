// One case for each constraint label of qd.dispatch.
// RUN: q-opt %s -split-input-file -verify-diagnostics

func.func @dispatch_c1_arguments(%x: tensor<4xi8>) {
  // expected-error@+1 {{body takes ('tensor<5xi8>') but the inputs are ('tensor<4xi8>')}}
  %0 = qd.dispatch ins(%x : tensor<4xi8>) -> (tensor<5xi8>) {
  ^bb0(%a: tensor<5xi8>):
    qd.yield %a : tensor<5xi8>
  }
  return
}

// -----

func.func @dispatch_c2_terminator(%x: tensor<4xi8>) {
  // expected-error@+1 {{body ends in llvm.unreachable, not qd.yield}}
  %0 = qd.dispatch ins(%x : tensor<4xi8>) -> (tensor<4xi8>) {
  ^bb0(%a: tensor<4xi8>):
    llvm.unreachable
  }
  return
}

// -----

func.func @dispatch_c3_results(%x: tensor<4xi8>) {
  // expected-error@+1 {{body yields ('tensor<4xi8>') but the results are ('tensor<4xi16>')}}
  %0 = qd.dispatch ins(%x : tensor<4xi8>) -> (tensor<4xi16>) {
  ^bb0(%a: tensor<4xi8>):
    qd.yield %a : tensor<4xi8>
  }
  return
}

// -----

func.func @dispatch_c4_nested(%x: tensor<4xi8>) {
  // expected-note@+1 {{which begins here}}
  %0 = qd.dispatch ins(%x : tensor<4xi8>) -> (tensor<4xi8>) {
  ^bb0(%a: tensor<4xi8>):
    // expected-error@+1 {{stands in another qd.dispatch}}
    %1 = qd.dispatch ins(%a : tensor<4xi8>) -> (tensor<4xi8>) {
    ^bb0(%b: tensor<4xi8>):
      qd.yield %b : tensor<4xi8>
    }
    qd.yield %1 : tensor<4xi8>
  }
  return
}
