//! Name of a new project: the name of its folder, in the form that package managers accept.

use std::path::Path;

use super::Language;

/// Placeholder for the name of the project in templates. Package managers accept it as a name, so their tools can read
/// the templates.
const PLACEHOLDER: &str = "project-name";
/// Name for a folder without an ASCII letter or digit in its name.
const UNNAMED: &str = "handler";
/// Maximum number of characters of a name: the registry of crates accepts 64, the registry of npm 214.
const MAX_NAME: usize = 64;

/// Returns the name of a project of this language in a folder: in lower case, with a hyphen for each other character.
pub(crate) fn of(language: &Language, dir: &Path) -> String {
    let folder = std::path::absolute(dir).unwrap_or_else(|_| dir.to_path_buf());
    let folder = folder.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let words = folder.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name: String = words.collect::<Vec<_>>().join("-").chars().take(MAX_NAME).collect();
    let name = name.trim_end_matches('-');
    match name.chars().next() {
        None => UNNAMED.to_owned(),
        // No package name begins with a digit, and no package may have the name of one of its dependencies.
        Some(first) if first.is_ascii_digit() || is_dependency(language, name) => format!("{UNNAMED}-{name}"),
        Some(_) => name.to_owned(),
    }
}

/// Fills the name of the project into a template.
pub(crate) fn fill(template: &str, name: &str) -> String {
    let text = template.replace(PLACEHOLDER, name);
    if template.contains("\n[[package]]\n") { sorted(&text) } else { text }
}

/// Whether a lock file of the language has a package with this name.
fn is_dependency(language: &Language, name: &str) -> bool {
    let ways = [format!("name = \"{name}\""), format!("node_modules/{name}\"")];
    language.files.iter().any(|(_, text)| ways.iter().any(|way| text.contains(way)))
}

/// Sorts the packages of a `Cargo.lock` by name, as cargo does. With `--locked` cargo refuses any other order.
fn sorted(lock: &str) -> String {
    const PACKAGE: &str = "[[package]]\n";
    let mut parts = lock.split(PACKAGE).map(str::trim_end);
    let head = parts.next().unwrap_or_default();
    let mut packages: Vec<_> = parts.collect();
    packages.sort_unstable_by_key(|package| package.lines().next().unwrap_or_default());
    let packages = packages.iter().map(|package| format!("\n\n{PACKAGE}{package}"));
    format!("{head}{}\n", packages.collect::<String>())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_project_is_called_like_its_folder() {
        for (language, folder, name) in [
            ("rust", "greeter", "greeter"),
            ("rust", "/tmp/x/My Handler", "my-handler"),
            ("rust", "a/../b_c", "b-c"),
            ("go", "ünï cödé", "n-c-d"),
            ("rust", "日本", "handler"),
            ("rust", "/", "handler"),
            ("javascript", "2nd", "handler-2nd"),
            ("rust", "wit-bindgen", "handler-wit-bindgen"),
            ("javascript", "wit-bindgen", "wit-bindgen"),
            ("javascript", "componentize-qjs", "handler-componentize-qjs"),
            ("python", "--x--", "x"),
        ] {
            assert_eq!(of(Language::named(language).unwrap(), Path::new(folder)), name, "{folder}");
        }
        let long = of(Language::named("rust").unwrap(), Path::new(&"ab ".repeat(100)));
        assert!(long.len() <= MAX_NAME && !long.ends_with('-'), "{long}");
    }

    #[test]
    fn a_lock_file_stays_in_the_order_of_cargo() {
        let rust = Language::named("rust").unwrap();
        let (_, lock) = rust.files.iter().find(|(path, _)| *path == "Cargo.lock").unwrap();
        for name in ["aaa", "middle", "zzz"] {
            let filled = fill(lock, name);
            let names: Vec<_> = filled.lines().filter_map(|line| line.strip_prefix("name = ")).collect();
            assert!(names.is_sorted() && names.contains(&format!("{name:?}").as_str()), "{names:?}");
            assert_eq!(filled.lines().count(), lock.lines().count());
            assert!(filled.starts_with("# This file") && !filled.ends_with("\n\n"), "{filled}");
        }
    }
}
