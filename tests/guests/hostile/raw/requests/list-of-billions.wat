;; A list of four thousand million.
(func $handle (result i32)
    (i32.store (i32.const 1032) (i32.const -1))
    (i32.const 1024))
