//! `${NAME}` in the text of a file.

use std::collections::BTreeMap;

use tidemill_core::{Error, Result, Span};

/// Puts the values of variables in the place of `${NAME}`. An unknown name is an error, but for `${NAME:-value}`, which brings
/// its own value with it; `$${` stands for `${` itself.
pub fn substitute(text: &str, variables: &BTreeMap<String, String>) -> Result<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        out.push_str(&rest[..at]);
        if out.ends_with('$') {
            out.push('{');
            rest = &rest[at + 2..];
            continue;
        }
        let span = |len: usize| {
            let before = &text[..text.len() - rest.len() + at];
            let line = before.matches('\n').count() as u64 + 1;
            let column = before.rsplit('\n').next().unwrap_or("").chars().count() as u64 + 1;
            Span::new(line, column, len as u64)
        };
        let inside = rest[at + 2..].split_once('}').map(|(inside, _)| inside);
        let Some(inside) = inside.filter(|n| !n.contains('\n')) else {
            return Err(Error::statement("'${' has no '}'").at(span(2)));
        };
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        let Some(value) = variables.get(name).map(String::as_str).or(default) else {
            return Err(Error::statement(format!("there is no variable '{name}'"))
                .with_nearest(name, variables.keys().map(String::as_str))
                .at(span(name.chars().count() + 3)));
        };
        out.push_str(value);
        rest = &rest[at + 2 + inside.len() + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables() {
        let variables = BTreeMap::from([("DIR".to_string(), "/data".to_string()), ("N".to_string(), "3".to_string())]);
        let check = |text: &str| substitute(text, &variables);
        assert_eq!(check("'${DIR}/a' LIMIT ${N}").unwrap(), "'/data/a' LIMIT 3");
        assert_eq!(check("$5 and $${DIR}").unwrap(), "$5 and ${DIR}");
        assert_eq!(check("${N:-5} ${M:-5} ${NOTHING:-}!").unwrap(), "3 5 !");
        let e = check("SELECT\n  ${DRI}").unwrap_err();
        assert_eq!(e.span(), Some(Span::new(2, 3, 6)));
        assert_eq!(e.hint(), Some("Did you mean 'DIR'? Known: DIR, N."));
        assert_eq!(check("a ${DIR").unwrap_err().message(), "'${' has no '}'");
    }
}
