//! `docs/pitfalls.md` and the tests named in it say the same.
//!
//! A test carries the numbers that it proves in its name. The page's last column lists them, and is written anew by
//! `UPDATE=1`.
#![cfg(test)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// What a row says in the place of tests where the feature that could fail does not exist.
const NOT_BUILT: &str = "not built yet";

/// A row of the page.
#[derive(Debug)]
struct Row {
    number: u32,
    /// The cells between the number and the tests.
    told: Vec<String>,
    tests: BTreeSet<String>,
}

impl Row {
    fn read(line: &str) -> Option<Self> {
        let cells: Vec<&str> = line.strip_prefix("| ")?.strip_suffix('|')?.split('|').map(str::trim).collect();
        let (number, rest) = cells.split_first()?;
        let (tests, told) = rest.split_last()?;
        let tests = tests.split("<br>").filter_map(|test| test.trim().strip_prefix('`')?.strip_suffix('`'));
        Some(Self {
            number: number.parse().ok()?,
            told: told.iter().map(|cell| (*cell).to_owned()).collect(),
            tests: tests.map(str::to_owned).collect(),
        })
    }

    fn write(&self, tests: &BTreeSet<String>) -> String {
        let tests: Vec<String> = tests.iter().map(|test| format!("`{test}`")).collect();
        format!("| {} | {} | {} |", self.number, self.told.join(" | "), tests.join("<br>"))
    }

    fn is_built(&self) -> bool {
        !self.told.iter().any(|cell| cell.starts_with(NOT_BUILT))
    }
}

#[test]
fn the_page_names_every_test_and_every_test_exists() {
    let path = root().join("docs/pitfalls.md");
    let page = fs::read_to_string(&path).expect("the page must be readable");
    let named = named();
    let of = |row: &Row| named.get(&row.number).cloned().unwrap_or_default();
    if std::env::var_os("UPDATE").is_some() {
        let lines =
            page.lines().map(|line| Row::read(line).map_or_else(|| line.to_owned(), |row| row.write(&of(&row))));
        let page: String = lines.map(|line| line + "\n").collect();
        fs::write(&path, page).expect("the page can be written");
        return;
    }
    let rows: Vec<Row> = page.lines().filter_map(Row::read).collect();
    for row in &rows {
        let found = of(row);
        let (gone, new): (Vec<_>, Vec<_>) =
            (row.tests.difference(&found).collect(), found.difference(&row.tests).collect());
        let number = row.number;
        assert!(gone.is_empty(), "row {number} of docs/pitfalls.md names tests that are not there: {gone:?}; UPDATE=1");
        assert!(new.is_empty(), "row {number} of docs/pitfalls.md must name {new:?}; UPDATE=1 writes it");
        assert_eq!(row.is_built(), !row.tests.is_empty(), "row {number} has tests, or says `{NOT_BUILT}`");
    }
    let numbers: Vec<u32> = rows.iter().map(|row| row.number).collect();
    let last = numbers.len().try_into().expect("the page is not that long");
    assert_eq!(numbers, (1..=last).collect::<Vec<u32>>(), "numbers go on without gaps");
    let unknown: Vec<_> = named.keys().filter(|number| !(1..=last).contains(*number)).collect();
    assert!(unknown.is_empty(), "tests name pitfalls that have no row: {unknown:?}");
}

#[test]
fn names_tell_their_numbers() {
    for (name, expected) in [
        ("pitfall_04_an_error_line_is_an_error", &[4][..]),
        ("pitfall_5_and_6_a_failure", &[5, 6]),
        ("pitfall_35_blank_stops_and_pitfall_64_blank_texts", &[35, 64]),
        ("pitfalls_are_many", &[]),
        ("test_pitfall_1_and_22_and_333_x", &[1, 22, 333]),
    ] {
        assert_eq!(numbers_in(name), expected, "{name}");
    }
}

/// The tests by the numbers in their names.
fn named() -> BTreeMap<u32, BTreeSet<String>> {
    let mut named: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    for folder in ["config/src", "filters/src", "filters/tests", "layers/src", "layers/tests", "src", "tests"] {
        for file in sources(&root().join(folder)) {
            let text = fs::read_to_string(&file).expect("a source must be readable");
            for test in text.lines().filter_map(test_of) {
                for number in numbers_in(test) {
                    named.entry(number).or_default().insert(test.to_owned());
                }
            }
        }
    }
    named
}

/// The function that a line begins.
fn test_of(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let rest = ["fn ", "async fn ", "def ", "async def "].iter().find_map(|word| line.strip_prefix(word))?;
    rest.split('(').next()
}

/// The numbers in the name of a test: those behind `pitfall_`, joined by `_and_`.
fn numbers_in(name: &str) -> Vec<u32> {
    let mut numbers = Vec::new();
    for mut rest in name.split("pitfall_").skip(1) {
        while let Some(end) = rest.find(|c: char| !c.is_ascii_digit()).or(Some(rest.len())).filter(|end| *end > 0) {
            let (number, behind) = rest.split_at(end);
            numbers.push(number.parse().expect("a number of a pitfall is small"));
            rest = behind.strip_prefix("_and_").unwrap_or_default();
        }
    }
    numbers
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The sources of tests under a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of sources must be readable") {
        let path = entry.expect("a folder of sources must be readable").path();
        if path.is_dir() && !path.ends_with("node_modules") {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|own| own == "rs" || own == "py") {
            files.push(path);
        }
    }
    files
}
