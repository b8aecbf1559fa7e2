//! Calls of aggregates that DataFusion plans and then does not compute, made such that it does: in every frame, with
//! `DISTINCT` of whatever function, over keys at the edge of their type.
//!
//! Works on the optimised plan, which the dataflow and the batch answer share. Says nothing about when results come out.
//!
//! 1. [`fitted`]: a function with what it lacks. [`anew`]: in a frame that lets go of rows. [`distinct`]: over distinct values.
//! 2. [`range_key`]: the order of a frame by distances. [`in_turn`]: the order of rows of which nothing says it. [`own_order`]: several
//!    orders in a batch.

mod anew;
mod distinct;
mod fitted;
pub(crate) mod in_turn;
pub(crate) mod own_order;
mod range_key;

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{AggregateUDF, Expr, ExprSchemable, LogicalPlan, WindowFunctionDefinition};

use fitted::Fitted;

/// `plan` with every aggregate such that it can be computed.
pub(crate) fn fitted(plan: LogicalPlan) -> Result<LogicalPlan> {
    let fit = |node: LogicalPlan| {
        let (schema, over) = match &node {
            LogicalPlan::Aggregate(aggregate) => (Arc::clone(aggregate.input.schema()), false),
            LogicalPlan::Window(window) => (Arc::clone(window.input.schema()), true),
            _ => return Ok(Transformed::no(node)),
        };
        let fitted = node.map_expressions(|expr| expr.transform_up(|expr| call(expr, &schema)))?;
        match fitted.data {
            LogicalPlan::Aggregate(aggregate) => Ok(match in_turn::with_order(&aggregate)? {
                Some(ordered) => Transformed::yes(LogicalPlan::Aggregate(ordered)),
                None => Transformed::new_transformed(LogicalPlan::Aggregate(aggregate), fitted.transformed),
            }),
            LogicalPlan::Window(window) if over => Ok(Transformed::yes(range_key::with_room(window)?)),
            other => Ok(Transformed::new_transformed(other, fitted.transformed)),
        }
    };
    Ok(plan.transform_up_with_subqueries(fit)?.data)
}

fn call(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expr {
        Expr::AggregateFunction(mut call) => {
            let params = &call.params;
            let own =
                params.distinct && params.order_by.is_empty() && distinct::is_wanted(&call.func, params.args.len());
            if own {
                call.func = Arc::new(AggregateUDF::new_from_impl(Fitted::new(call.func, true)));
            }
            let name = Expr::AggregateFunction(call.clone()).schema_name().to_string();
            let once = in_turn::each_once(&call.params.order_by);
            let mut renamed = once.len() < call.params.order_by.len();
            call.params.order_by = once;
            for arg in &mut call.params.args {
                renamed |= fitted::of_a_type_it_takes(&call.func, arg, schema)?;
            }
            let call = Expr::AggregateFunction(call);
            Ok(Transformed::new_transformed(if renamed { call.alias(name) } else { call }, own || renamed))
        }
        Expr::WindowFunction(call) => over(*call, schema),
        other => Ok(Transformed::no(other)),
    }
}

fn over(mut call: WindowFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let name = Expr::WindowFunction(Box::new(call.clone())).schema_name().to_string();
    let (mut renamed, mut changed) = (false, false);
    if let WindowFunctionDefinition::AggregateUDF(function) = &call.fun {
        let function = Arc::clone(function);
        for arg in &mut call.params.args {
            renamed |= fitted::of_a_type_it_takes(&function, arg, schema)?;
            if arg.get_type(schema)? == DataType::Null
                && let Some(of) = fitted::type_for_null(&function)
            {
                *arg = std::mem::take(arg).cast_to(&of, schema)?;
                renamed = true;
            }
        }
        let own = call.params.distinct && distinct::is_wanted(&function, call.params.args.len());
        if own || !call.params.window_frame.start_bound.is_unbounded() {
            let fitted = AggregateUDF::new_from_impl(Fitted::new(function, own));
            call.fun = WindowFunctionDefinition::AggregateUDF(Arc::new(fitted));
            changed = true;
        }
    }
    let call = Expr::WindowFunction(Box::new(call));
    Ok(Transformed::new_transformed(if renamed { call.alias(name) } else { call }, changed || renamed))
}
