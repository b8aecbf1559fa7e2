//! A function that computes what another does, and what that lacks besides.
//!
//! It has the other's name, so that results are called as they are written.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::{AggregateFunctionParams, WindowFunctionParams};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Expr, ExprSchemable, GroupsAccumulator, ReversedUDAF, SetMonotonicity,
    Signature,
};
use datafusion::physical_expr::{PhysicalExpr, PhysicalSortExpr};
use datafusion::scalar::ScalarValue;

use super::anew::Anew;
use super::distinct::{self, DistinctValues};
use super::own_order::{self, Rows};

/// `inner`, in any frame, and with what it lacks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Fitted {
    inner: Arc<AggregateUDF>,
    /// Whether the distinct values are found here.
    distinct: bool,
    /// Whether the rows are put in order here.
    own_order: bool,
}

impl Fitted {
    pub(super) fn new(inner: Arc<AggregateUDF>, distinct: bool) -> Self {
        Self { inner, distinct, own_order: false }
    }

    /// `inner`, which gets its rows in the order that the call asks for, however they come.
    pub(super) fn in_own_order(inner: Arc<AggregateUDF>) -> Self {
        Self { inner, distinct: false, own_order: true }
    }
}

/// The type that a NULL without a type has as an argument, where the function does not compute with any.
pub(super) fn type_for_null(function: &AggregateUDF) -> Option<DataType> {
    match function.return_type(&[DataType::Null]) {
        Ok(of) if of.is_numeric() => Some(of),
        _ => None,
    }
}

/// Makes `arg` one of a type that the function takes, where it plans with others as well. Returns whether anything changed.
///
/// APPROX_COUNT_DISTINCT has no hash for floating-point numbers. Different ones have different texts.
pub(super) fn of_a_type_it_takes(function: &AggregateUDF, arg: &mut Expr, schema: &DFSchema) -> Result<bool> {
    let changes = function.name() == "approx_distinct" && arg.get_type(schema)?.is_floating();
    if changes {
        *arg = std::mem::take(arg).cast_to(&DataType::Utf8, schema)?;
    }
    Ok(changes)
}

impl AggregateUDFImpl for Fitted {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn schema_name(&self, params: &AggregateFunctionParams) -> Result<String> {
        self.inner.schema_name(params)
    }

    fn human_display(&self, params: &AggregateFunctionParams) -> Result<String> {
        self.inner.human_display(params)
    }

    fn window_function_schema_name(&self, params: &WindowFunctionParams) -> Result<String> {
        self.inner.window_function_schema_name(params)
    }

    fn display_name(&self, params: &AggregateFunctionParams) -> Result<String> {
        self.inner.display_name(params)
    }

    fn window_function_display_name(&self, params: &WindowFunctionParams) -> Result<String> {
        self.inner.window_function_display_name(params)
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(arg_types)
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arg_types)
    }

    fn return_field(&self, arg_fields: &[FieldRef]) -> Result<FieldRef> {
        self.inner.return_field(arg_fields)
    }

    fn is_nullable(&self) -> bool {
        self.inner.is_nullable()
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        self.inner.default_value(data_type)
    }

    fn supports_null_handling_clause(&self) -> bool {
        self.inner.supports_null_handling_clause()
    }

    fn supports_within_group_clause(&self) -> bool {
        self.inner.supports_within_group_clause()
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        match self.own_order {
            // So that it is told the order.
            true => AggregateOrderSensitivity::Beneficial,
            false => self.inner.order_sensitivity(),
        }
    }

    fn with_beneficial_ordering(self: Arc<Self>, _: bool) -> Result<Option<Arc<dyn AggregateUDFImpl>>> {
        Ok(self.own_order.then_some(self as _))
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::NotSupported
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.inner.inner().set_monotonicity(data_type)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if !self.distinct && !self.own_order {
            return self.inner.accumulator(args);
        }
        let mut types: Vec<DataType> = args.expr_fields.iter().map(|f| f.data_type().clone()).collect();
        if self.own_order {
            for by in args.order_bys {
                types.push(by.expr.data_type(args.schema)?);
            }
            let orders = args.order_bys.iter().map(|by| by.options).collect();
            let distinct = args.is_distinct;
            let call = OwnedArgs { order_bys: vec![], is_distinct: false, ..OwnedArgs::of(&args) };
            let inner = Arc::clone(&self.inner);
            let make = Box::new(move || call.with(|args| inner.accumulator(args)));
            return Ok(Box::new(Rows::try_new(make, types, orders, distinct)?));
        }
        let call = OwnedArgs { is_distinct: false, ..OwnedArgs::of(&args) };
        let inner = Arc::clone(&self.inner);
        let make = Box::new(move || call.with(|args| inner.accumulator(args)));
        Ok(Box::new(DistinctValues::try_new(types, make)?))
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if !self.distinct
            && let Ok(retracts) = self.inner.create_sliding_accumulator(borrowed(&args))
            && retracts.supports_retract_batch()
        {
            return Ok(retracts);
        }
        let call = OwnedArgs::of(&args);
        let fitted = self.clone();
        Ok(Box::new(Anew::try_new(Box::new(move || call.with(|args| fitted.accumulator(args))))?))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        match self.distinct {
            true => Ok(distinct::state_fields(&args)),
            false if self.own_order => Ok(own_order::state_fields(&args)),
            false => self.inner.state_fields(args),
        }
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        !self.distinct && !self.own_order && self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        self.inner.create_groups_accumulator(args)
    }
}

fn borrowed<'a>(args: &AccumulatorArgs<'a>) -> AccumulatorArgs<'a> {
    AccumulatorArgs { return_field: Arc::clone(&args.return_field), ..*args }
}

/// What an accumulator is made of, kept to make another.
struct OwnedArgs {
    return_field: FieldRef,
    schema: Schema,
    ignore_nulls: bool,
    order_bys: Vec<PhysicalSortExpr>,
    is_reversed: bool,
    name: String,
    is_distinct: bool,
    exprs: Vec<Arc<dyn PhysicalExpr>>,
    expr_fields: Vec<FieldRef>,
}

impl OwnedArgs {
    fn of(args: &AccumulatorArgs<'_>) -> Self {
        Self {
            return_field: Arc::clone(&args.return_field),
            schema: args.schema.clone(),
            ignore_nulls: args.ignore_nulls,
            order_bys: args.order_bys.to_vec(),
            is_reversed: args.is_reversed,
            name: args.name.to_string(),
            is_distinct: args.is_distinct,
            exprs: args.exprs.to_vec(),
            expr_fields: args.expr_fields.to_vec(),
        }
    }

    fn with<T>(&self, f: impl FnOnce(AccumulatorArgs<'_>) -> T) -> T {
        f(AccumulatorArgs {
            return_field: Arc::clone(&self.return_field),
            schema: &self.schema,
            ignore_nulls: self.ignore_nulls,
            order_bys: &self.order_bys,
            is_reversed: self.is_reversed,
            name: &self.name,
            is_distinct: self.is_distinct,
            exprs: &self.exprs,
            expr_fields: &self.expr_fields,
        })
    }
}
