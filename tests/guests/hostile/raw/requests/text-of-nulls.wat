;; An error whose message is a million null characters, each of which JSON writes as six.
(func $handle (result i32)
    (drop (memory.grow (i32.const 20)))
    (i32.store8 (i32.const 1024) (i32.const 1))
    (i32.store (i32.const 1032) (i32.const 0x20000))
    (i32.store (i32.const 1036) (i32.const 1000000))
    (i32.const 1024))
