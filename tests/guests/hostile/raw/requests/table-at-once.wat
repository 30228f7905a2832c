;; A table that grows by all there is.
(table $t 1 funcref)
(func $handle (result i32)
    (drop (table.grow $t (ref.null func) (i32.const 0x7fffffff)))
    unreachable)
