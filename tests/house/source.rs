//! Just enough Rust to see which paths a file names.

/// A word or sign of a source file, with its line.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

/// A path from the crate's root that a file names, with the line where it begins.
#[derive(Debug)]
pub(crate) struct CratePath {
    /// The first name after the root.
    pub(crate) first: String,
    pub(crate) line: usize,
}

/// The words and signs of `text`, without comments and without what is in quotes.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < chars.len() {
        let end = skip(&chars, at);
        if end == at {
            let end = word(&chars, at);
            let text: String = chars[at..end].iter().collect();
            if !text.trim().is_empty() {
                tokens.push(Token { text, line });
            }
            line += usize::from(chars[at] == '\n');
            at = end;
        } else {
            line += chars[at..end].iter().filter(|c| **c == '\n').count();
            at = end;
        }
    }
    tokens
}

/// The end of the comment or literal that begins at `at`; `at` if none does.
fn skip(chars: &[char], at: usize) -> usize {
    let starts = |text: &str| text.chars().enumerate().all(|(i, c)| chars.get(at + i) == Some(&c));
    if starts("//") {
        return find(chars, at, |i| chars[i] == '\n');
    }
    if starts("/*") {
        return block_comment(chars, at);
    }
    match chars[at] {
        '"' => quoted(chars, at, '"'),
        '\'' if chars.get(at + 1) == Some(&'\\') || chars.get(at + 2) == Some(&'\'') => {
            quoted(chars, at, '\'')
        }
        '\'' => at + 1, // a lifetime
        'r' | 'b' | 'c' if at == 0 || !is_word(chars[at - 1]) => raw_string(chars, at),
        _ => at,
    }
}

/// The first place from `at` on where `is` holds, or the end.
fn find(chars: &[char], at: usize, is: impl Fn(usize) -> bool) -> usize {
    (at..chars.len()).find(|i| is(*i)).unwrap_or(chars.len())
}

fn block_comment(chars: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

fn quoted(chars: &[char], mut at: usize, quote: char) -> usize {
    at += 1;
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// `r"…"`, `br#"…"#` and the like; `at` if it is a word after all.
fn raw_string(chars: &[char], at: usize) -> usize {
    let open = find(chars, at, |i| !is_word(chars[i]));
    let prefix: String = chars[at..open].iter().collect();
    if !["r", "br", "cr"].contains(&prefix.as_str()) {
        return at;
    }
    let quote = find(chars, open, |i| chars[i] != '#');
    if chars.get(quote) != Some(&'"') {
        return at;
    }
    let hashes = quote - open;
    let closes = |i: usize| chars[i] == '"' && (1..=hashes).all(|n| chars.get(i + n) == Some(&'#'));
    (find(chars, quote + 1, closes) + 1 + hashes).min(chars.len())
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The end of the word or sign that begins at `at`.
fn word(chars: &[char], at: usize) -> usize {
    if is_word(chars[at]) {
        find(chars, at, |i| !is_word(chars[i]))
    } else if chars[at] == ':' && chars.get(at + 1) == Some(&':') {
        at + 2
    } else {
        at + 1
    }
}

/// All paths from the root of the crate that the file of `module` names, by `crate::`,
/// `$crate::` or enough of `super::`.
pub(crate) fn crate_paths(module: &[String], tokens: &[Token]) -> Vec<CratePath> {
    let mut walk = Walk { tokens, at: 0, found: Vec::new() };
    let mut braces = 0;
    let mut inline: Vec<usize> = Vec::new();
    while let Some(token) = walk.token() {
        let after_colons = walk.at > 0 && tokens[walk.at - 1].text == "::";
        match token.text.as_str() {
            "{" => {
                let begins_module = walk.at >= 2 && tokens[walk.at - 2].text == "mod";
                if begins_module {
                    inline.push(braces);
                }
                braces += 1;
            }
            "}" => {
                braces -= 1;
                inline.pop_if(|depth| *depth == braces);
            }
            "crate" | "super" | "self" if !after_colons => {
                walk.path(module.len() + inline.len());
                continue;
            }
            _ => {}
        }
        walk.at += 1;
    }
    walk.found
}

struct Walk<'a> {
    tokens: &'a [Token],
    at: usize,
    found: Vec<CratePath>,
}

impl<'a> Walk<'a> {
    fn token(&self) -> Option<&'a Token> {
        self.tokens.get(self.at)
    }

    fn takes(&mut self, text: &str) -> bool {
        let takes = self.token().is_some_and(|token| token.text == text);
        self.at += usize::from(takes);
        takes
    }

    /// Reads a path or a tree of them whose first part is taken from `depth` modules below the
    /// root.
    fn path(&mut self, mut depth: usize) {
        loop {
            let Some(token) = self.token() else { return };
            self.at += 1;
            match token.text.as_str() {
                "crate" => depth = 0,
                "super" => depth = depth.saturating_sub(1),
                "self" => {}
                "{" => return self.group(depth),
                name => {
                    if depth == 0 && name.starts_with(is_word) {
                        self.found.push(CratePath { first: name.to_owned(), line: token.line });
                    }
                    return self.rest();
                }
            }
            if !self.takes("::") {
                return;
            }
        }
    }

    fn group(&mut self, depth: usize) {
        while !self.takes("}") && self.token().is_some() {
            self.path(depth);
            if self.takes("as") {
                self.at += 1;
            }
            self.takes(",");
        }
    }

    /// Passes over what follows the first name; it changes nothing.
    fn rest(&mut self) {
        while self.takes("::") {
            if self.takes("{") {
                let mut open = 1;
                while open > 0 && self.token().is_some() {
                    open += usize::from(self.takes("{"));
                    if self.takes("}") {
                        open -= 1;
                    } else {
                        self.at += 1;
                    }
                }
                return;
            }
            if !self.token().is_some_and(|token| token.text.starts_with(is_word)) {
                return;
            }
            self.at += 1;
        }
    }
}
