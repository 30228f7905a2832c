//! The declarations that TypeScript checks handlers against.

use taskcell_test_support::provision::repository;
use taskcell_test_support::typescript::declarations;

/// They say what the WIT says. Set TASKCELL_BLESS to write them anew.
#[test]
fn the_declarations_are_those_of_the_wit() {
    let file = repository().join("guest-examples/taskcell.d.ts");
    let made = declarations(&repository().join("wit")).unwrap();
    if std::env::var_os("TASKCELL_BLESS").is_some() {
        std::fs::write(&file, &made).unwrap();
    }
    let there = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        there == made,
        "guest-examples/taskcell.d.ts is not what the WIT says: run this test with TASKCELL_BLESS=1"
    );
}
