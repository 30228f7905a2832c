//! The soak is run by hand, for minutes; here for some seconds, so that it still works when it is wanted.

use std::process::Command;

/// Every answer is the one that is due, and too little was seen to say more.
#[test]
fn a_short_soak_comes_out_right() {
    let ran = Command::new(env!("CARGO_BIN_EXE_soak")).arg("0.05").output().unwrap();
    let printed = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{printed}\n{}", String::from_utf8_lossy(&ran.stderr));
    assert!(printed.contains("too short to say whether anything grows"), "{printed}");
    for kind in ["cpu_time", "memory", "stack", "trap", "tasks", "-32601"] {
        assert!(printed.contains(&format!("{kind} ")), "no hostile guest ended in {kind}: {printed}");
    }
}

/// Without a number there is nothing to do.
#[test]
fn what_it_wants_is_said() {
    let ran = Command::new(env!("CARGO_BIN_EXE_soak")).output().unwrap();
    assert!(!ran.status.success());
    assert!(String::from_utf8_lossy(&ran.stderr).contains("soak MINUTES"), "{ran:?}");
}
