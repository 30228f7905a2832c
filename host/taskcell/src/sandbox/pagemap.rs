//! Whether the pool finds the pages that a cell wrote by a scan of the page map, or clears memory without it.
//!
//! The scan (`PAGEMAP_SCAN`, Linux 6.7) is what makes a small cell cheap. In wasmtime before 50.0.1 it asks for pages
//! that are written *and present*. A written page that the kernel moved to swap is not present: it is not cleared, and
//! a later cell in the same slot may read what an earlier one wrote (wasmtime's pull request 14357). So the scan is
//! used only where the kernel has nowhere to move a page to.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use wasmtime::{Enabled, PoolingAllocationConfig};

/// The first version of wasmtime whose scan sees pages in swap.
const MENDED: [u64; 3] = [50, 0, 1];
/// Value that version 1 of control groups gives for "no limit": the largest number of whole pages. Larger pages leave
/// less.
const UNLIMITED: u64 = 1 << 62;

/// Whether the pool scans the page map for the pages that a cell wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum PagemapScan {
    /// Where it is safe: with a wasmtime that sees pages in swap, or on a machine without swap. What was decided is in
    /// the log.
    #[default]
    Auto,
    /// Wherever the kernel can, for an operator who knows that no page of this process goes to swap, ever.
    On,
    /// Never. A small request costs about half as much again.
    Off,
}

/// Decision about the scan, with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whether the scan is used.
    pub scan: bool,
    /// The reason, as the end of a sentence.
    pub why: String,
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scan, why } = self;
        match scan {
            true => write!(f, "the memory of cells is cleared by a scan of the page map: {why}"),
            false => write!(f, "the memory of cells is cleared without a scan of the page map: {why}"),
        }
    }
}

impl Decision {
    /// Decides for this machine at this moment.
    pub fn new(wish: PagemapScan) -> Self {
        let available = PoolingAllocationConfig::is_pagemap_scan_available();
        Self::of(wish, available, wasmtime_environ::VERSION, &Swap::of_this_machine())
    }

    fn of(wish: PagemapScan, available: bool, version: &str, swap: &Swap) -> Self {
        let (scan, why) = match wish {
            PagemapScan::Off => (false, "it is switched off".to_owned()),
            _ if !available => (false, "this system has none (Linux has it since 6.7)".to_owned()),
            PagemapScan::On => (true, "it is switched on, whatever swap this machine has".to_owned()),
            PagemapScan::Auto if is_mended(version) => (true, format!("wasmtime {version} sees pages in swap")),
            PagemapScan::Auto => match swap.found() {
                None => (true, "this machine has no swap".to_owned()),
                Some(found) => (false, format!("{found}, and wasmtime {version} would not clear pages in swap")),
            },
        };
        Self { scan, why }
    }

    pub(super) fn setting(&self) -> Enabled {
        if self.scan { Enabled::Auto } else { Enabled::No }
    }
}

/// Whether the scan of this version of wasmtime sees pages in swap. What is no version has none.
fn is_mended(version: &str) -> bool {
    let numbers: Option<Vec<u64>> = version.split('.').map(|number| number.parse().ok()).collect();
    numbers.is_some_and(|numbers| numbers.as_slice() >= MENDED.as_slice())
}

/// The swap that the system speaks of.
#[derive(Debug)]
struct Swap {
    /// The text of `/proc/swaps`; none where it cannot be read.
    areas: Option<String>,
    /// Bytes of swap that the control group of this process may use; none where no group says so.
    group: Option<Room>,
}

/// Swap that a control group may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Room {
    Bytes(u64),
    Unlimited,
}

impl Swap {
    fn of_this_machine() -> Self {
        let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self { areas: std::fs::read_to_string("/proc/swaps").ok(), group: room(Path::new("/sys/fs/cgroup"), &groups) }
    }

