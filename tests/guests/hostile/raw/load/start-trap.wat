;; A start function that traps.
(component
    (core module $m
        
        (func $f unreachable)
        (start $f))
    (core instance (instantiate $m)))
