;; An allocator whose space begins in memory and ends outside.
(func $realloc (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (i32.const 0x1fff8))
