;; A list that begins in memory and ends outside.
(func $handle (result i32)
    (i32.store (i32.const 1028) (i32.const 0x1fff0))
    (i32.store (i32.const 1032) (i32.const 100))
    (i32.const 1024))
