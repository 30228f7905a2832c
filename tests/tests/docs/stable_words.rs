//! Words that others rely on, as `docs/versioning.md` promises. `tests/data/stable-words.toml` lists them, and each
//! test here holds one of its lists against the code.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use syn::visit::{self, Visit};
use taskcell::grants::{Quota, SqliteKeyValue};
use taskcell::tasks::SqliteStore;
use taskcell::telemetry::{METRICS, MetricType, SPANS};
use taskcell_test_support::cli;
use taskcell_test_support::provision::repository;
use wit_parser::Resolve;

use super::files::files;

const LIST: &str = "tests/data/stable-words.toml";

/// The words of one list.
fn listed(list: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(repository().join(LIST)).unwrap();
    let mut lists: BTreeMap<String, BTreeSet<String>> = toml::from_str(&text).unwrap();
    lists.remove(list).unwrap_or_else(|| panic!("{LIST} has no list {list}"))
}

/// Compares a list with what the code has.
fn hold<W: Into<String>>(list: &str, found: impl IntoIterator<Item = W>) {
    let (listed, found) = (listed(list), found.into_iter().map(Into::into).collect::<BTreeSet<_>>());
    let [gone, new] = [listed.difference(&found), found.difference(&listed)].map(Iterator::collect::<Vec<_>>);
    assert!(
        gone.is_empty() && new.is_empty(),
        "{list} of {LIST}\ngone, which breaks those who rely on it (docs/versioning.md): {gone:#?}\nnew, to be added: {new:#?}"
    );
}

/// String literals of code, tests left out.
#[derive(Default)]
struct Words {
    /// All literals.
    all: BTreeSet<String>,
    /// Literals that are kinds of errors for certain: in functions `kind`, and given to those of [`RAISES`].
    kinds: BTreeSet<String>,
    in_kind: bool,
}

/// Functions that take the kind of an error, and the place of that argument.
const RAISES: [(&str, usize); 4] =
    [("RpcError::internal", 0), ("RpcError::of_kind", 1), ("limit_hit::log", 0), ("limit_hit::count", 0)];

impl<'ast> Visit<'ast> for Words {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if module.ident != "tests" {
            visit::visit_item_mod(self, module);
        }
    }

    // Documentation is an attribute with a literal.
    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        let before = std::mem::replace(&mut self.in_kind, function.sig.ident == "kind");
        visit::visit_impl_item_fn(self, function);
        self.in_kind = before;
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        if let syn::Expr::Path(function) = &*call.func {
            let names: Vec<_> = function.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            let place = RAISES.iter().find(|(name, _)| *name == names.join("::")).map(|(_, place)| *place);
            if let Some(syn::Expr::Lit(argument)) = place.and_then(|place| call.args.iter().nth(place))
                && let syn::Lit::Str(word) = &argument.lit
            {
                self.kinds.insert(word.value());
            }
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_lit_str(&mut self, literal: &'ast syn::LitStr) {
        self.all.insert(literal.value());
        if self.in_kind {
            self.kinds.insert(literal.value());
        }
    }
}

/// Kinds of errors, with the page that explains them: those of a call to a server, and all others.
#[test]
fn error_kinds() {
    let [mut of_calls, mut others] = [Words::default(), Words::default()];
    let sources = ["host/taskcell/src", "host/taskcell/migrations", "host/cli/src/terminal"];
    for file in sources.iter().flat_map(|folder| files(&repository().join(folder), &["rs", "sql"])) {
        let text = fs::read_to_string(&file).unwrap();
        let words = if file.ends_with("mrtr/error.rs") { &mut of_calls } else { &mut others };
        match file.extension().is_some_and(|extension| extension == "rs") {
            true => words.visit_file(&syn::parse_file(&text).unwrap()),
            false => words.all.extend(text.split('"').map(str::to_owned)),
        }
    }
    for (list, words, page) in [("call-error-kinds", of_calls, "revisions.md"), ("error-kinds", others, "limits.md")] {
        let listed = listed(list);
        let new: Vec<_> = words.kinds.difference(&listed).collect();
        assert!(new.is_empty(), "{list} of {LIST} has no {new:#?}");
        let gone: Vec<_> = listed.difference(&words.all).collect();
        assert!(
            gone.is_empty(),
            "{list} of {LIST}: gone, which breaks those who rely on it (docs/versioning.md): {gone:#?}"
        );
        assert!(words.kinds.len() * 2 > listed.len(), "{list}: only {:?} were found", words.kinds);
        let text = fs::read_to_string(repository().join("docs").join(page)).unwrap();
        let unexplained: Vec<_> = listed.iter().filter(|kind| !text.contains(&format!("`{kind}`"))).collect();
        assert!(unexplained.is_empty(), "docs/{page} does not explain {unexplained:#?}");
    }
}

