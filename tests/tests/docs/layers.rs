//! The layers of the crates under `host/`, read from the paths that their files name.
//!
//! A path is followed through re-exports to the file that defines the item. Tests inside of a crate may use what they
//! like.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, Spacing, Span, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, Macro, UseTree};
use taskcell_test_support::provision::repository;

/// The top modules of the library, the lowest layer first. A module imports only modules of lower layers; the modules
/// of one layer know nothing of one another.
const LAYERS: &[&[&str]] = &[
    &["protocol", "text"],
    &["support"],
    &["telemetry", "validation"],
    &["error"],
    &["sandbox", "tasks"],
    &["grants"],
    &["handlers"],
    &["session"],
    &["mrtr"],
    &["watch"],
];

/// The crates whose files may not import one another in circles.
const WITHOUT_CIRCLES: &[&str] = &["host/cli", "host/gateway", "host/otel", "host/rmcp", "host/taskcell"];

/// The segments of a path.
type Segments = Vec<String>;

/// A module of a crate, which is a file.
#[derive(Default)]
struct Module {
    /// The file, from the repository.
    file: String,
    /// The items that it defines.
    items: BTreeSet<String>,
    /// The names that it takes from elsewhere, with the path of each from the root of the crate.
    names: BTreeMap<String, Segments>,
    /// The modules of which it takes all names.
    globs: Vec<Segments>,
    /// The paths within the crate that it names, with the line of each.
    paths: Vec<(usize, Segments)>,
}

/// A crate by its modules.
struct Crate(BTreeMap<Segments, Module>);

/// An import of a file by another.
struct Import<'a> {
    from: &'a [String],
    line: usize,
    path: &'a [String],
    /// The module that defines what is imported.
    to: &'a [String],
}

impl Crate {
    fn read(folder: &str) -> Self {
        let mut modules = BTreeMap::new();
        read_folder(&repository().join(folder).join("src"), &mut Vec::new(), &mut modules);
        assert!(!modules.is_empty(), "{folder} has no source");
        Self(modules)
    }

    /// The module that defines an item, through re-exports.
    fn definer(&self, path: &[String], depth: usize) -> Option<&Segments> {
        let (mut at, mut rest) = self.0.get_key_value(&[] as &[String]).map(|(at, _)| at).zip(Some(path))?;
        while let Some((name, after)) = rest.split_first() {
            let child = [&at[..], std::slice::from_ref(name)].concat();
            if let Some((child, _)) = self.0.get_key_value(&child) {
                (at, rest) = (child, after);
                continue;
            }
            // A circle of re-exports is no Rust; a long chain is none of ours.
            let Some(module) = self.0.get(at).filter(|module| depth < 16 && !module.items.contains(name)) else {
                return Some(at);
            };
            let named = module.names.get(name).map(|target| [&target[..], after].concat());
            let globbed = || {
                let defines = |glob: &&Segments| {
                    let found = self.definer(glob, depth + 1).and_then(|found| self.0.get(found));
                    found.is_some_and(|found| found.items.contains(name) || found.names.contains_key(name))
                };
                module.globs.iter().find(defines).map(|glob| [&glob[..], rest].concat())
            };
            return match named.or_else(globbed) {
                Some(target) if target != path => self.definer(&target, depth + 1),
                _ => Some(at),
            };
        }
        Some(at)
    }

