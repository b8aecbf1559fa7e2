//! What an aggregation computes, and the evaluation of a batch's keys, arguments and filters: once, whatever becomes of
//! the rows afterwards.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array, new_null_array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef, UInt64Type};
use datafusion_expr::{ColumnarValue, GroupsAccumulator};
use datafusion_physical_expr::aggregate::AggregateFunctionExpr;
use datafusion_physical_expr::expressions::Literal;
use tidemill_core::{Error, Result};
use tidemill_plan::op::{AggregateCall, Expr, GroupBy};

use crate::aggregate::accumulators::Accumulators;
use crate::aggregate::grouping_sets::GroupingSets;
use crate::aggregate::groups::Groups;
use crate::aggregate::one_each::OneEach;
use crate::aggregate::ordered::{Ordered, needs_order};
use crate::expression::data_error;

/// What to compute: immutable, shared by all tables of an operator.
pub struct Kernel {
    keys: Vec<Expr>,
    key_schema: SchemaRef,
    sets: GroupingSets,
    /// Arguments of all calls, each expression once.
    args: Vec<Expr>,
    /// Of the arguments that are literals, as in `COUNT(*)`: the longest column made so far.
    literals: Vec<Option<Mutex<ArrayRef>>>,
    /// Filters of all calls, each expression once.
    filters: Vec<Expr>,
    pub(super) calls: Vec<Call>,
    state_fields: Vec<FieldRef>,
    value_fields: Vec<FieldRef>,
}

/// One aggregate call, with places in the kernel's lists.
pub(super) struct Call {
    function: Arc<AggregateFunctionExpr>,
    /// The function's arguments and then its `ORDER BY` expressions, as DataFusion hands them to accumulators.
    pub(super) args: Vec<usize>,
    pub(super) filter: Option<usize>,
    /// How many columns its partial state has.
    pub(super) state_columns: usize,
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls: Vec<_> = self.calls.iter().map(|c| c.function.name()).collect();
        f.debug_struct("Kernel").field("keys", &self.keys).field("calls", &calls).finish_non_exhaustive()
    }
}

impl Kernel {
    /// Of an aggregation by `group`, over rows whose columns the expressions already name.
    pub fn try_new(group: &GroupBy, calls: &[AggregateCall]) -> Result<Self> {
        let sets = GroupingSets::try_new(group)?;
        // A grouping set makes NULLs of keys that have none in the input.
        let nullable = |f: &FieldRef| Arc::new(f.as_ref().clone().with_nullable(true));
        let mut key_fields: Vec<FieldRef> = group.keys.iter().map(|(_, f)| nullable(f)).collect();
        key_fields.extend(group.grouping_id.clone());
        let (mut args, mut filters, mut state_fields) = (vec![], vec![], vec![]);
        let mut list = Vec::with_capacity(calls.len());
        for call in calls {
            let function = call.function.clone();
            let orders = function.order_bys().iter().map(|o| o.expr.clone());
            let fields = function.state_fields().map_err(data_error)?;
            list.push(Call {
                args: function.expressions().into_iter().chain(orders).map(|e| place(&mut args, e)).collect(),
                filter: call.filter.clone().map(|e| place(&mut filters, e)),
                state_columns: fields.len(),
                function,
            });
            state_fields.extend(fields);
        }
        let literal = |e: &Expr| {
            let literal = e.downcast_ref::<Literal>()?;
            Some(Mutex::new(literal.value().to_array_of_size(0).ok()?))
        };
        Ok(Self {
            literals: args.iter().map(literal).collect(),
            keys: group.keys.iter().map(|(e, _)| e.clone()).collect(),
            key_schema: Arc::new(Schema::new(key_fields)),
            sets,
            args,
            filters,
            value_fields: calls.iter().map(|c| c.function.field()).collect(),
            calls: list,
            state_fields,
        })
    }

    /// The group keys and, with grouping sets, the grouping id; all keys nullable.
    pub fn key_schema(&self) -> &SchemaRef {
        &self.key_schema
    }

    /// Whether all rows are one group: no keys and no grouping sets.
    pub fn is_global(&self) -> bool {
        self.key_schema.fields().is_empty()
    }

    /// The keys of the groups that have a result even over nothing, a row each: that of an aggregation without keys, and
    /// those of grouping sets without a key.
    pub fn totals(&self) -> Result<Vec<Vec<ArrayRef>>> {
        if self.is_global() {
            return Ok(vec![vec![]]);
        }
        let one = |id: u64| -> Result<Vec<ArrayRef>> {
            let keys = &self.key_schema.fields()[..self.keys.len()];
            let mut keys: Vec<ArrayRef> = keys.iter().map(|f| new_null_array(f.data_type(), 1)).collect();
            keys.push(self.sets.id_array(id, 1)?);
            Ok(keys)
        };
        self.sets.totals().into_iter().map(one).collect()
    }

