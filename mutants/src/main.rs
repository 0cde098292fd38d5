//! Breaks the code one place at a time and looks whether a test notices: `.ci/mutants` says how it is started.
//!
//! All mutants are compiled at once. At each place the copied source asks `crate::mutant(number)`, which is true for the number in the
//! variable `MUTANT`, so that a mutant costs a run of the tests and no build. A mutant that does not compile is left out. `TESTS` is a filter
//! of the tests.

mod places;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use places::{Mutant, mutants_of};

/// Longer than the tests take; a mutant that makes them hang is noticed, too.
const LIMIT: Duration = Duration::from_secs(120);

/// What the copied crate gets in addition: the question that every mutant asks.
const QUESTION: &str = "
/// Whether this mutant is the one that is tried.
pub(crate) fn mutant(number: u32) -> bool {
    static TRIED: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    *TRIED.get_or_init(|| std::env::var(\"MUTANT\").ok().and_then(|tried| tried.parse().ok()).unwrap_or_default()) == number
}
";

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |what: &str| arguments.next().with_context(|| format!("{what} is missing"));
    let tree = PathBuf::from(next("the copied tree")?);
    let library = PathBuf::from(next("the file of the library")?);
    let explained = explained(&PathBuf::from(next("the file of the explained mutants")?))?;
    let (build, files) = split(arguments.collect(), "--files");
    ensure!(!files.is_empty(), "--files is missing");

    let sources: BTreeMap<&String, String> = files
        .iter()
        .map(|file| Ok((file, std::fs::read_to_string(tree.join(file)).with_context(|| file.clone())?)))
        .collect::<anyhow::Result<_>>()?;
    let mut mutants: Vec<(&String, Mutant)> = Vec::new();
    for (file, source) in &sources {
        mutants.extend(mutants_of(source)?.into_iter().map(|mutant| (*file, mutant)));
    }
    let library_file = tree.join(&library);
    let mut text = std::fs::read_to_string(&library_file)?;
    text.push_str(QUESTION);
    std::fs::write(&library_file, text)?;

    let programs = compiled(&tree, &build, &sources, &mut mutants)?;
    ensure!(passes(&tree, &programs, 0)?, "the tests fail without a mutant");
    let (mut survivors, mut caught) = (BTreeSet::new(), 0);
    let keys = keys(&mutants);
    for (number, key) in (1..).zip(&keys) {
        if passes(&tree, &programs, number)? {
            println!("{} {key}", if explained.contains_key(key) { "explained" } else { "SURVIVES" });
            survivors.insert(key.clone());
        } else {
            caught += 1;
        }
    }
    let unexplained = survivors.iter().filter(|key| !explained.contains_key(*key)).count();
    println!(
        "{} mutants in {} files: {caught} noticed, {} explained, {unexplained} survive",
        keys.len(),
        files.len(),
        survivors.len() - unexplained
    );
    let files: BTreeSet<&str> = files.iter().map(String::as_str).collect();
    let of_these = explained.keys().filter(|key| key.split(": ").next().is_some_and(|file| files.contains(file)));
    for stale in of_these.filter(|key| !survivors.contains(*key)) {
        println!("no survivor, but explained: {stale}");
    }
    ensure!(unexplained == 0, "write a test for each that survives, or its reason into the file of the explained");
    Ok(())
}

fn split(arguments: Vec<String>, at: &str) -> (Vec<String>, Vec<String>) {
    let mut parts = arguments.splitn(2, |argument| argument == at).map(<[String]>::to_vec);
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

/// The explained mutants: a line with the name of one, and below it its reason, indented.
fn explained(file: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let mut explained: BTreeMap<String, String> = BTreeMap::new();
    let mut last = None;
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        match line.strip_prefix("    ") {
            Some(reason) => {
                let key: &String = last.as_ref().context("a reason without a mutant")?;
                explained.entry(key.clone()).or_default().push_str(reason.trim());
            }
            None => last = Some(line.to_owned()),
        }
    }
    ensure!(explained.values().all(|reason| !reason.is_empty()), "an explained mutant has no reason");
    Ok(explained)
}

/// The names of mutants: file, function and change, counted where they are the same. They stay the same when lines move.
fn keys(mutants: &[(&String, Mutant)]) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let names = mutants.iter().map(|(file, mutant)| {
        let key = format!("{file}: {}: {}", mutant.function, mutant.change);
        let count = seen.entry(key.clone()).or_default();
        *count += 1;
        if *count == 1 { key } else { format!("{key} ({count})") }
    });
    names.collect()
}

/// Writes the mutants into the tree and compiles it, leaving out those that do not compile. Returns the programs of the tests.
fn compiled(
    tree: &Path,
    build: &[String],
    sources: &BTreeMap<&String, String>,
    mutants: &mut Vec<(&String, Mutant)>,
) -> anyhow::Result<Vec<PathBuf>> {
    for _ in 0..12 {
        let mut spans = Vec::new();
        for (file, source) in sources {
            let numbered = (1_u32..).zip(mutants.iter()).enumerate().filter(|(_, (_, (of, _)))| of == file);
            let numbered: Vec<_> = numbered.map(|(index, (number, (_, mutant)))| (index, number, mutant)).collect();
            let (text, own) = places::written(source, &numbered);
            std::fs::write(tree.join(file), text)?;
            spans.extend(own.into_iter().map(|(index, range)| ((*file).clone(), index, range)));
        }
        let mut cargo = Command::new("cargo");
        cargo.current_dir(tree).args(build).args(["--no-run", "--message-format", "json"]).stderr(Stdio::inherit());
        let output = cargo.output()?;
        let messages: Vec<Value> =
            String::from_utf8(output.stdout)?.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        if output.status.success() {
            let programs = messages.iter().filter(|message| message["profile"]["test"] == true);
            return Ok(programs.filter_map(|message| message["executable"].as_str()).map(PathBuf::from).collect());
        }
        let mut broken = BTreeSet::new();
        for span in messages
            .iter()
            .filter(|message| message["message"]["level"] == "error")
            .filter_map(|message| message["message"]["spans"].as_array())
            .flatten()
        {
            let (Some(file), Some(at)) = (span["file_name"].as_str(), span["byte_start"].as_u64()) else { continue };
            let at = usize::try_from(at)?;
            let around = spans.iter().filter(|(of, _, range)| file.ends_with(of.as_str()) && range.contains(&at));
            // The innermost.
            broken.extend(around.min_by_key(|(_, _, range)| range.len()).map(|(_, index, _)| *index));
        }
        if broken.is_empty() {
            for message in &messages {
                eprint!("{}", message["message"]["rendered"].as_str().unwrap_or_default());
            }
            bail!("the tree does not compile, and no mutant is the reason");
        }
        let mut index = 0;
        mutants.retain(|_| {
            index += 1;
            !broken.contains(&(index - 1))
        });
    }
    bail!("after twelve builds there are still mutants that do not compile")
}

/// Whether all tests pass with a mutant; 0 is none.
fn passes(tree: &Path, programs: &[PathBuf], mutant: u32) -> anyhow::Result<bool> {
    for program in programs {
        let mut tests = Command::new(program);
        tests.args(std::env::var("TESTS").ok());
        tests.env("MUTANT", mutant.to_string()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut tests = tests.current_dir(tree).spawn()?;
        let began = Instant::now();
        let status = loop {
            if let Some(status) = tests.try_wait()? {
                break Some(status);
            }
            if began.elapsed() > LIMIT {
                tests.kill()?;
                tests.wait()?;
                break None;
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        if !status.is_some_and(|status| status.success()) {
            return Ok(false);
        }
    }
    Ok(true)
}