    /// Where a page could go; none when there is nowhere.
    ///
    /// A group without a limit gives nothing where there is no area. A group with a limit of some bytes was told to
    /// expect swap, which may be added at any time, so it counts.
    fn found(&self) -> Option<&'static str> {
        let Some(areas) = &self.areas else { return Some("/proc/swaps cannot be read") };
        // The first line is a heading.
        if areas.lines().skip(1).any(|line| !line.trim().is_empty()) {
            return Some("this machine has swap (/proc/swaps)");
        }
        match self.group {
            None | Some(Room::Bytes(0) | Room::Unlimited) => None,
            Some(Room::Bytes(_)) => Some("the control group of this process may use swap"),
        }
    }
}

/// The swap that the groups of a process may use: the least of what each level allows. `groups` is its
/// `/proc/self/cgroup`.
fn room(root: &Path, groups: &str) -> Option<Room> {
    let rooms = groups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, group) = (parts.next()?, parts.next()?, parts.next()?);
        if controllers.is_empty() {
            // Version 2; beside version 1 it is mounted in a folder of its own.
            return [root.to_owned(), root.join("unified")].iter().filter_map(|root| least(root, group, unified)).min();
        }
        let has_memory = controllers.split(',').any(|controller| controller == "memory");
        if has_memory { least(&root.join("memory"), group, legacy) } else { None }
    });
    rooms.min()
}

/// The least that the levels of a group allow, from its own folder to the root. Within a container the folder of the
/// group may not be there, and the root is the group's own.
fn least(root: &Path, group: &str, read: fn(&Path) -> Option<Room>) -> Option<Room> {
    let inside: PathBuf = Path::new(group).components().filter(|part| matches!(part, Component::Normal(_))).collect();
    inside.ancestors().filter_map(|level| read(&root.join(level))).min()
}

fn unified(folder: &Path) -> Option<Room> {
    let text = std::fs::read_to_string(folder.join("memory.swap.max")).ok()?;
    match text.trim() {
        "max" => Some(Room::Unlimited),
        bytes => bytes.parse().ok().map(Room::Bytes),
    }
}

