;; An allocator that gives the last address there is.
(func $realloc (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (i32.const -1))