    /// For each of `rows` groups with these keys, whether it is one of the [`totals`](Self::totals).
    pub fn are_totals(&self, keys: &[ArrayRef], rows: usize) -> Result<Vec<bool>> {
        let totals = self.sets.totals();
        if self.is_global() || totals.is_empty() {
            return Ok(vec![self.is_global(); rows]);
        }
        let Some(ids) = keys.last() else { return Err(Error::internal("grouping sets without a grouping id")) };
        let ids = cast(ids, &DataType::UInt64)?;
        Ok(ids.as_primitive::<UInt64Type>().values().iter().map(|id| totals.contains(id)).collect())
    }

    /// The columns of the partial states of all aggregates, one after the other.
    pub fn state_fields(&self) -> &[FieldRef] {
        &self.state_fields
    }

    /// The columns of the results.
    pub fn value_fields(&self) -> &[FieldRef] {
        &self.value_fields
    }

    /// The aggregate functions, in the order of their calls.
    pub fn functions(&self) -> impl Iterator<Item = &Arc<AggregateFunctionExpr>> {
        self.calls.iter().map(|c| &c.function)
    }

    /// Evaluates keys, arguments and filters over the rows of `batch`.
    pub fn evaluate_inputs(&self, batch: &RecordBatch) -> Result<Inputs> {
        let rows = batch.num_rows();
        let all = |list: &[Expr]| -> Result<Vec<Column>> { list.iter().map(|e| Column::of(e, batch)).collect() };
        let arg = |(expr, literal): (&Expr, &Option<Mutex<ArrayRef>>)| match literal {
            None => Column::of(expr, batch),
            Some(known) => Column::of_literal(expr, known, batch),
        };
        let args = self.args.iter().zip(&self.literals).map(arg).collect::<Result<_>>()?;
        Ok(Inputs { rows, keys: all(&self.keys)?, args, filters: all(&self.filters)? })
    }

    /// No groups yet.
    pub fn new_groups(&self) -> Result<Groups> {
        Groups::try_new(&self.key_schema)
    }

    /// The aggregates of no groups yet.
    pub fn new_accumulators(self: &Arc<Self>) -> Result<Accumulators> {
        let list = self.calls.iter().map(|c| new_accumulator(&c.function)).collect::<Result<_>>()?;
        Ok(Accumulators::new(self.clone(), list))
    }

    pub(super) fn sets(&self) -> &GroupingSets {
        &self.sets
    }

    /// The key columns of `inputs`, once for each grouping set; with sets, the grouping id is the last of them.
    pub(crate) fn keys_of(&self, inputs: &Inputs) -> Result<Vec<Vec<ArrayRef>>> {
        self.sets.keys_of(inputs)
    }

    /// The arguments of all calls, each expression once.
    pub(crate) fn args(&self) -> &[Expr] {
        &self.args
    }

    /// The filters of all calls, each expression once.
    pub(crate) fn filters(&self) -> &[Expr] {
        &self.filters
    }

    /// The arguments of a call and then its `ORDER BY`, as places in [`args`](Self::args).
    pub(crate) fn call_args(&self, call: usize) -> &[usize] {
        &self.calls[call].args
    }

    /// The filter of a call, as a place in [`filters`](Self::filters).
    pub(crate) fn call_filter(&self, call: usize) -> Option<usize> {
        self.calls[call].filter
    }

    /// Whether an argument is the same in each row.
    pub(crate) fn is_literal(&self, arg: usize) -> bool {
        self.literals[arg].is_some()
    }

    /// A column of an argument that is the same in each row.
    pub(crate) fn literal(&self, arg: usize, rows: usize) -> Result<ArrayRef> {
        match self.args[arg].downcast_ref::<Literal>() {
            Some(literal) => literal.value().to_array_of_size(rows).map_err(data_error),
            None => Err(Error::internal("an argument that is no literal")),
        }
    }
}

/// The form for many groups over rows that come in the order that the function asks for.
pub(crate) fn over_sorted(function: &Arc<AggregateFunctionExpr>) -> Result<Box<dyn GroupsAccumulator>> {
    match !needs_order(function) && for_many_groups(function) {
        true => function.create_groups_accumulator().map_err(data_error),
        false => Ok(Box::new(OneEach::new(function.clone()))),
    }
}

