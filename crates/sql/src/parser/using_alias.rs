//! `JOIN .. USING (a, b) AS j`: a name for the columns that both sides have in common, which sqlparser does not know.
//!
//! The name goes into the list, where `resolve/using` finds it: `USING (a, b, __columns_as.j)`.

use sqlparser::ast::{Ident, ObjectName};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

/// What stands before the name.
const COLUMNS_AS: &str = "__columns_as";

/// Moves each such name into the list before it.
pub(super) fn named_using(tokens: &mut Vec<TokenWithSpan>) {
    let word = |token: Option<&TokenWithSpan>, keyword: Keyword| matches!(token.map(|t| &t.token), Some(Token::Word(w)) if w.keyword == keyword && w.quote_style.is_none());
    let mut at = 0;
    while at < tokens.len() {
        let list =
            word(tokens.get(at), Keyword::USING) && matches!(tokens.get(at + 1).map(|t| &t.token), Some(Token::LParen));
        let close = tokens[at..].iter().position(|t| t.token == Token::RParen).map(|i| at + i);
        if list
            && let Some(close) = close
            && word(tokens.get(close + 1), Keyword::AS)
            && let Some(name) = tokens.get(close + 2).filter(|t| matches!(t.token, Token::Word(_))).cloned()
        {
            let here = |token| TokenWithSpan { token, span: name.span };
            let mark = Word { value: COLUMNS_AS.into(), quote_style: None, keyword: Keyword::NoKeyword };
            let named =
                [here(Token::Comma), here(Token::Word(mark)), here(Token::Period), name.clone(), here(Token::RParen)];
            tokens.splice(close..close + 3, named);
        }
        at += 1;
    }
}

/// The name, if an entry of the list is that.
pub fn name_of(entry: &ObjectName) -> Option<&Ident> {
    let [mark, name] = entry.0.as_slice() else { return None };
    mark.as_ident().filter(|mark| mark.value == COLUMNS_AS).and_then(|_| name.as_ident())
}
