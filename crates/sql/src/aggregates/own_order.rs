//! Aggregates that look at their rows in orders of their own: `ARRAY_AGG(a ORDER BY b), STRING_AGG(a, ',' ORDER BY c)`.
//!
//! In a batch DataFusion puts all rows below a grouping in one order. It refuses some functions with orders that go against each other, and
//! rows that are equal in an order may change places. So where a grouping has several orders, one that leaves something open, or one beside
//! a function that takes rows as they come, each such function gets its rows as they come and puts them in order itself, equal ones as they
//! came. (The dataflow does so anyway.)

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt32Array};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::{SortColumn, SortOptions, concat, lexsort_to_indices, take};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::arrow::row::{RowConverter, SortField};
use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::function::StateFieldsArgs;
use datafusion::logical_expr::{Accumulator, Aggregate, AggregateUDF, Expr, LogicalPlan};
use datafusion::scalar::ScalarValue;

use super::anew::Make;
use super::fitted::Fitted;
use super::in_turn::{open, without_order};

/// `plan`, to be answered in a batch, with functions that put their rows in order themselves where there are several orders.
pub(crate) fn each_in_its_own(plan: LogicalPlan) -> Result<LogicalPlan> {
    let own = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::Aggregate(aggregate) = node else { return Ok(Transformed::no(node)) };
        let mut orders = aggregate.aggr_expr.iter().filter_map(ordered).map(|call| &call.params.order_by);
        let first = orders.next();
        let several = orders.any(|order| Some(order) != first);
        // A function without an order sees the rows as they come.
        let as_they_come = first.is_some() && aggregate.aggr_expr.iter().any(|e| without_order(e).is_some());
        if !several && !as_they_come && !aggregate.aggr_expr.iter().any(|e| open(e).is_some()) {
            return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
        }
        let exprs = aggregate.aggr_expr.iter().cloned().map(by_itself).collect();
        // Names and types are as they were.
        let Aggregate { input, group_expr, schema, .. } = aggregate;
        let own = Aggregate::try_new_with_schema(input, group_expr, exprs, schema)?;
        Ok(Transformed::yes(LogicalPlan::Aggregate(own)))
    })?;
    Ok(own.data)
}

/// A call with an order, under whatever name. The first value is found without.
fn ordered(expr: &Expr) -> Option<&AggregateFunction> {
    match expr {
        Expr::Alias(alias) => ordered(&alias.expr),
        Expr::AggregateFunction(call) => {
            let params = &call.params;
            let within_group = call.func.supports_within_group_clause();
            let needs = call.func.name() != "first_value";
            (!params.order_by.is_empty() && !within_group && needs).then_some(call)
        }
        _ => None,
    }
}

fn by_itself(expr: Expr) -> Expr {
    if ordered(&expr).is_none() {
        return expr;
    }
    match expr {
        Expr::Alias(mut alias) => {
            *alias.expr = by_itself(*alias.expr);
            Expr::Alias(alias)
        }
        Expr::AggregateFunction(mut call) => {
            call.func = Arc::new(AggregateUDF::new_from_impl(Fitted::in_own_order(call.func)));
            Expr::AggregateFunction(call)
        }
        other => other,
    }
}

/// The columns of the partial state: for each argument and for all that orders, a list with the values of the rows.
pub(super) fn state_fields(args: &StateFieldsArgs<'_>) -> Vec<FieldRef> {
    let field = |(i, f): (usize, &FieldRef)| {
        let list = DataType::List(Arc::new(Field::new_list_field(f.data_type().clone(), true)));
        Arc::new(Field::new(format!("{}[row {i}]", args.name), list, true))
    };
    args.input_fields.iter().chain(args.ordering_fields).enumerate().map(field).collect()
}

/// The rows of a group, and what makes an accumulator that gets them in order.
pub(super) struct Rows {
    make: Make,
    orders: Vec<SortOptions>,
    /// Whether rows with the same arguments count once.
    distinct: bool,
    /// The columns of the arguments, and behind them what orders, in parts, as the rows came.
    parts: Vec<Vec<ArrayRef>>,
    /// Of these columns.
    types: Vec<DataType>,
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("types", &self.types).finish_non_exhaustive()
    }
}

impl Rows {
    /// No rows yet, with columns of these types. The last ones order, in these ways.
    ///
    /// # Errors
    /// If there is no such accumulator.
    pub(super) fn try_new(make: Make, types: Vec<DataType>, orders: Vec<SortOptions>, distinct: bool) -> Result<Self> {
        make()?;
        Ok(Self { make, orders, distinct, parts: vec![], types })
    }

    fn columns(&self) -> Result<Vec<ArrayRef>> {
        let column = |c: usize| concat(&self.parts.iter().map(|p| p[c].as_ref() as &dyn Array).collect::<Vec<_>>());
        Ok((0..self.types.len()).map(column).collect::<Result<_, _>>()?)
    }

    /// The arguments of the rows in their order.
    fn in_order(&self) -> Result<Vec<ArrayRef>> {
        let mut columns = self.columns()?;
        let keys = columns.split_off(self.types.len() - self.orders.len());
        let rows = u32::try_from(keys.first().map_or(0, |k| k.len())).unwrap_or(u32::MAX);
        let keys = keys.into_iter().zip(&self.orders).map(|(values, o)| SortColumn { values, options: Some(*o) });
        let came: ArrayRef = Arc::new(UInt32Array::from_iter_values(0..rows));
        let keys: Vec<SortColumn> = keys.chain([SortColumn { values: came, options: None }]).collect();
        let mut order = lexsort_to_indices(&keys, None)?;
        if self.distinct {
            let fields = columns.iter().map(|c| SortField::new(c.data_type().clone())).collect();
            let rows = RowConverter::new(fields)?.convert_columns(&columns)?;
            let mut seen = HashSet::new();
            order = order
                .values()
                .iter()
                .copied()
                .filter(|i| seen.insert(rows.row(*i as usize)))
                .collect::<Vec<_>>()
                .into();
        }
        Ok(columns.iter().map(|c| take(c, &order, None)).collect::<Result<_, _>>()?)
    }
}

impl Accumulator for Rows {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        if values.first().is_some_and(|v| !v.is_empty()) {
            self.parts.push(values.to_vec());
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut inner = (self.make)()?;
        if !self.parts.is_empty() {
            inner.update_batch(&self.in_order()?)?;
        }
        inner.evaluate()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        if self.parts.is_empty() {
            self.parts.push(self.types.iter().map(datafusion::arrow::array::new_empty_array).collect());
        }
        let list = |values: ArrayRef| {
            let item = Arc::new(Field::new_list_field(values.data_type().clone(), true));
            let offsets = OffsetBuffer::from_lengths([values.len()]);
            Ok(ScalarValue::List(Arc::new(ListArray::try_new(item, offsets, values, None)?)))
        };
        self.columns()?.into_iter().map(list).collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for row in 0..states.first().map_or(0, |s| s.len()) {
            let values: Vec<ArrayRef> = states.iter().map(|s| s.as_list::<i32>().value(row)).collect();
            self.update_batch(&values)?;
        }
        Ok(())
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.parts.iter().flatten().map(|a| a.get_array_memory_size()).sum::<usize>()
    }
}
