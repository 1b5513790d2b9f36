//! A scanner that knows enough of Rust to tell code, comments and strings apart, to find functions
//! and to find module declarations.

/// One line, split. The content of strings and characters is in neither part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SourceLine {
    pub(crate) code: String,
    /// With the slashes that start it.
    pub(crate) comment: String,
}

/// A name or a number, or one character of punctuation, with its line counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// A function with a body, from the line of its `fn` to the line of its last brace.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) first_line: usize,
    pub(crate) last_line: usize,
}

/// A Rust file.
#[derive(Debug)]
pub(crate) struct SourceFile {
    pub(crate) path: String,
    pub(crate) lines: Vec<SourceLine>,
    pub(crate) tokens: Vec<Token>,
}

/// What the scanner is inside of.
enum Inside {
    Code,
    LineComment,
    BlockComment { depth: usize },
    Text,
    RawText { hashes: usize },
}

impl SourceFile {
    /// Splits `text` into code and comments.
    pub(crate) fn scan(path: &str, text: &str) -> Self {
        let lines = Scanner::new(text).run();
        let tokens = tokens(&lines);
        Self { path: path.to_string(), lines, tokens }
    }

    /// The lines with their numbers, counted from 1.
    pub(crate) fn numbered_lines(&self) -> impl Iterator<Item = (usize, &SourceLine)> {
        self.lines.iter().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// Whether this is test code: unit tests in `foo/tests.rs` or below `foo/tests/`, integration
    /// tests or benches.
    pub(crate) fn is_test_code(&self) -> bool {
        let path = &self.path;
        path.ends_with("/tests.rs") || path.contains("/tests/") || path.contains("/benches/")
    }

    /// Whether this is code of a library, which has seams and does not print.
    pub(crate) fn is_library_code(&self) -> bool {
        let libraries = ["log-tier/src/", "compactor/src/", "engine/src/"];
        !self.is_test_code() && libraries.iter().any(|start| self.path.starts_with(start))
    }

    /// The modules that this file declares and does not itself contain.
    pub(crate) fn declared_modules(&self) -> impl Iterator<Item = &str> {
        self.tokens.windows(3).filter_map(|window| match window {
            [keyword, name, end] if keyword.text == "mod" && end.text == ";" => Some(&*name.text),
            _ => None,
        })
    }

    /// The functions with a body, nested ones too. A name must follow `fn`: the others are types.
    pub(crate) fn functions(&self) -> Vec<Function> {
        let mut functions = Vec::new();
        for (index, pair) in self.tokens.windows(2).enumerate() {
            if pair[0].text != "fn" || !pair[1].text.starts_with(is_word) {
                continue;
            }
            if let Some(last_line) = last_line_of_body(&self.tokens[index + 2..]) {
                let (name, first_line) = (pair[1].text.clone(), pair[0].line);
                functions.push(Function { name, first_line, last_line });
            }
        }
        functions
    }
}

/// The line on which the body ends whose signature `tokens` starts in; None when there is no body.
/// A `;` inside brackets belongs to an array type.
fn last_line_of_body(tokens: &[Token]) -> Option<usize> {
    let (mut brackets, mut braces) = (0_usize, 0_usize);
    for token in tokens {
        match token.text.as_str() {
            "(" | "[" => brackets += 1,
            ")" | "]" => brackets = brackets.saturating_sub(1),
            ";" if brackets == 0 && braces == 0 => return None,
            "{" => braces += 1,
            "}" if braces == 1 => return Some(token.line),
            "}" => braces = braces.saturating_sub(1),
            _ => {}
        }
    }
    None
}

fn tokens(lines: &[SourceLine]) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let mut in_word = false;
        for character in line.code.chars() {
            match tokens.last_mut() {
                Some(token) if in_word && is_word(character) => token.text.push(character),
                _ if character.is_whitespace() => {}
                _ => tokens.push(Token { line: index + 1, text: character.to_string() }),
            }
            in_word = is_word(character);
        }
    }
    tokens
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

