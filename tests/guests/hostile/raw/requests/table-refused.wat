;; A table that cannot grow, and a guest that does without.
(table $t 1 funcref)
(func $handle (result i32)
    (drop (table.grow $t (ref.null func) (i32.const 0x7fffffff)))
    (i32.const 1024))