/// The form for many groups: the function's own, or one accumulator for each group.
fn new_accumulator(function: &Arc<AggregateFunctionExpr>) -> Result<Box<dyn GroupsAccumulator>> {
    let made = if needs_order(function) {
        Ok(Box::new(Ordered::new(function.clone())) as Box<dyn GroupsAccumulator>)
    } else if for_many_groups(function) {
        function.create_groups_accumulator()
    } else {
        Ok(Box::new(OneEach::new(function.clone())) as _)
    };
    made.map_err(data_error)
}

/// Whether the function's own form for many groups is to be believed.
///
/// Some say that they have one with `DISTINCT` too, which then counts a value as often as it is there, or has another
/// partial state than the function says.
fn for_many_groups(function: &AggregateFunctionExpr) -> bool {
    const DISTINCT: &[&str] = &["avg", "bit_and", "bit_or", "bool_and", "bool_or", "count", "max", "min", "sum"];
    let believed = !function.is_distinct() || DISTINCT.contains(&function.fun().name());
    believed && function.groups_accumulator_supported()
}

/// The place of `expr` in `list`, where it is added unless it is there. Two `RANDOM()` are not the same.
fn place(list: &mut Vec<Expr>, expr: Expr) -> usize {
    list.iter().position(|e| e.as_ref() == expr.as_ref() && !volatile(e)).unwrap_or_else(|| {
        list.push(expr);
        list.len() - 1
    })
}

fn volatile(expr: &Expr) -> bool {
    expr.is_volatile_node() || expr.children().into_iter().any(volatile)
}

/// The keys, arguments and filters of some rows.
#[derive(Debug, Clone)]
pub struct Inputs {
    pub(super) rows: usize,
    pub(super) keys: Vec<Column>,
    pub(super) args: Vec<Column>,
    pub(super) filters: Vec<Column>,
}

impl Inputs {
    /// How many rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The key columns, as evaluated: without grouping sets applied.
    pub fn keys(&self) -> Vec<ArrayRef> {
        self.keys.iter().map(|c| c.array.clone()).collect()
    }

    /// The arguments, by the kernel's number.
    pub(crate) fn args(&self) -> impl Iterator<Item = &ArrayRef> {
        self.args.iter().map(|c| &c.array)
    }

    /// The filters, by the kernel's number.
    pub(crate) fn filters(&self) -> impl Iterator<Item = &ArrayRef> {
        self.filters.iter().map(|c| &c.array)
    }

    /// `len` rows from `offset` on, without copying.
    #[must_use]
    pub fn slice(&self, offset: usize, len: usize) -> Self {
        self.each(len, |c| Ok(Column { array: c.array.slice(offset, len), constant: c.constant }))
            .expect("slicing makes no error")
    }

    /// The rows at `indices`, in that order.
    pub fn take(&self, indices: &UInt32Array) -> Result<Self> {
        self.each(indices.len(), |c| {
            // A literal's column has the same value in each row, so that as many rows from its start do.
            let array = match c.constant && indices.len() <= c.array.len() {
                true => c.array.slice(0, indices.len()),
                false => take(&c.array, indices, None)?,
            };
            Ok(Column { array, constant: c.constant })
        })
    }

    fn each(&self, rows: usize, f: impl Fn(&Column) -> Result<Column>) -> Result<Self> {
        let all = |list: &[Column]| list.iter().map(&f).collect::<Result<Vec<_>>>();
        Ok(Self { rows, keys: all(&self.keys)?, args: all(&self.args)?, filters: all(&self.filters)? })
    }
}

/// An evaluated expression.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) array: ArrayRef,
    /// Whether it is the same value in each row: a literal, as in `COUNT(*)`.
    constant: bool,
}

impl Column {
    fn of(expr: &Expr, batch: &RecordBatch) -> Result<Self> {
        let value = expr.evaluate(batch).map_err(data_error)?;
        let constant = matches!(value, ColumnarValue::Scalar(_));
        Ok(Self { array: value.into_array(batch.num_rows()).map_err(data_error)?, constant })
    }

    /// The column is made once, and then only cut to length.
    fn of_literal(expr: &Expr, known: &Mutex<ArrayRef>, batch: &RecordBatch) -> Result<Self> {
        let rows = batch.num_rows();
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < rows {
            *known = Self::of(expr, batch)?.array;
        }
        Ok(Self { array: known.slice(0, rows), constant: true })
    }

    pub(super) fn as_filter(&self) -> &BooleanArray {
        self.array.as_boolean()
    }
}

/// `array` as a column of `field`'s type. Accumulators name the fields inside of lists and structs as they like.
pub(crate) fn conform(array: ArrayRef, to: &DataType) -> Result<ArrayRef> {
    if array.data_type() == to { Ok(array) } else { Ok(cast(&array, to)?) }
}