/// Version 1 bounds memory, and memory and swap together.
fn legacy(folder: &Path) -> Option<Room> {
    let number = |name| std::fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
    let both = number("memory.memsw.limit_in_bytes")?;
    let memory = number("memory.limit_in_bytes")?;
    if both >= UNLIMITED { Some(Room::Unlimited) } else { Some(Room::Bytes(both.saturating_sub(memory))) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const HEADING: &str = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
    const AREA: &str = "/dev/sda2                               partition\t2097148\t\t0\t\t-2\n";

    fn swap(areas: Option<&str>, group: Option<Room>) -> Swap {
        Swap { areas: areas.map(str::to_owned), group }
    }

    #[test]
    fn pages_are_scanned_only_where_none_can_be_in_swap() {
        use PagemapScan::{Auto, Off, On};
        let none = || swap(Some(HEADING), None);
        let area = || swap(Some(&format!("{HEADING}{AREA}")), None);
        let group = |room| swap(Some(HEADING), Some(room));
        let both = || swap(Some(&format!("{HEADING}{AREA}")), Some(Room::Bytes(0)));
        #[rustfmt::skip]
        let rows = [
            // What the machine has, what is wished, which wasmtime, whether the kernel can; whether it is done.
            ("no swap",                      none(),                       Auto, "48.0.8", true,  true),
            ("no line at all",               swap(Some(""), None),         Auto, "48.0.8", true,  true),
            ("no word of it",                swap(None, None),             Auto, "48.0.8", true,  false),
            ("an area",                      area(),                       Auto, "48.0.8", true,  false),
            ("a group that may use none",    group(Room::Bytes(0)),        Auto, "48.0.8", true,  true),
            ("a group without a limit",      group(Room::Unlimited),       Auto, "48.0.8", true,  true),
            ("a group that may use some",    group(Room::Bytes(1 << 30)),  Auto, "48.0.8", true,  false),
            ("an area that is not ours",     both(),                       Auto, "48.0.8", true,  false),
            ("an older kernel",              none(),                       Auto, "48.0.8", false, false),
            ("a later patch of the line",    area(),                       Auto, "48.0.9", true,  false),
            ("the line after",               area(),                       Auto, "49.0.3", true,  false),
            ("the mend's own line, before",  area(),                       Auto, "50.0.0", true,  false),
            ("the mend",                     area(),                       Auto, "50.0.1", true,  true),
            ("after the mend",               area(),                       Auto, "51.0.0", true,  true),
            ("after the mend, older kernel", area(),                       Auto, "51.0.0", false, false),
            ("a version that is none",       area(),                       Auto, "next",   true,  false),
            ("an operator who knows",        area(),                       On,   "48.0.8", true,  true),
            ("who cannot help the kernel",   area(),                       On,   "48.0.8", false, false),
            ("an operator who is careful",   none(),                       Off,  "51.0.0", true,  false),
        ];
        for (what, swap, wish, version, available, scan) in rows {
            let decision = Decision::of(wish, available, version, &swap);
            assert_eq!(decision.scan, scan, "{what}: {decision}");
            assert!(!decision.why.is_empty());
        }
    }

    #[test]
    fn the_least_of_all_levels_of_a_group_counts() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let put = |file: &str, text: &str| {
            let file = root.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        put("a/memory.swap.max", "0\n");
        put("a/b/memory.swap.max", "max\n");
        put("c/memory.swap.max", "max\n");
        put("c/d/memory.swap.max", "1048576\n");
        put("unified/e/memory.swap.max", "4096\n");
        put("memory/same/memory.limit_in_bytes", "1048576\n");
        put("memory/same/memory.memsw.limit_in_bytes", "1048576\n");
        put("memory/more/memory.limit_in_bytes", "1048576\n");
        put("memory/more/memory.memsw.limit_in_bytes", "3145728\n");
        put("memory/free/memory.limit_in_bytes", "1048576\n");
        put("memory/free/memory.memsw.limit_in_bytes", "9223372036854771712\n");
        put("memory/uncounted/memory.limit_in_bytes", "1048576\n");
        put("f/memory.swap.max", "much\n");
        #[rustfmt::skip]
        let rows = [
            ("0::/a/b\n",                      Some(Room::Bytes(0))),
            ("0::/a\n",                        Some(Room::Bytes(0))),
            ("0::/c\n",                        Some(Room::Unlimited)),
            ("0::/c/d\n",                      Some(Room::Bytes(1 << 20))),
            ("0::/c/d/no/such\n",              Some(Room::Bytes(1 << 20))),
            ("0::/e\n",                        Some(Room::Bytes(4_096))),
            ("0::/\n",                         None),
            ("0::/../../a\n",                  Some(Room::Bytes(0))),
            ("0::/f\n",                        None),
            ("4:memory:/same\n0::/\n",         Some(Room::Bytes(0))),
            ("4:cpu,memory:/more\n",           Some(Room::Bytes(2 << 20))),
            ("4:memory:/free\n0::/c\n",        Some(Room::Unlimited)),
            ("4:memory:/free\n0::/c/d\n",      Some(Room::Bytes(1 << 20))),
            ("4:memory:/uncounted\n",          None),
            ("1:name=systemd:/a\n",            None),
            ("no line of a group\n\n",         None),
            ("",                               None),
        ];
        for (groups, expected) in rows {
            assert_eq!(room(root, groups), expected, "{groups}");
        }
    }

    /// The machine's own files are read without a fault.
    #[test]
    fn this_machine_is_decided_for() {
        let decision = Decision::new(PagemapScan::Off);
        assert!(!decision.scan);
        assert!(Decision::new(PagemapScan::Auto).to_string().contains("page map"));
    }
}
