//! Whether what was typed is complete.

use sqlparser::tokenizer::Token;

use super::source::Source;

/// Whether `text` can be run: it ends with `;` (of a statement set: the one behind its `END`), or holds nothing at all.
/// An open quote or comment is not complete.
pub fn is_complete(text: &str) -> bool {
    // What cannot be read is either open still, or so wrong that more of it does not help: a quote decides.
    let Ok(source) = Source::new(text) else { return false };
    let pieces: Vec<_> = source.tokens.split(|t| t.token == Token::SemiColon).collect();
    let mut set = false;
    for piece in &pieces {
        let words: Vec<_> = piece
            .iter()
            .map(|t| match &t.token {
                Token::Word(w) if w.quote_style.is_none() => w.value.to_ascii_uppercase(),
                _ => String::new(),
            })
            .collect();
        let begins = |words: &[String], with: &[&str]| words.windows(with.len()).next().is_some_and(|w| w == with);
        let after_explain = words.iter().position(|w| w == "STATEMENT" || w == "EXECUTE" || w == "BEGIN").unwrap_or(0);
        let rest = &words[after_explain.min(3).min(words.len())..];
        if begins(rest, &["EXECUTE", "STATEMENT", "SET"])
            || begins(rest, &["STATEMENT", "SET"])
            || begins(rest, &["BEGIN", "STATEMENT", "SET"])
        {
            set = true;
        } else if words.as_slice() == ["END"] {
            set = false;
        }
    }
    !set && pieces.last().is_none_or(|last| last.is_empty())
}

#[cfg(test)]
mod tests {
    use super::is_complete;

    #[test]
    fn complete_is_what_ends_with_a_semicolon() {
        for text in [
            "",
            "-- nothing",
            "SELECT 1;",
            "SELECT ';';",
            "SELECT 1; -- done",
            "EXECUTE STATEMENT SET BEGIN INSERT INTO t SELECT 1; END;",
        ] {
            assert!(is_complete(text), "{text}");
        }
        for text in [
            "SELECT 1",
            "SELECT ';",
            "SELECT 1 /* ;",
            "EXECUTE STATEMENT SET BEGIN INSERT INTO t SELECT 1;",
            "BEGIN STATEMENT SET;",
            "SELECT 1; SELECT",
        ] {
            assert!(!is_complete(text), "{text}");
        }
    }
}