struct Scanner {
    characters: Vec<char>,
    at: usize,
    inside: Inside,
    line: SourceLine,
    lines: Vec<SourceLine>,
}

impl Scanner {
    fn new(text: &str) -> Self {
        let (inside, line) = (Inside::Code, SourceLine::default());
        Self { characters: text.chars().collect(), at: 0, inside, line, lines: Vec::new() }
    }

    fn run(mut self) -> Vec<SourceLine> {
        while let Some(character) = self.peek(0) {
            self.at += 1;
            if character == '\n' {
                self.end_line();
                continue;
            }
            match self.inside {
                Inside::Code => self.code(character),
                Inside::LineComment => self.line.comment.push(character),
                Inside::BlockComment { depth } => self.block_comment(character, depth),
                Inside::Text => self.text(character),
                Inside::RawText { hashes } => self.raw_text(character, hashes),
            }
        }
        if self.line != SourceLine::default() {
            self.end_line();
        }
        self.lines
    }

    /// The character `ahead` of the next one.
    fn peek(&self, ahead: usize) -> Option<char> {
        self.characters.get(self.at + ahead).copied()
    }

    fn end_line(&mut self) {
        self.lines.push(std::mem::take(&mut self.line));
        if matches!(self.inside, Inside::LineComment) {
            self.inside = Inside::Code;
        }
    }

    fn code(&mut self, character: char) {
        match (character, self.peek(0)) {
            ('/', Some('/')) => {
                self.inside = Inside::LineComment;
                self.line.comment.push(character);
            }
            ('/', Some('*')) => self.open_block_comment(0),
            ('"', _) => {
                self.inside = match self.raw_hashes() {
                    Some(hashes) => Inside::RawText { hashes },
                    None => Inside::Text,
                };
                self.line.code.push(character);
            }
            ('\'', _) => self.quote(),
            _ => self.line.code.push(character),
        }
    }

    fn open_block_comment(&mut self, depth: usize) {
        self.at += 1;
        self.line.comment.push_str("/*");
        self.inside = Inside::BlockComment { depth: depth + 1 };
    }

    fn block_comment(&mut self, character: char, depth: usize) {
        match (character, self.peek(0)) {
            ('/', Some('*')) => self.open_block_comment(depth),
            ('*', Some('/')) => {
                self.at += 1;
                self.line.comment.push_str("*/");
                self.inside = match depth {
                    1 => Inside::Code,
                    _ => Inside::BlockComment { depth: depth - 1 },
                };
            }
            _ => self.line.comment.push(character),
        }
    }

    fn text(&mut self, character: char) {
        match character {
            // An escaped line end still ends the line.
            '\\' if self.peek(0) != Some('\n') => self.at += 1,
            '"' => {
                self.line.code.push(character);
                self.inside = Inside::Code;
            }
            _ => {}
        }
    }

    fn raw_text(&mut self, character: char, hashes: usize) {
        if character == '"' && (0..hashes).all(|ahead| self.peek(ahead) == Some('#')) {
            self.at += hashes;
            self.line.code.push(character);
            self.inside = Inside::Code;
        }
    }

    /// How many hashes end the string that opens here, if what precedes its quote makes it raw.
    fn raw_hashes(&self) -> Option<usize> {
        let before = self.line.code.trim_end_matches('#');
        let prefix = before.rsplit(|character| !is_word(character)).next()?;
        matches!(prefix, "r" | "br" | "cr").then_some(self.line.code.len() - before.len())
    }

    /// A character, which is skipped, or the tick of a lifetime, which is not.
    fn quote(&mut self) {
        self.line.code.push('\'');
        if self.peek(0) == Some('\\') {
            self.at += 2;
            while self.peek(0).is_some_and(|character| character != '\'') {
                self.at += 1;
            }
            self.at += 1;
        } else if self.peek(1) == Some('\'') {
            self.at += 2;
        }
    }
}
