//! The tour in the README is what the binary answers: its commands are run, and the answers
//! compared.
//!
//! `FOLDBACK_WRITE_TOUR=1` writes the answers into the README instead, and fails.

use std::path::{Path, PathBuf};

use crate::workplace::{Workplace, run};

/// The line that begins a block of the tour.
const BEGIN: &str = "```console";
/// The line that ends one.
const END: &str = "```";
/// Stands before the answer of each command.
const MARK: &str = "@@ answer\n";

/// A command of the tour, and what the README says that it answers.
#[derive(Debug, Default)]
struct Step {
    command: Vec<String>,
    answer: Vec<String>,
}

/// A piece of the README.
#[derive(Debug)]
enum Piece {
    Line(String),
    Step(Step),
}

#[test]
fn the_tour_is_what_the_binary_answers() {
    let readme = readme();
    let text = std::fs::read_to_string(&readme).expect("it can be read");
    let mut pieces = pieces(&text);
    let steps = || pieces.iter().filter_map(as_step);
    assert!(steps().count() > 10, "the README has a tour");
    let answers = answers(&steps().map(|step| step.command.join("\n")).collect::<Vec<_>>());
    let wrong: Vec<_> = steps().zip(&answers).filter_map(difference).collect();
    if std::env::var_os("FOLDBACK_WRITE_TOUR").is_some() {
        let mut answers = answers.into_iter();
        for step in pieces.iter_mut().filter_map(as_step_mut) {
            step.answer = answers.next().expect("each command has an answer");
        }
        std::fs::write(&readme, shown(&pieces)).expect("it can be written");
        panic!("the answers were written into {}: read them", readme.display());
    }
    assert!(wrong.is_empty(), "{} answers differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn readme() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("README.md")
}

fn as_step(piece: &Piece) -> Option<&Step> {
    match piece {
        Piece::Step(step) => Some(step),
        Piece::Line(_) => None,
    }
}

fn as_step_mut(piece: &mut Piece) -> Option<&mut Step> {
    match piece {
        Piece::Step(step) => Some(step),
        Piece::Line(_) => None,
    }
}

/// Commands begin with `$ `, and go on in lines that begin with `> `; what follows is the answer.
fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut in_tour = false;
    for line in text.lines() {
        match (in_tour, pieces.last_mut()) {
            (true, _) if line.starts_with("$ ") => {
                let command = vec![line[2..].to_owned()];
                pieces.push(Piece::Step(Step { command, answer: Vec::new() }));
            }
            (true, Some(Piece::Step(step))) if line != END => match line.strip_prefix("> ") {
                Some(more) => step.command.push(more.to_owned()),
                None => step.answer.push(line.to_owned()),
            },
            _ => {
                in_tour = line == BEGIN;
                pieces.push(Piece::Line(line.to_owned()));
            }
        }
    }
    pieces
}

fn shown(pieces: &[Piece]) -> String {
    let mut text = String::new();
    let mut push = |start: &str, line: &str| {
        text.push_str(start);
        text.push_str(line);
        text.push('\n');
    };
    for piece in pieces {
        match piece {
            Piece::Line(line) => push("", line),
            Piece::Step(Step { command, answer }) => {
                push("$ ", &command[0]);
                command[1..].iter().for_each(|line| push("> ", line));
                answer.iter().for_each(|line| push("", line));
            }
        }
    }
    text
}

/// What the commands answer, one after the other, in one shell.
fn answers(commands: &[String]) -> Vec<Vec<String>> {
    let place = Workplace::new();
    // However slow the machine is, only what is told to be sealed is.
    place.write("foldback.toml", "[engine]\nsegment_age_max_secs = 86400\n");
    let mut script = "exec 2>&1\n".to_owned();
    for command in commands {
        script.push_str(&format!("printf '{MARK}'\n{command}\n"));
    }
    let binary = Path::new(env!("CARGO_BIN_EXE_foldback")).parent().expect("it is in a directory");
    let mut paths = vec![binary.to_owned()];
    paths.extend(std::env::split_paths(&std::env::var_os("PATH").expect("it is set")));
    let file = place.write("tour.sh", script);
    let mut shell = place.program("sh", &[&file]);
    shell.env("PATH", std::env::join_paths(paths).expect("no path has a colon"));
    let answer = run(&mut shell);
    let told = answer.text().split(MARK).skip(1);
    told.map(|answer| answer.lines().map(str::to_owned).collect()).collect()
}

/// Where an answer is not what the README says, but for what differs from run to run.
fn difference((step, answer): (&Step, &Vec<String>)) -> Option<String> {
    let told: Vec<_> = step.answer.iter().map(|line| steady(line)).collect();
    let given: Vec<_> = answer.iter().map(|line| steady(line)).collect();
    let command = step.command.join("\n");
    (told != given).then(|| {
        format!("$ {command}\nthe README says:\n{}\nit was:\n{}", told.join("\n"), given.join("\n"))
    })
}

/// A line without what differs from run to run: instants, times, sizes in bytes, random names, and
/// how wide a column is.
fn steady(line: &str) -> String {
    let line = line.replace(['─', '═'], "");
    let words: Vec<_> = line.split_whitespace().collect();
    let mut steady = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let unit = words.get(at + 1).map_or("", |next| next.trim_end_matches([',', ';', '.', ')']));
        let is_measured = ["B", "KiB", "MiB", "µs", "ms", "s", "min"].contains(&unit);
        let varies = is_measured && word.starts_with(|c: char| c.is_ascii_digit());
        steady.push(if varies { "…".to_owned() } else { without_names(word) });
    }
    steady.join(" ")
}

/// A word without an instant or a random name, which have digits and are long.
fn without_names(word: &str) -> String {
    const LENGTH_MIN: usize = 16;
    let digits = word.chars().filter(char::is_ascii_digit).count();
    match word.len() >= LENGTH_MIN && digits >= LENGTH_MIN / 2 {
        true => "…".to_owned(),
        false => word.to_owned(),
    }
}