/// A metric with its type, its unit and its labels.
#[test]
fn metrics() {
    hold(
        "metrics",
        METRICS.iter().map(|metric| {
            let metric_type = match metric.metric_type {
                MetricType::Counter => "counter",
                MetricType::Gauge => "gauge",
                _ => "histogram",
            };
            format!("{} ({metric_type}, {}): {}", metric.name, metric.unit.as_str(), metric.labels.join(", "))
        }),
    );
}

/// A span with one of its fields.
#[test]
fn span_fields() {
    hold(
        "span-fields",
        SPANS.iter().flat_map(|span| span.fields.iter().map(|field| format!("{}: {field}", span.name))),
    );
}

/// Puts the pairs of a table where the table stands in a file.
type Place<'a> = &'a dyn Fn(&str) -> String;

/// Adds the keys of the table at a place, and of the tables in it. The error for an unknown key lists those that a
/// table takes.
fn keys(path: &str, place: Place<'_>, found: &mut BTreeSet<String>) {
    const ASKED: &str = "unknown field `no-such-key`, expected ";
    let Err(said) = taskcell_cli::fuzz_config(Path::new("taskcell.toml"), place("no-such-key = 1").as_bytes()) else {
        return;
    };
    let Some((_, expected)) = said.split_once(ASKED) else { return };
    for key in expected.split('`').skip(1).step_by(2) {
        let name = format!("{path}{key}");
        keys(&format!("{name}."), &|pairs| place(&format!("{key} = {{ {pairs} }}")), found);
        keys(&format!("{name}[]."), &|pairs| place(&format!("{key} = [{{ {pairs} }}]")), found);
        // A table whose keys are the user's.
        keys(&format!("{name}.*."), &|pairs| place(&format!("{key} = {{ any = {{ {pairs} }} }}")), found);
        found.insert(name);
    }
}

/// The keys of `taskcell.toml`, by the tables that they stand in.
#[test]
fn configuration_keys() {
    let mut found = BTreeSet::new();
    keys("", &str::to_owned, &mut found);
    hold("configuration-keys", found);
}

/// Exit codes, with a command that ends in each.
#[test]
fn exit_codes() {
    let commands: [(&str, &[&str]); 3] = [
        ("a good result", &["call", "ping"]),
        ("a result that is an error", &["call", "sampling/createMessage", "{}"]),
        ("could not run", &["call", "--handler", "/no-such-file", "ping"]),
    ];
    let ran = commands.map(|(what, arguments)| {
        let ran = cli::run(env!("CARGO_BIN_EXE_taskcell-cli"), arguments).unwrap();
        format!("{}: {what}", ran.code.unwrap())
    });
    hold("exit-codes", ran);
}

/// The columns of a fresh store of tasks and of a fresh file of keys and values, and the mark of each file.
#[tokio::test]
async fn store_columns() {
    let folder = tempfile::tempdir().unwrap();
    let [tasks, keyvalue] = ["tasks", "keyvalue"].map(|name| (name, folder.path().join(name)));
    SqliteStore::open(&tasks.1).await.unwrap().close().await;
    SqliteKeyValue::open(&keyvalue.1, "name", Quota::default()).await.unwrap().close().await;
    let mut found = Vec::new();
    for (name, path) in [tasks, keyvalue] {
        let mut file = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
        let columns = "SELECT tables.name, columns.name, columns.type FROM sqlite_master AS tables, \
                       pragma_table_info(tables.name) AS columns \
                       WHERE tables.type = 'table' AND tables.name NOT GLOB '_sqlx_*' AND tables.name NOT GLOB 'sqlite_*'";
        let columns: Vec<(String, String, String)> = sqlx::query_as(columns).fetch_all(&mut file).await.unwrap();
        found.extend(columns.into_iter().map(|(table, column, of)| format!("{name}: {table}.{column} {of}")));
        let mark: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut file).await.unwrap();
        found.push(format!("{name}: application_id {mark:#x}"));
        file.close().await.unwrap();
    }
    hold("store-columns", found);
}

/// The interfaces of the handler protocol, with their functions.
#[test]
fn wit_functions() {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(repository().join("wit")).unwrap();
    let package = &resolve.packages[package];
    let functions = package.interfaces.iter().flat_map(|(name, id)| {
        let functions = &resolve.interfaces[*id].functions;
        functions.keys().map(|function| format!("{name}.{function}")).collect::<Vec<_>>()
    });
    hold("wit-functions", functions.chain([package.name.to_string()]));
}

/// The environment variables that the program reads itself.
#[test]
fn environment_variables() {
    const OURS: [&str; 3] = ["TASKCELL_", "OTEL_", "NO_COLOR"];
    let mut found = BTreeSet::new();
    for file in ["host/cli/src", "host/otel/src"].iter().flat_map(|folder| files(&repository().join(folder), &["rs"])) {
        let text = fs::read_to_string(&file).unwrap();
        let words =
            text.split('"').filter(|word| word.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_'));
        found.extend(words.filter(|word| OURS.iter().any(|begin| word.starts_with(begin))).map(str::to_owned));
    }
    hold("environment-variables", found);
}
