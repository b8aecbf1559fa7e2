//! Expressions that differ only by a cast: `SUM(a), SUM(CAST(a AS DOUBLE))`.
//!
//! DataFusion's names of expressions leave casts out, so that it takes two of them for one name. Where that stops a query, its casts are
//! put into a function that brings the cast into the name; once the query is planned, the function goes and the names stay.

use std::ops::ControlFlow;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result as PlanResult, ScalarValue, plan_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    ColumnarValue, Expr as PlanExpr, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use sqlparser::ast::{Expr, Ident, ObjectNamePart, Select, SelectItem, Spanned, VisitorMut};

use super::Node;
use crate::parser::forms::{call, text};
use crate::parser::walk::{any_expression, walk_mut};

/// What the function is called. Nobody else would call one so.
const NAMED: &str = "__named_cast";

/// The function.
pub(crate) fn function() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| Arc::new(ScalarUDF::new_from_impl(Named::new())));
    Arc::clone(&FUNCTION)
}

/// Brings each cast into the names. Whether there was one that had not been.
pub(super) fn name_casts<N: Node>(node: &mut N) -> bool {
    let mut names = Names { within: 0, done: false };
    let _ = walk_mut(node, &mut names);
    names.done
}

struct Names {
    /// How many of the calls are around.
    within: usize,
    done: bool,
}

fn is_named(expr: &Expr) -> bool {
    matches!(expr, Expr::Function(f) if matches!(f.name.0.as_slice(), [ObjectNamePart::Identifier(i)] if i.value == NAMED))
}

impl VisitorMut for Names {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        // The names of columns stay what they were.
        for item in &mut select.projection {
            let SelectItem::UnnamedExpr(expr) = item else { continue };
            if !matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) && holds_cast(expr) {
                let alias = Ident::with_quote_and_span('`', expr.span(), expr.to_string());
                *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        self.within += usize::from(is_named(expr));
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if is_named(expr) {
            self.within -= 1;
        } else if self.within == 0 && matches!(expr, Expr::Cast { .. }) {
            let name = text(expr.to_string(), expr.span());
            *expr = call(NAMED, expr.span(), [expr.clone(), name]);
            self.done = true;
        }
        ControlFlow::Continue(())
    }
}

fn holds_cast(expr: &Expr) -> bool {
    any_expression(expr, |e| matches!(e, Expr::Cast { .. }))
}

/// The plan without the function, and with the names that it made.
pub(crate) fn without(plan: LogicalPlan) -> PlanResult<LogicalPlan> {
    let bare = plan.transform_up_with_subqueries(|plan| {
        let names = NamePreserver::new(&plan);
        let plan = plan.map_expressions(|expr| {
            let name = names.save(&expr);
            let bare = expr.transform_up(|e| match e {
                PlanExpr::ScalarFunction(ScalarFunction { func, mut args })
                    if func.name() == NAMED && !args.is_empty() =>
                {
                    Ok(Transformed::yes(args.swap_remove(0)))
                }
                other => Ok(Transformed::no(other)),
            })?;
            Ok(if bare.transformed { bare.update_data(|e| name.restore(e)) } else { bare })
        })?;
        match plan.transformed {
            true => plan.map_data(LogicalPlan::recompute_schema),
            false => Ok(plan),
        }
    })?;
    Ok(bare.data)
}

/// Gives its first argument, and is called as its second says.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Named {
    signature: Signature,
}

impl Named {
    fn new() -> Self {
        Self { signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Named {
    fn name(&self) -> &str {
        NAMED
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> PlanResult<DataType> {
        match args {
            [value, _] => Ok(value.clone()),
            _ => plan_err!("a cast with a name has a value and a name"),
        }
    }

    fn schema_name(&self, args: &[PlanExpr]) -> PlanResult<String> {
        match args {
            [_, PlanExpr::Literal(ScalarValue::Utf8(Some(name)), _)] => Ok(name.clone()),
            _ => Ok(NAMED.to_string()),
        }
    }

    fn display_name(&self, args: &[PlanExpr]) -> PlanResult<String> {
        self.schema_name(args)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> PlanResult<ColumnarValue> {
        match args.args.into_iter().next() {
            Some(value) => Ok(value),
            None => plan_err!("a cast with a name has a value"),
        }
    }
}