    fn imports(&self) -> impl Iterator<Item = Import<'_>> {
        self.0.iter().flat_map(move |(from, module)| {
            module.paths.iter().map(move |(line, path)| {
                let to = self.definer(path, 0).unwrap_or(from);
                Import { from, line: *line, path, to }
            })
        })
    }

    /// Where an import stands, and what it is.
    fn place(&self, import: &Import<'_>) -> String {
        format!("{}:{}: `crate::{}`", self.0[import.from].file, import.line, import.path.join("::"))
    }

    /// Circles of files; a module and what is below it count as one.
    fn circles(&self) -> Vec<String> {
        let mut imports: BTreeMap<&[String], BTreeMap<&[String], String>> = BTreeMap::new();
        for import in self.imports() {
            if !import.from.starts_with(import.to) && !import.to.starts_with(import.from) {
                imports.entry(import.from).or_default().entry(import.to).or_insert_with(|| self.place(&import));
            }
        }
        let mut circles = Vec::new();
        for start in imports.keys() {
            // The shortest way back, through modules that come later in the order of names: so a circle is found once.
            let (mut came, mut next) = (BTreeMap::new(), VecDeque::from([*start]));
            while let Some(from) = next.pop_front() {
                for to in imports.get(from).into_iter().flat_map(BTreeMap::keys).filter(|to| *to >= start) {
                    if !came.contains_key(to) {
                        came.insert(*to, from);
                        next.push_back(to);
                    }
                }
            }
            let (mut lines, mut at) = (Vec::new(), *start);
            while let Some(from) = came.get(at) {
                lines.insert(0, imports[from][at].clone());
                at = from;
                if at == *start {
                    circles.push(lines.join("\n    "));
                    break;
                }
            }
        }
        circles
    }
}

fn read_folder(folder: &Path, module: &mut Segments, modules: &mut BTreeMap<Segments, Module>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let is_rust = path.extension().is_some_and(|extension| extension == "rs");
        let is_root = module.is_empty() && stem == "lib";
        // The root of a program is a crate of its own.
        if is_rust && !(module.is_empty() && stem == "main") {
            let named = if is_root || stem == "mod" { Vec::new() } else { vec![stem] };
            let at = [&module[..], &named].concat();
            modules.insert(at.clone(), read_file(&path, at));
        } else if path.is_dir() {
            module.push(stem);
            read_folder(&path, module, modules);
            module.pop();
        }
    }
}

fn read_file(path: &Path, at: Segments) -> Module {
    let file = syn::parse_file(&fs::read_to_string(path).unwrap()).unwrap();
    let module = Module { file: path.strip_prefix(repository()).unwrap().display().to_string(), ..Module::default() };
    let mut reader = Reader { inner: at.clone(), at, module };
    reader.visit_file(&file);
    reader.module
}

/// Reads what a file names.
struct Reader {
    /// The module that the file is.
    at: Segments,
    /// The module within the file that is being read.
    inner: Segments,
    module: Module,
}

