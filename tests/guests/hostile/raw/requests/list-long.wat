;; A list of thirty thousand empty things, as many as fit into the memory.
(func $handle (result i32)
    (drop (memory.grow (i32.const 40)))
    (i32.store (i32.const 1028) (i32.const 0x20000))
    (i32.store (i32.const 1032) (i32.const 30000))
    (i32.const 1024))
