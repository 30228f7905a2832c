//! Holds the public interface of the library against `host/taskcell/public-api.txt`; `.ci/public-api` runs it.
//!
//! Reads what rustdoc writes as JSON, from the file that is named. With `--bless` the list is renewed, and its change
//! is then a part of the commit: who reads it sees what users of the library will have to change.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context, bail};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let json = arguments.next().context("usage: public-api RUSTDOC-JSON [--bless]")?;
    let bless = arguments.next().as_deref() == Some("--bless");
    let list = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../host/taskcell/public-api.txt"));

    // Implementations that follow from others, or are derived, say nothing that the items do not.
    let api = public_api::Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()?;
    let found: Vec<_> = api.items().map(ToString::to_string).collect();
    if bless {
        std::fs::write(&list, found.join("\n") + "\n")?;
        println!("{} items", found.len());
        return Ok(());
    }

    let listed = std::fs::read_to_string(&list).context("host/taskcell/public-api.txt")?;
    let (listed, found): (BTreeSet<_>, BTreeSet<_>) =
        (listed.lines().collect(), found.iter().map(String::as_str).collect());
    let gone: Vec<_> = listed.difference(&found).collect();
    let new: Vec<_> = found.difference(&listed).collect();
    if gone.is_empty() && new.is_empty() {
        println!("as listed");
        return Ok(());
    }
    gone.iter().for_each(|item| println!("- {item}"));
    new.iter().for_each(|item| println!("+ {item}"));
    bail!(
        "the public interface is not what host/taskcell/public-api.txt says: {} gone, {} new. What is gone breaks those who use it and \
         needs a new minor version before 1.0; if the change is meant, `just public-api` renews the list",
        gone.len(),
        new.len()
    )
}
