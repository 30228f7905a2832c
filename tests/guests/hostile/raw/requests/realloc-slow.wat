;; An allocator that computes for a while for each of very many small allocations.
(func $realloc (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $turn i32)
    (loop $more
        (local.set $turn (i32.add (local.get $turn) (i32.const 1)))
        (br_if $more (i32.lt_u (local.get $turn) (i32.const 100000000))))
    (call $bump (local.get $align) (local.get $size)))
