;; A start function that calls itself.
(component
    (core module $m
        
        (func $f (call $f))
        (start $f))
    (core instance (instantiate $m)))
