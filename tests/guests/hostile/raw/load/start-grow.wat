;; A start function that takes all memory.
(component
    (core module $m
        (memory 1)
        (func $f (drop (memory.grow (i32.const 10000))) unreachable)
        (start $f))
    (core instance (instantiate $m)))