impl Reader {
    /// A path as it is written, from the root of the crate; none where it leads out of the crate.
    fn path_from_root(&self, written: &[String]) -> Option<Segments> {
        let (first, rest) = written.split_first()?;
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some([&self.inner[..], rest].concat()),
            "super" => {
                let ups = written.iter().take_while(|name| *name == "super").count();
                let base = self.inner.len().checked_sub(ups)?;
                Some([&self.inner[..base], &written[ups..]].concat())
            }
            // A module below this one, or another crate, which is found nowhere.
            _ => Some([&self.inner[..], written].concat()),
        }
    }

    fn name(&mut self, written: &[String], span: Span) {
        if written.len() > 1
            && let Some(path) = self.path_from_root(written)
        {
            self.module.paths.push((span.start().line, path));
        }
    }

    fn tree(&mut self, tree: &UseTree, before: &mut Segments) {
        let binds = |reader: &mut Self, written: &[String], bound: String| {
            let is_inside = reader.at == reader.inner;
            if let (true, Some(path)) = (is_inside, reader.path_from_root(written)) {
                reader.module.names.insert(bound, path);
            }
        };
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.tree(&path.tree, before);
                before.pop();
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(tree, before)),
            UseTree::Glob(glob) => {
                self.name(before, glob.star_token.spans[0]);
                if let (true, Some(path)) = (self.at == self.inner, self.path_from_root(before)) {
                    self.module.globs.push(path);
                }
            }
            UseTree::Name(_) | UseTree::Rename(_) => {
                let (name, bound) = match tree {
                    UseTree::Rename(rename) => (&rename.ident, rename.rename.to_string()),
                    UseTree::Name(name) => (&name.ident, name.ident.to_string()),
                    _ => return,
                };
                let is_self = name == "self";
                let written = if is_self { before.clone() } else { [&before[..], &[name.to_string()]].concat() };
                let bound = if is_self && bound == "self" { before.last().cloned().unwrap_or_default() } else { bound };
                self.name(&written, name.span());
                binds(self, &written, bound);
            }
        }
    }

    /// The paths in the arguments of a macro, which only the macro can read as Rust.
    fn tokens(&mut self, tokens: TokenStream) {
        let (mut path, mut colons, mut span) = (Segments::new(), 0, Span::call_site());
        for token in tokens {
            match &token {
                TokenTree::Ident(ident) if colons == 2 && !path.is_empty() => path.push(ident.to_string()),
                TokenTree::Punct(punct) if punct.as_char() == ':' && !path.is_empty() => {
                    colons = if colons == 1 { 2 } else { usize::from(punct.spacing() == Spacing::Joint) };
                    continue;
                }
                _ => {
                    self.name(&std::mem::take(&mut path), span);
                    if let TokenTree::Ident(ident) = &token
                        && ["crate", "super", "self"].contains(&ident.to_string().as_str())
                    {
                        path.push(ident.to_string());
                        span = ident.span();
                    }
                }
            }
            colons = 0;
            if let TokenTree::Group(group) = &token
                && group.delimiter() != Delimiter::None
            {
                self.tokens(group.stream());
            }
        }
        self.name(&path, span);
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        let ident = match item {
            Item::Const(item) => Some(&item.ident),
            Item::Enum(item) => Some(&item.ident),
            Item::Fn(item) => Some(&item.sig.ident),
            Item::Macro(item) => item.ident.as_ref(),
            Item::Static(item) => Some(&item.ident),
            Item::Struct(item) => Some(&item.ident),
            Item::Trait(item) => Some(&item.ident),
            Item::Type(item) => Some(&item.ident),
            _ => None,
        };
        if let (true, Some(ident)) = (self.at == self.inner, ident) {
            self.module.items.insert(ident.to_string());
        }
        visit::visit_item(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if item.content.is_some() && !item.attrs.iter().any(is_test) {
            self.inner.push(item.ident.to_string());
            visit::visit_item_mod(self, item);
            self.inner.pop();
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.tree(&item.tree, &mut Vec::new());
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let written: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let first = path.segments.first().map(|first| &first.ident);
        if let Some(first) = first.filter(|first| ["crate", "super", "self"].iter().any(|word| first == word)) {
            self.name(&written, first.span());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast Macro) {
        self.tokens(item.tokens.clone());
        visit::visit_macro(self, item);
    }
}

fn is_test(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
}

/// No module of the library imports one of a later layer.
#[test]
fn the_library_keeps_its_layers() {
    let library = Crate::read("host/taskcell");
    let layer = |module: &str| LAYERS.iter().position(|layer| layer.contains(&module));
    let tops: BTreeSet<_> = library.0.keys().filter_map(|module| module.first()).collect();
    for top in &tops {
        assert!(
            layer(top).is_some(),
            "host/taskcell/src/{top} is in no layer: give it a place in LAYERS of {}",
            file!()
        );
    }
    assert_eq!(tops.len(), LAYERS.concat().len(), "LAYERS of {} has modules that the library has not", file!());
    let mut wrong = Vec::new();
    for import in library.imports() {
        let (Some(from), Some(to)) = (import.from.first(), import.to.first()) else { continue };
        if from != to && layer(to) >= layer(from) {
            wrong.push(format!("{} is of `{to}`, which `{from}` may not know", library.place(&import)));
        }
    }
    let order: Vec<_> = LAYERS.iter().map(|layer| layer.join(" and ")).collect();
    let order = order.join(", then ");
    assert!(wrong.is_empty(), "A module imports only what stands before it ({order}):\n{}", wrong.join("\n"));
}

/// No files import one another, but for a module and those below it.
#[test]
fn no_files_import_one_another_in_circles() {
    let mut found = Vec::new();
    for folder in WITHOUT_CIRCLES {
        let circles = Crate::read(folder).circles();
        found.extend(circles.iter().map(|circle| format!("a circle of {folder}:\n    {circle}")));
    }
    assert!(
        found.is_empty(),
        "Files import one another in circles; move what both need to a third:\n{}",
        found.join("\n")
    );
}
