//! The place of what an error speaks of, where the planner did not say it.

use std::ops::ControlFlow;

use datafusion::execution::session_state::SessionState;
use sqlparser::ast::{Expr, Ident, ObjectName, ObjectNamePart, Spanned, Visitor};
use tidemill_core::{Error, Span};

use super::Node;
use crate::parser::source::place;
use crate::parser::walk::walk;

/// Finds the place of what an error speaks of, where the planner did not say it, and the nearest function.
pub(crate) fn locate<N: Node>(error: Error, node: &N, state: &SessionState) -> Error {
    let Some(name) = error.message().split('\'').nth(1).map(str::to_string) else { return error };
    // Of a qualified name the column is enough.
    let last = name.rsplit('.').next().unwrap_or(&name).to_string();
    let unknown_function = error.message().to_lowercase().starts_with("invalid function '");
    let error = match unknown_function {
        true => no_function(&name, state),
        false => error,
    };
    if error.span().is_some() {
        return error;
    }
    let found = [&name, &last].into_iter().find_map(|name| {
        let mut place = Place { name, found: None };
        let _ = walk(node, &mut place);
        place.found
    });
    match found {
        Some(span) => error.at(span),
        None => error,
    }
}

fn no_function(name: &str, state: &SessionState) -> Error {
    let known = state
        .scalar_functions()
        .keys()
        .chain(state.aggregate_functions().keys())
        .chain(state.window_functions().keys());
    let lower = name.to_lowercase();
    let nearest = known.map(|k| (strsim::damerau_levenshtein(&lower, k), k)).min();
    let error = Error::statement(format!("there is no function '{name}'"));
    match nearest.filter(|(distance, k)| *distance <= 1 + k.len().max(lower.len()) / 3) {
        Some((_, near)) => error.with_hint(format!("Did you mean '{near}'? SHOW FUNCTIONS lists them all.")),
        None => error.with_hint("SHOW FUNCTIONS lists them all."),
    }
}

struct Place<'a> {
    name: &'a str,
    found: Option<Span>,
}

impl Visitor for Place<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        let idents: &[Ident] = match expr {
            Expr::Identifier(ident) => std::slice::from_ref(ident),
            Expr::CompoundIdentifier(idents) => idents,
            Expr::Function(f) => {
                let ObjectNamePart::Identifier(ident) = &f.name.0[0] else { return ControlFlow::Continue(()) };
                std::slice::from_ref(ident)
            }
            _ => &[],
        };
        match idents.iter().find(|i| i.value.eq_ignore_ascii_case(self.name)) {
            Some(ident) => {
                self.found = Some(place(ident.span));
                ControlFlow::Break(())
            }
            None => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        if relation.to_string().eq_ignore_ascii_case(self.name) {
            self.found = Some(place(relation.span()));
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}
