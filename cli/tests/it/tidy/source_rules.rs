//! Rules for one Rust file at a time.

use super::finding::Finding;
use super::source::{SourceFile, SourceLine};

pub(crate) const FILE_LINES_MAX: usize = 500;
pub(crate) const FUNCTION_LINES_MAX: usize = 70;
const LINE_CHARACTERS_MAX: usize = 100;

/// All rules of this file.
pub(crate) fn check(file: &SourceFile) -> Vec<Finding> {
    let mut findings = starts_with_a_sentence(file);
    findings.extend(is_not_too_long(file));
    findings.extend(functions_fit_a_screen(file));
    findings.extend(is_not_mod_rs(file));
    findings.extend(tests_live_in_their_own_file(file));
    for (line, content) in file.numbered_lines() {
        let advice = [
            forbidden_code(file, content),
            stub(content),
            commented_out_code(content),
            wide_comment(content),
        ];
        findings
            .extend(advice.into_iter().flatten().map(|say| Finding::new(&file.path, line, say)));
    }
    findings
}

/// The header tells which one idea the file holds. Unit tests are told by the file beside them.
fn starts_with_a_sentence(file: &SourceFile) -> Vec<Finding> {
    let header: Vec<_> =
        file.lines.iter().map_while(|line| line.comment.strip_prefix("//!")).collect();
    let first_paragraph = header.split(|line| line.is_empty()).next().unwrap_or_default().join("");
    let is_sentence = first_paragraph.split_whitespace().count() >= 3
        && first_paragraph.trim_end().ends_with(['.', ':', '?']);
    if is_sentence || file.path.ends_with("/tests.rs") {
        return Vec::new();
    }
    let advice = "start the file with a `//!` sentence that says which one idea it holds";
    vec![Finding::new(&file.path, 1, advice)]
}

fn is_not_too_long(file: &SourceFile) -> Vec<Finding> {
    let lines = file.lines.len();
    if lines <= FILE_LINES_MAX {
        return Vec::new();
    }
    let advice = format!("{lines} lines, at most {FILE_LINES_MAX}: split the two ideas apart");
    vec![Finding::new(&file.path, FILE_LINES_MAX + 1, advice)]
}

fn functions_fit_a_screen(file: &SourceFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    for function in file.functions() {
        let lines = function.last_line - function.first_line + 1;
        if lines > FUNCTION_LINES_MAX {
            let name = function.name;
            let advice =
                format!("`{name}` has {lines} lines, at most {FUNCTION_LINES_MAX}: split it");
            findings.push(Finding::new(&file.path, function.first_line, advice));
        }
    }
    findings
}

fn is_not_mod_rs(file: &SourceFile) -> Vec<Finding> {
    if !format!("/{}", file.path).ends_with("/mod.rs") {
        return Vec::new();
    }
    vec![Finding::new(&file.path, 1, "move foo/mod.rs to foo.rs beside foo/")]
}

/// Code must not behave differently under test: `cfg(test)` may only guard a module in a file of
/// its own, or help for tests that a `testing` feature gives to other crates too.
fn tests_live_in_their_own_file(file: &SourceFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, content) in file.lines.iter().enumerate() {
        let code = content.code.replace(' ', "");
        let names_test = code.contains("cfg!(test)")
            || code.contains("cfg(test")
            || code.contains("cfg(not(test")
            || code.contains("cfg_attr(test")
            || code.contains("cfg_attr(not(test");
        let next = file.lines[index + 1..].iter().map(|line| line.code.trim());
        let mut attributed = next.filter(|code| !code.is_empty() && !code.starts_with("#["));
        let module = attributed.next().unwrap_or_default();
        let guards_a_module =
            code == "#[cfg(test)]" && module.contains("mod ") && module.ends_with(';');
        if names_test && !guards_a_module {
            let advice = "`cfg(test)` may only guard `mod tests;` in a file of its own; help for tests \
                          goes behind the `testing` feature";
            findings.push(Finding::new(&file.path, index + 1, advice));
        }
    }
    findings
}

fn forbidden_code(file: &SourceFile, line: &SourceLine) -> Option<&'static str> {
    let code = line.code.replace(' ', "");
    let is_attribute = code.starts_with("#[") || code.starts_with("#![");
    if is_attribute && code.contains("allow(") {
        Some("use `#[expect(lint, reason = \"...\")]`, which ends when its reason does")
    } else if code.contains("#[ignore") {
        Some("run the test or delete it; what takes long goes behind FOLDBACK_LONG")
    } else if code.starts_with("#[path") || code.starts_with("#[macro_use") {
        Some("name the file after its module, and the item by its path")
    } else if code.contains("macro_rules!") {
        Some("write a function: this code base has no macros of its own")
    } else if file.is_library_code()
        && ["print!(", "println!("].iter().any(|call| code.contains(call))
    {
        Some("a library does not print: return it, or use `tracing`")
    } else {
        None
    }
}

fn stub(line: &SourceLine) -> Option<&'static str> {
    let marks = ["TODO", "FIXME", "XXX", "HACK"];
    let calls = ["todo!", "unimplemented!"];
    let found =
        marks.iter().any(|mark| has_word(&line.comment, mark) || has_word(&line.code, mark))
            || calls.iter().any(|call| line.code.contains(call));
    found.then_some("finish it, or file an issue: no stubs and no notes to oneself in the source")
}

/// A heuristic: prose does not end with a brace or a semicolon. Documentation may show code.
fn commented_out_code(line: &SourceLine) -> Option<&'static str> {
    let comment = line.comment.trim_end();
    let is_documentation =
        ["///", "//!", "/**", "/*!"].iter().any(|start| comment.starts_with(start));
    let looks_like_code = [';', '{', '}'].iter().any(|end| comment.ends_with(*end));
    (looks_like_code && !is_documentation)
        .then_some("delete code that is commented out; end a line of prose on a word")
}

/// Code is held to its width by rustfmt, which leaves comments alone. A link can't be broken.
fn wide_comment(line: &SourceLine) -> Option<&'static str> {
    let characters = line.code.chars().count() + line.comment.chars().count();
    let is_wide = characters > LINE_CHARACTERS_MAX;
    (is_wide && !line.comment.is_empty() && !line.comment.contains("://"))
        .then_some("wrap the comment at 100 characters")
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|character: char| !character.is_alphanumeric() && character != '_')
        .any(|found| found == word)
}
