;; A `_meta` that is no UTF-8.
(func $handle (result i32)
    (i32.store8 (i32.const 1036) (i32.const 1))
    (i32.store (i32.const 1040) (i32.const 1100))
    (i32.store (i32.const 1044) (i32.const 1))
    (i32.store8 (i32.const 1100) (i32.const 0xff))
    (i32.const 1024))
