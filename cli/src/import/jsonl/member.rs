//! Finds the text of one member of a JSON object, for the few values that are kept as JSON text.

/// The value of the member `name` of the JSON object in `line`, without the blanks between its
/// tokens. Numbers and the order of members stay as they were written, which no parsed form of
/// them could promise. `line` must be one valid object; `None` where no member has the name.
pub(super) fn compact_member(line: &str, name: &str) -> Option<String> {
    let mut rest = line.trim_start().strip_prefix('{')?.trim_start();
    while rest.starts_with('"') {
        let (member_name, after_name) = rest.split_at(token_bytes(rest));
        let value = after_name.trim_start().strip_prefix(':')?.trim_start();
        let (value, after_value) = value.split_at(token_bytes(value));
        if serde_json::from_str::<String>(member_name).ok()? == name {
            return Some(without_blanks(value));
        }
        rest = after_value.trim_start().strip_prefix(',')?.trim_start();
    }
    None
}

/// How many bytes the JSON value at the beginning of `text` has.
fn token_bytes(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut strings = StringState::default();
    for (at, byte) in text.bytes().enumerate() {
        let in_string = strings.step(byte);
        match byte {
            b'"' if depth == 0 && strings.has_just_closed => return at + 1,
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            // Of an object or an array around this value, so a number or a word ends before it.
            b'}' | b']' if depth == 0 => return at,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            b',' | b' ' | b'\t' | b'\n' | b'\r' if depth == 0 => return at,
            _ => {}
        }
    }
    text.len()
}

fn without_blanks(value: &str) -> String {
    let mut strings = StringState::default();
    let kept = value.chars().filter(|c| {
        // Only the bytes of ASCII mean something to JSON outside its strings.
        let in_string = strings.step(u8::try_from(*c).unwrap_or(b'x'));
        in_string || !matches!(c, ' ' | '\t' | '\n' | '\r')
    });
    kept.collect()
}

/// Follows JSON text byte by byte and knows whether it is inside a string.
#[derive(Default)]
struct StringState {
    in_string: bool,
    is_escaped: bool,
    has_just_closed: bool,
}

impl StringState {
    /// Takes the next byte; true when it belongs to a string, its quotes included.
    fn step(&mut self, byte: u8) -> bool {
        let was_in_string = self.in_string;
        self.has_just_closed = false;
        match byte {
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' if self.in_string => self.is_escaped = true,
            b'"' => {
                self.in_string = !self.in_string;
                self.has_just_closed = was_in_string;
            }
            _ => {}
        }
        was_in_string || self.in_string
    }
}
