//! All aggregates of a query's groups. The list of forms that follow a retraction by themselves is [`changing`].

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, downcast_primitive, new_empty_array};
use arrow::datatypes::{
    DataType, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, Int8Type, Int16Type, Int32Type, Int64Type,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use datafusion_physical_expr::aggregate::AggregateFunctionExpr;
use tidemill_core::{Error, Result};
use tidemill_plan::retraction::{Form, Retraction};

use super::average::Average;
use super::count::Count;
use super::distinct::Distinct;
use super::extreme::{Encoded, Extreme, Ordered, Primitive};
use super::float_sum::FloatSum;
use super::kept_rows::KeptRows;
use super::layout::{Arguments, RowLayout};
use super::running_extreme::RunningExtreme;
use super::seen_values::SeenValues;
use super::sum::Sum;
use super::truth::Truth;
use super::xor::Xor;
use super::{Changing, Rows};
use crate::aggregate::Kernel;
use crate::aggregate::kernel::conform;
use crate::expression::data_error;

/// One entry for each call of a kernel, over the same groups.
pub struct Aggregates {
    kernel: Arc<Kernel>,
    /// By call; `None` where the rows are kept.
    changing: Vec<Option<Box<dyn Changing>>>,
    kept: Option<KeptRows>,
}

/// The aggregate of `function` over arguments of these types, if it follows a retraction by itself; `append` where there is
/// none to follow.
fn changing(function: &AggregateFunctionExpr, args: &[DataType], append: bool) -> Result<Option<Box<dyn Changing>>> {
    let Some(Retraction { form, distinct }) = Retraction::of(function) else { return Ok(None) };
    let field = function.field();
    let of = field.data_type();
    let unknown = || Error::internal(format!("{} of type {of}", function.name()));
    let one: Box<dyn Changing> = match form {
        Form::Count => Box::new(Count::default()),
        Form::Sum => match of {
            DataType::Float64 => Box::new(FloatSum::new(false)),
            DataType::Int64 => Box::new(Sum::<Int64Type>::new(of)),
            DataType::UInt64 => Box::new(Sum::<UInt64Type>::new(of)),
            DataType::Decimal32(..) => Box::new(Sum::<Decimal32Type>::new(of)),
            DataType::Decimal64(..) => Box::new(Sum::<Decimal64Type>::new(of)),
            DataType::Decimal128(..) => Box::new(Sum::<Decimal128Type>::new(of)),
            DataType::Decimal256(..) => Box::new(Sum::<Decimal256Type>::new(of)),
            _ => return Err(unknown()),
        },
        Form::Average if *of == DataType::Float64 => Box::new(FloatSum::new(true)),
        Form::Average => {
            let fields = function.state_fields().map_err(data_error)?;
            let sum = fields.get(1).ok_or_else(unknown)?.data_type();
            match sum {
                DataType::Decimal32(..) => Box::new(Average::<Decimal32Type>::try_new(function, sum)?),
                DataType::Decimal64(..) => Box::new(Average::<Decimal64Type>::try_new(function, sum)?),
                DataType::Decimal128(..) => Box::new(Average::<Decimal128Type>::try_new(function, sum)?),
                DataType::Decimal256(..) => Box::new(Average::<Decimal256Type>::try_new(function, sum)?),
                _ => return Err(unknown()),
            }
        }
        Form::Least | Form::Greatest => {
            macro_rules! primitive {
                ($t:ty) => {
                    extreme(Primitive::<$t>::new(of), form == Form::Greatest, append)
                };
            }
            downcast_primitive! {
                of => (primitive),
                _ => extreme(Encoded::try_new(of)?, form == Form::Greatest, append),
            }
        }
        Form::And | Form::Or => Box::new(Truth::new(form == Form::Or)),
        Form::Xor => match of {
            DataType::Int8 => Box::new(Xor::<Int8Type>::default()),
            DataType::Int16 => Box::new(Xor::<Int16Type>::default()),
            DataType::Int32 => Box::new(Xor::<Int32Type>::default()),
            DataType::Int64 => Box::new(Xor::<Int64Type>::default()),
            DataType::UInt8 => Box::new(Xor::<UInt8Type>::default()),
            DataType::UInt16 => Box::new(Xor::<UInt16Type>::default()),
            DataType::UInt32 => Box::new(Xor::<UInt32Type>::default()),
            DataType::UInt64 => Box::new(Xor::<UInt64Type>::default()),
            _ => return Err(unknown()),
        },
    };
    Ok(Some(match (distinct, append) {
        (true, true) => Box::new(SeenValues::try_new(args, one)?),
        (true, false) => Box::new(Distinct::try_new(args, one)?),
        (false, _) => one,
    }))
}

fn extreme<O: Ordered + 'static>(order: O, greatest: bool, append: bool) -> Box<dyn Changing> {
    match append {
        true => Box::new(RunningExtreme::new(order, greatest)),
        false => Box::new(Extreme::new(order, greatest)),
    }
}

