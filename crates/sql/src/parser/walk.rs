//! The walk over a syntax tree: a visitor is shown its queries, selects, names, tables and expressions.
//!
//! sqlparser writes the whole walk, some six hundred functions, anew for every visitor that its own `visit` is given: thirty
//! visitors were ten minutes of a release build and a quarter of the binary. Here all of them go the same way, and are
//! called through a pointer. A lint keeps the other way shut.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, ObjectName, Query, Select, Statement, TableFactor, ValueWithSpan, Visit, VisitMut, Visitor, VisitorMut,
};

/// Shows `node` to `visitor`.
///
/// # Errors
/// What the visitor broke off with.
#[allow(clippy::disallowed_methods)]
pub fn walk<V: Visitor>(node: &impl Visit, visitor: &mut V) -> ControlFlow<V::Break> {
    let mut told = Told { visitor, broke: None };
    let walked = node.visit(&mut Walk(&mut told));
    broken_off(walked, told.broke)
}

/// Shows `node` to `visitor`, which may change it.
///
/// # Errors
/// What the visitor broke off with.
#[allow(clippy::disallowed_methods)]
pub fn walk_mut<V: VisitorMut>(node: &mut impl VisitMut, visitor: &mut V) -> ControlFlow<V::Break> {
    let mut told = Told { visitor, broke: None };
    let walked = node.visit(&mut WalkMut(&mut told));
    broken_off(walked, told.broke)
}

/// Whether `holds` for an expression in `node`, or within one.
pub fn any_expression(node: &impl Visit, holds: impl FnMut(&Expr) -> bool) -> bool {
    struct Any<F>(F);
    impl<F: FnMut(&Expr) -> bool> Visitor for Any<F> {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            if (self.0)(expr) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }
    walk(node, &mut Any(holds)).is_break()
}

fn broken_off<B>(walked: ControlFlow<()>, broke: Option<B>) -> ControlFlow<B> {
    match (walked, broke) {
        (ControlFlow::Break(()), Some(with)) => ControlFlow::Break(with),
        _ => ControlFlow::Continue(()),
    }
}

/// A visitor, and what it broke off with.
struct Told<'v, V, B> {
    visitor: &'v mut V,
    broke: Option<B>,
}

impl<V, B> Told<'_, V, B> {
    fn note(&mut self, flow: ControlFlow<B>) -> ControlFlow<()> {
        flow.map_break(|with| self.broke = Some(with))
    }
}

/// The one visitor that sqlparser knows.
struct Walk<'a>(&'a mut dyn Steps);

/// The same, where the tree may be changed.
struct WalkMut<'a>(&'a mut dyn StepsMut);

/// The steps of a walk: of visitors that only read, and of those that change what they see.
macro_rules! steps {
    ($($step:ident($node:ty)),* $(,)?) => {
        /// A visitor that breaks off with nothing.
        trait Steps {
            $(fn $step(&mut self, node: &$node) -> ControlFlow<()>;)*
        }

        impl<V: Visitor> Steps for Told<'_, V, V::Break> {
            $(fn $step(&mut self, node: &$node) -> ControlFlow<()> {
                let flow = self.visitor.$step(node);
                self.note(flow)
            })*
        }

        impl Visitor for Walk<'_> {
            type Break = ();

            $(fn $step(&mut self, node: &$node) -> ControlFlow<()> {
                self.0.$step(node)
            })*
        }

        /// A visitor that breaks off with nothing, and changes what it sees.
        trait StepsMut {
            $(fn $step(&mut self, node: &mut $node) -> ControlFlow<()>;)*
        }

        impl<V: VisitorMut> StepsMut for Told<'_, V, V::Break> {
            $(fn $step(&mut self, node: &mut $node) -> ControlFlow<()> {
                let flow = self.visitor.$step(node);
                self.note(flow)
            })*
        }

        impl VisitorMut for WalkMut<'_> {
            type Break = ();

            $(fn $step(&mut self, node: &mut $node) -> ControlFlow<()> {
                self.0.$step(node)
            })*
        }
    };
}

steps! {
    pre_visit_query(Query),
    post_visit_query(Query),
    pre_visit_select(Select),
    post_visit_select(Select),
    pre_visit_relation(ObjectName),
    post_visit_relation(ObjectName),
    pre_visit_table_factor(TableFactor),
    post_visit_table_factor(TableFactor),
    pre_visit_expr(Expr),
    post_visit_expr(Expr),
    pre_visit_statement(Statement),
    post_visit_statement(Statement),
    pre_visit_value(ValueWithSpan),
    post_visit_value(ValueWithSpan),
}

#[cfg(test)]
mod tests {
    use sqlparser::dialect::GenericDialect;
    use sqlparser::parser::Parser;

    use super::*;

    struct Tables(Vec<String>);

    impl Visitor for Tables {
        type Break = String;

        fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<String> {
            self.0.push(name.to_string());
            if name.to_string() == "stop" { ControlFlow::Break("here".into()) } else { ControlFlow::Continue(()) }
        }
    }

    fn check(query: &str, expected: &[&str], broke: ControlFlow<String>) {
        let parsed = Parser::parse_sql(&GenericDialect {}, query).expect("this text is a query");
        let mut tables = Tables(vec![]);
        assert_eq!(walk(&parsed, &mut tables), broke);
        assert_eq!(tables.0, expected);
    }

    #[test]
    fn a_visitor_is_shown_all_until_it_breaks_off() {
        check("SELECT * FROM a WHERE x IN (SELECT y FROM b)", &["a", "b"], ControlFlow::Continue(()));
        check("SELECT * FROM a, stop, b", &["a", "stop"], ControlFlow::Break("here".into()));
    }

    #[test]
    fn an_expression_is_found_within_others() {
        let parsed = Parser::parse_sql(&GenericDialect {}, "SELECT a + (b * NULL) FROM t").expect("a query");
        let null = |e: &Expr| matches!(e, Expr::Value(v) if v.value == sqlparser::ast::Value::Null);
        assert!(any_expression(&parsed, null));
        assert!(!any_expression(&parsed, |e| matches!(e, Expr::Exists { .. })));
    }
}
