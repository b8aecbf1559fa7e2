//! How the result of an aggregate follows when rows are taken back: by itself, or by being computed anew.
//!
//! The one place that decides it, for the dataflow and for `EXPLAIN STATE`. A function that is not in the list, such as one
//! that a user has registered, is computed anew over the rows of its group; the answer is the same.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_expr::AggregateUDF;
use datafusion_functions_aggregate::average::avg_udaf;
use datafusion_functions_aggregate::bit_and_or_xor::bit_xor_udaf;
use datafusion_functions_aggregate::bool_and_or::{bool_and_udaf, bool_or_udaf};
use datafusion_functions_aggregate::count::count_udaf;
use datafusion_functions_aggregate::min_max::{max_udaf, min_udaf};
use datafusion_functions_aggregate::sum::sum_udaf;
use datafusion_physical_expr::aggregate::AggregateFunctionExpr;

use crate::average::Average;

/// An aggregate whose result follows a retraction by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retraction {
    /// What is computed.
    pub form: Form,
    /// Whether each value counts once, however often it is there, so that values are kept with how often they are.
    pub distinct: bool,
}

/// What is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `COUNT`.
    Count,
    /// `SUM` of integers, decimals or floats.
    Sum,
    /// `AVG` of floats or decimals.
    Average,
    /// `MIN`: values are kept in order.
    Least,
    /// `MAX`: values are kept in order.
    Greatest,
    /// `BOOL_AND`.
    And,
    /// `BOOL_OR`.
    Or,
    /// `BIT_XOR`.
    Xor,
}

/// What is kept of each group for an aggregate whose rows may be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keeps {
    /// A few numbers.
    Numbers,
    /// Its distinct values, and how often each is there.
    Values,
    /// Its rows.
    Rows,
}

impl Retraction {
    /// How `function` follows retractions; `None` where it is computed anew over the rows of its group.
    pub fn of(function: &AggregateFunctionExpr) -> Option<Self> {
        let fun = |one: fn() -> Arc<AggregateUDF>| *function.fun() == *one();
        let form = if fun(count_udaf) {
            Form::Count
        } else if fun(sum_udaf) {
            Form::Sum
        } else if fun(avg_udaf) || function.fun().inner().is::<Average>() {
            Form::Average
        } else if fun(min_udaf) {
            Form::Least
        } else if fun(max_udaf) {
            Form::Greatest
        } else if fun(bool_and_udaf) {
            Form::And
        } else if fun(bool_or_udaf) {
            Form::Or
        } else if fun(bit_xor_udaf) {
            Form::Xor
        } else {
            return None;
        };
        // A value that is there twice makes no difference to these.
        let repeats = !matches!(form, Form::Least | Form::Greatest | Form::And | Form::Or);
        let distinct = function.is_distinct() && repeats;
        let known = match form {
            Form::Count => !distinct || function.expressions().len() == 1,
            Form::Sum => summed(function.field().data_type()),
            Form::Average => match function.field().data_type() {
                DataType::Float64 => true,
                of => !distinct && of.is_decimal(),
            },
            Form::Least | Form::Greatest => ordered(function.field().data_type()),
            Form::And | Form::Or => true,
            Form::Xor => function.field().data_type().is_integer(),
        };
        known.then_some(Self { form, distinct })
    }
}

impl Keeps {
    /// What is kept for `function`; `append` where no row is ever taken back.
    pub fn of(function: &AggregateFunctionExpr, append: bool) -> Self {
        match Retraction::of(function) {
            None => Self::Rows,
            Some(Retraction { distinct: true, .. }) => Self::Values,
            Some(Retraction { form: Form::Least | Form::Greatest, .. }) if !append => Self::Values,
            Some(_) => Self::Numbers,
        }
    }
}

fn summed(of: &DataType) -> bool {
    matches!(of, DataType::Int64 | DataType::UInt64 | DataType::Float64) || of.is_decimal()
}

fn ordered(of: &DataType) -> bool {
    match of {
        DataType::Interval(_) => false,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => true,
        other => other.is_primitive(),
    }
}