impl Aggregates {
    /// Of the calls of `kernel`, over rows laid out by `layout`, of which none is taken back where `append`.
    pub fn try_new(kernel: &Arc<Kernel>, layout: &RowLayout, append: bool) -> Result<Self> {
        let one = |(call, function): (usize, &Arc<AggregateFunctionExpr>)| {
            let count = function.expressions().len();
            let args = kernel.call_args(call)[..count].iter().map(|a| layout.argument_types()[*a].clone());
            self::changing(function, &args.collect::<Vec<_>>(), append)
        };
        let changing = kernel.functions().enumerate().map(one).collect::<Result<Vec<_>>>()?;
        let rest: Vec<usize> = (0..changing.len()).filter(|c| changing[*c].is_none()).collect();
        let kept = match rest.is_empty() {
            true => None,
            false => Some(KeptRows::try_new(kernel, layout, &rest)?),
        };
        Ok(Self { kernel: kernel.clone(), changing, kept })
    }

    /// Takes in rows: row `i` belongs to group `ids[i]` of `groups`, and comes `weights[i]` times.
    pub fn change(&mut self, rows: &Arguments, ids: &[usize], weights: &[i64], groups: usize) -> Result<()> {
        let wanted: Vec<Vec<i64>> = rows.filters.iter().map(|f| filtered(f, weights)).collect();
        let mut args: Vec<ArrayRef> = vec![];
        for (call, changing) in self.changing.iter_mut().enumerate() {
            let Some(changing) = changing else { continue };
            args.clear();
            args.extend(self.kernel.call_args(call).iter().map(|a| rows.args[*a].clone()));
            let weights = self.kernel.call_filter(call).map_or(weights, |f| &wanted[f]);
            changing.change(Rows { args: &args, ids, weights, groups })?;
        }
        self.kept.iter_mut().try_for_each(|kept| kept.change(rows, ids, weights, groups))
    }

    /// The results of these groups, a column for each call.
    pub fn values(&mut self, groups: &[usize]) -> Result<Vec<ArrayRef>> {
        if groups.is_empty() {
            return Ok(self.kernel.value_fields().iter().map(|f| new_empty_array(f.data_type())).collect());
        }
        let mut computed = match &mut self.kept {
            Some(kept) => kept.values(groups)?.into_iter(),
            None => vec![].into_iter(),
        };
        let fields = self.kernel.value_fields();
        let one = |(changing, field): (&mut Option<Box<dyn Changing>>, &arrow::datatypes::FieldRef)| {
            let values = match changing {
                Some(changing) => changing.values(groups)?,
                None => computed.next().ok_or_else(|| Error::internal("a call without a result"))?,
            };
            conform(values, field.data_type())
        };
        self.changing.iter_mut().zip(fields).map(one).collect()
    }

    /// Forgets these groups.
    pub fn forget(&mut self, groups: &[usize]) {
        self.changing.iter_mut().flatten().for_each(|c| c.forget(groups));
        self.kept.iter_mut().for_each(|k| k.forget(groups));
    }

    /// Gives groups new numbers: `old[i]`, ascending, becomes group `i`. All others are forgotten.
    pub fn renumber(&mut self, old: &[usize]) -> Result<()> {
        self.changing.iter_mut().flatten().try_for_each(|c| c.renumber(old))?;
        self.kept.iter_mut().try_for_each(|k| k.renumber(old))
    }

    /// How many rows are kept to be computed anew.
    pub fn kept_rows(&self) -> usize {
        self.kept.as_ref().map_or(0, KeptRows::live)
    }

    /// About how many bytes are held.
    pub fn bytes(&self) -> usize {
        let changing: usize = self.changing.iter().flatten().map(|c| c.bytes()).sum();
        changing + self.kept.as_ref().map_or(0, KeptRows::bytes)
    }
}

/// The weights of the rows that a filter wants; 0 for all others.
fn filtered(filter: &BooleanArray, weights: &[i64]) -> Vec<i64> {
    use arrow::array::Array;
    let wanted = |row: usize| filter.value(row) && filter.is_valid(row);
    weights.iter().enumerate().map(|(row, w)| if wanted(row) { *w } else { 0 }).collect()
}
