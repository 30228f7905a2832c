;; Answers the calls of WASI preview1 that a Go program makes, over WASI 0.2: clocks, random numbers, sleep, stdout and stderr.
;; There are no arguments, no environment, no files and no sockets.
;;
;; Why not the adapter of wasmtime: while Go's `cabi_realloc` runs, a component may call no import, and Go may collect its
;; garbage there, which reads both clocks. Go's runtime package says when that begins and ends, by
;; `adapter_monotonic_clock_set_paused`; wasmtime's adapter then stops the monotonic clock, but goes on asking for the wall
;; clock, and the call ends as a trap. Here nothing at all is asked for meanwhile.
;;
;; Nothing here needs memory of its own. Where an import writes more than the caller has room for, what stood behind is
;; put back.
(module
  (import "env" "memory" (memory 0))
  (import "wasi:clocks/monotonic-clock@0.2.6" "now" (func $monotonic_now (result i64)))
  (import "wasi:clocks/monotonic-clock@0.2.6" "subscribe-duration" (func $subscribe_duration (param i64) (result i32)))
  (import "wasi:clocks/wall-clock@0.2.6" "now" (func $wall_now (param $result i32)))
  (import "wasi:io/poll@0.2.6" "[method]pollable.block" (func $block (param $pollable i32)))
  (import "wasi:io/poll@0.2.6" "[resource-drop]pollable" (func $drop_pollable (param i32)))
  (import "wasi:random/random@0.2.6" "get-random-u64" (func $random (result i64)))
  (import "wasi:cli/stdout@0.2.6" "get-stdout" (func $stdout (result i32)))
  (import "wasi:cli/stderr@0.2.6" "get-stderr" (func $stderr (result i32)))
  (import "wasi:io/streams@0.2.6" "[method]output-stream.blocking-write-and-flush"
    (func $write (param $stream i32) (param $text i32) (param $length i32) (param $result i32)))
  (import "wasi:io/streams@0.2.6" "[resource-drop]output-stream" (func $drop_stream (param i32)))

  ;; Whether imports may not be called now.
  (global $paused (mut i32) (i32.const 0))
  ;; What the clocks said last, in nanoseconds: what they say while imports may not be called. Never zero, which Go takes
  ;; for a clock that does not work.
  (global $wall (mut i64) (i64.const 1))
  (global $monotonic (mut i64) (i64.const 1))

  ;; Numbers of errors, as preview1 has them.
  (global $again i32 (i32.const 6))
  (global $bad_fd i32 (i32.const 8))
  (global $io i32 (i32.const 29))
  (global $not_there i32 (i32.const 52))

  (func (export "adapter_monotonic_clock_set_paused") (param $now i32)
    (global.set $paused (local.get $now)))

  ;; ---- Time ----

  (func (export "clock_time_get") (param $clock i32) (param $precision i64) (param $time i32) (result i32)
    (local $behind i64)
    (if (i32.eqz (local.get $clock))
      (then
        (if (i32.eqz (global.get $paused))
          (then
            ;; Seconds and nanoseconds take eight bytes more than the one number that was asked for.
            (local.set $behind (i64.load offset=8 (local.get $time)))
            (call $wall_now (local.get $time))
            (global.set $wall
              (i64.add
                (i64.mul (i64.load (local.get $time)) (i64.const 1000000000))
                (i64.load32_u offset=8 (local.get $time))))
            (i64.store offset=8 (local.get $time) (local.get $behind))))
        (i64.store (local.get $time) (global.get $wall)))
      (else
        (call $read_monotonic)
        (i64.store (local.get $time) (global.get $monotonic))))
    (i32.const 0))

  (func $read_monotonic
    (if (i32.eqz (global.get $paused))
      (then (global.set $monotonic (i64.add (call $monotonic_now) (i64.const 1))))))

  ;; Sleeps for the shortest time that is asked for, and says that this one has passed. Files cannot be waited for.
  (func (export "poll_oneoff") (param $in i32) (param $out i32) (param $count i32) (param $events i32) (result i32)
    (local $time i64) (local $shortest i64) (local $userdata i64) (local $found i32) (local $pollable i32)
    (call $read_monotonic)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $count)))
        ;; A subscription: userdata, kind at 8, and for a clock its id at 16, the time at 24, flags at 40.
        (if (i32.eqz (i32.load8_u offset=8 (local.get $in)))
          (then
            (local.set $time (i64.load offset=24 (local.get $in)))
            (if (i32.and (i32.load16_u offset=40 (local.get $in)) (i32.const 1))
              (then
                ;; A point of the clock: what is left until then.
                (local.set $time
                  (select
                    (i64.sub (local.get $time) (global.get $monotonic))
                    (i64.const 0)
                    (i64.gt_u (local.get $time) (global.get $monotonic))))))
            (if (i32.or (i32.eqz (local.get $found)) (i64.lt_u (local.get $time) (local.get $shortest)))
              (then
                (local.set $shortest (local.get $time))
                (local.set $userdata (i64.load (local.get $in)))
                (local.set $found (i32.const 1))))))
        (local.set $in (i32.add (local.get $in) (i32.const 48)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next)))
    (if (i32.eqz (local.get $found)) (then (return (global.get $not_there))))
    (if (i32.and (i32.eqz (global.get $paused)) (i64.ne (local.get $shortest) (i64.const 0)))
      (then
        (local.set $pollable (call $subscribe_duration (local.get $shortest)))
        (call $block (local.get $pollable))
        (call $drop_pollable (local.get $pollable))))
    ;; An event: userdata, error at 8, kind at 10.
    (i64.store (local.get $out) (local.get $userdata))
    (i64.store offset=8 (local.get $out) (i64.const 0))
    (i64.store offset=16 (local.get $out) (i64.const 0))
    (i64.store offset=24 (local.get $out) (i64.const 0))
    (i32.store (local.get $events) (i32.const 1))
    (i32.const 0))

  (func (export "sched_yield") (result i32) (i32.const 0))

  ;; ---- Random numbers ----

  (func (export "random_get") (param $bytes i32) (param $count i32) (result i32)
    (local $number i64)
    (if (global.get $paused) (then (return (global.get $again))))
    (block $done
      (loop $eight
        (br_if $done (i32.lt_u (local.get $count) (i32.const 8)))
        (i64.store align=1 (local.get $bytes) (call $random))
        (local.set $bytes (i32.add (local.get $bytes) (i32.const 8)))
        (local.set $count (i32.sub (local.get $count) (i32.const 8)))
        (br $eight)))
    (if (local.get $count) (then (local.set $number (call $random))))
    (block $all
      (loop $one
        (br_if $all (i32.eqz (local.get $count)))
        (i64.store8 (local.get $bytes) (local.get $number))
        (local.set $number (i64.shr_u (local.get $number) (i64.const 8)))
        (local.set $bytes (i32.add (local.get $bytes) (i32.const 1)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $one)))
    (i32.const 0))

  ;; ---- What is printed ----

  ;; Text that comes while imports may not be called is lost: an error would end the program with another one.
  (func (export "fd_write") (param $fd i32) (param $pieces i32) (param $count i32) (param $written i32) (result i32)
    (local $stream i32) (local $text i32) (local $length i32) (local $part i32) (local $all i32) (local $behind i64)
    (local $failed i32)
    (if (i32.gt_u (i32.sub (local.get $fd) (i32.const 1)) (i32.const 1)) (then (return (global.get $bad_fd))))
    (if (i32.eqz (global.get $paused))
      (then
        (if (i32.eq (local.get $fd) (i32.const 1))
          (then (local.set $stream (call $stdout)))
          (else (local.set $stream (call $stderr))))))
    ;; The result takes eight bytes more than the number that was asked for.
    (local.set $behind (i64.load offset=4 align=4 (local.get $written)))
    (block $done
      (loop $piece
        (br_if $done (i32.or (i32.eqz (local.get $count)) (local.get $failed)))
        (local.set $text (i32.load (local.get $pieces)))
        (local.set $length (i32.load offset=4 (local.get $pieces)))
        (local.set $all (i32.add (local.get $all) (local.get $length)))
        (block $empty
          (loop $more
            (br_if $empty
              (i32.or
                (i32.or (i32.eqz (local.get $length)) (global.get $paused))
                (local.get $failed)))
            ;; A stream takes 4096 bytes at once.
            (local.set $part
              (select (i32.const 4096) (local.get $length) (i32.gt_u (local.get $length) (i32.const 4096))))
            (call $write (local.get $stream) (local.get $text) (local.get $part) (local.get $written))
            (local.set $failed (i32.load8_u (local.get $written)))
            (local.set $text (i32.add (local.get $text) (local.get $part)))
            (local.set $length (i32.sub (local.get $length) (local.get $part)))
            (br $more)))
        (local.set $pieces (i32.add (local.get $pieces) (i32.const 8)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $piece)))
    (i64.store offset=4 align=4 (local.get $written) (local.get $behind))
    (i32.store (local.get $written) (local.get $all))
    (if (i32.eqz (global.get $paused)) (then (call $drop_stream (local.get $stream))))
    (select (global.get $io) (i32.const 0) (local.get $failed)))

  ;; A Go program ends itself after a panic, whose text is on stderr by then.
  (func (export "proc_exit") (param $code i32) (unreachable))

  ;; ---- What is not there ----

  (func (export "args_sizes_get") (param $count i32) (param $size i32) (result i32)
    (i32.store (local.get $count) (i32.const 0))
    (i32.store (local.get $size) (i32.const 0))
    (i32.const 0))
  (func (export "args_get") (param i32 i32) (result i32) (i32.const 0))
  (func (export "environ_sizes_get") (param $count i32) (param $size i32) (result i32)
    (i32.store (local.get $count) (i32.const 0))
    (i32.store (local.get $size) (i32.const 0))
    (i32.const 0))
  (func (export "environ_get") (param i32 i32) (result i32) (i32.const 0))
  (func (export "fd_close") (param i32) (result i32) (global.get $bad_fd))
  (func (export "fd_fdstat_get") (param i32 i32) (result i32) (global.get $bad_fd))
  (func (export "fd_fdstat_set_flags") (param i32 i32) (result i32) (global.get $bad_fd))
  (func (export "fd_fdstat_set_rights") (param i32 i64 i64) (result i32) (global.get $bad_fd))
  (func (export "fd_filestat_get") (param i32 i32) (result i32) (global.get $bad_fd))
  (func (export "fd_filestat_set_size") (param i32 i64) (result i32) (global.get $bad_fd))
  (func (export "fd_pread") (param i32 i32 i32 i64 i32) (result i32) (global.get $bad_fd))
  (func (export "fd_prestat_dir_name") (param i32 i32 i32) (result i32) (global.get $bad_fd))
  (func (export "fd_prestat_get") (param i32 i32) (result i32) (global.get $bad_fd))
  (func (export "fd_pwrite") (param i32 i32 i32 i64 i32) (result i32) (global.get $bad_fd))
  (func (export "fd_read") (param i32 i32 i32 i32) (result i32) (global.get $bad_fd))
  (func (export "fd_readdir") (param i32 i32 i32 i64 i32) (result i32) (global.get $bad_fd))
  (func (export "fd_seek") (param i32 i64 i32 i32) (result i32) (global.get $bad_fd))
  (func (export "fd_sync") (param i32) (result i32) (global.get $bad_fd))
  (func (export "path_create_directory") (param i32 i32 i32) (result i32) (global.get $not_there))
  (func (export "path_filestat_get") (param i32 i32 i32 i32 i32) (result i32) (global.get $not_there))
  (func (export "path_filestat_set_times") (param i32 i32 i32 i32 i64 i64 i32) (result i32) (global.get $not_there))
  (func (export "path_link") (param i32 i32 i32 i32 i32 i32 i32) (result i32) (global.get $not_there))
  (func (export "path_open") (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32) (global.get $not_there))
  (func (export "path_readlink") (param i32 i32 i32 i32 i32 i32) (result i32) (global.get $not_there))
  (func (export "path_remove_directory") (param i32 i32 i32) (result i32) (global.get $not_there))
  (func (export "path_rename") (param i32 i32 i32 i32 i32 i32) (result i32) (global.get $not_there))
  (func (export "path_symlink") (param i32 i32 i32 i32 i32) (result i32) (global.get $not_there))
  (func (export "path_unlink_file") (param i32 i32 i32) (result i32) (global.get $not_there))
  (func (export "sock_accept") (param i32 i32 i32) (result i32) (global.get $not_there))
  (func (export "sock_shutdown") (param i32 i32) (result i32) (global.get $not_there)))
