//! What a function is: its names, its documentation, the types it takes, and what computes it.
//!
//! A [`Function`] is a constant, written once next to the code that computes it. [`FlinkFunction`] lends it to
//! DataFusion, and the reference page and the tests are made from the same declarations.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::{Result, ScalarValue, internal_err, plan_err};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::type_coercion::functions::fields_with_udf;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use tidemill_core::EpochClock;

use super::call::Call;

/// The declaration of a function.
pub struct Function {
    /// In lower case: the name, then other names for the same.
    pub names: &'static [&'static str],
    /// How it is called: `SPLIT_INDEX(string, separator, index)`.
    pub usage: &'static str,
    /// What it gives, in a sentence or two.
    pub about: &'static str,
    /// Expressions and the text of their results; the first stands in the reference page, and all are tested.
    pub examples: &'static [(&'static str, &'static str)],
    /// Functions of the clock, the watermark or chance are `Volatile`, so that planning never folds them.
    pub(super) volatility: Volatility,
    /// Whether each row has a value of its own even where the arguments are constants.
    pub(super) per_row: bool,
    /// The types of the arguments after coercion and of the result, or nothing where it does not take such arguments.
    pub(super) types: fn(&[DataType]) -> Option<Types>,
    /// The type of the result where it depends on the value of a constant argument.
    pub(super) by_value: Option<ByValue>,
    /// Computes one batch.
    pub(super) compute: fn(&Call) -> Result<ArrayRef>,
    /// DataFusion's function of the same name, for the arguments that only it takes.
    pub(super) otherwise: Option<fn() -> Arc<ScalarUDF>>,
    /// An expression that says the same, for the functions that must not evaluate all of their arguments.
    pub(super) rewrite: Option<fn(Vec<Expr>) -> Result<Expr>>,
}

/// The type of a result, by the types of the arguments and the values of those that are constants; nothing where the
/// types alone decide.
type ByValue = fn(&[DataType], &[Option<&ScalarValue>]) -> Option<DataType>;

impl Function {
    /// What most functions are: a pure function of its arguments.
    pub(super) const PLAIN: Function = Function {
        names: &[],
        usage: "",
        about: "",
        examples: &[],
        volatility: Volatility::Immutable,
        per_row: false,
        types: |_| None,
        by_value: None,
        compute: |call| internal_err!("{} has nothing to compute it", call.name),
        otherwise: None,
        rewrite: None,
    };
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.usage)
    }
}

/// The types of the arguments after coercion, and of the result.
pub(super) struct Types {
    pub(super) args: Vec<DataType>,
    pub(super) result: DataType,
}

/// What a parameter accepts. The comment says what the argument is coerced to.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Strings: `Utf8`.
    Text,
    /// Anything that has a text, as `CAST(x AS STRING)` gives it: `Utf8`.
    Printable,
    /// Strings and bytes: `Binary`.
    Bytes,
    /// Whole numbers: `Int64`.
    Int,
    /// All numbers: `Float64`.
    Double,
    /// Timestamps and dates, as they are.
    Time,
    /// Anything, as it is.
    Any,
}

impl Kind {
    /// The type that an argument of type `given` is coerced to, if the parameter takes it.
    pub(super) fn accept(self, given: &DataType) -> Option<DataType> {
        use DataType::*;
        let is_text = matches!(given, Utf8 | LargeUtf8 | Utf8View | Null);
        let is_nested = given.is_nested();
        match self {
            Kind::Text => is_text.then_some(Utf8),
            Kind::Printable => (!is_nested && !matches!(given, Binary | LargeBinary | BinaryView)).then_some(Utf8),
            Kind::Bytes => (is_text || matches!(given, Binary | LargeBinary | BinaryView)).then_some(Binary),
            Kind::Int => (given.is_integer() || given.is_null()).then_some(Int64),
            Kind::Double => (given.is_numeric() || given.is_null()).then_some(Float64),
            Kind::Time => match given {
                Timestamp(..) | Date32 => Some(given.clone()),
                Date64 | Null => Some(TIMESTAMP_3),
                _ => None,
            },
            Kind::Any => Some(given.clone()),
        }
    }
}

/// `TIMESTAMP(3)`.
pub(super) const TIMESTAMP_3: DataType = DataType::Timestamp(TimeUnit::Millisecond, None);

/// `TIMESTAMP_LTZ` of a precision.
pub(super) fn timestamp_ltz(unit: TimeUnit) -> DataType {
    DataType::Timestamp(unit, Some("UTC".into()))
}

/// `ARRAY<STRING>`.
pub(super) fn array_of_strings() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)))
}

/// The types of a call with these parameters, of which all but the first `required` may be left out.
pub(super) fn takes(args: &[DataType], params: &[Kind], required: usize, result: DataType) -> Option<Types> {
    if args.len() < required || args.len() > params.len() {
        return None;
    }
    let args = args.iter().zip(params).map(|(given, kind)| kind.accept(given)).collect::<Option<Vec<_>>>()?;
    Some(Types { args, result })
}

/// The types of a call with at least `required` arguments that are all of one kind.
pub(super) fn takes_many(args: &[DataType], kind: Kind, required: usize, result: DataType) -> Option<Types> {
    if args.len() < required {
        return None;
    }
    let args = args.iter().map(|given| kind.accept(given)).collect::<Option<Vec<_>>>()?;
    Some(Types { args, result })
}

/// A [`Function`] as DataFusion takes it.
#[derive(Debug)]
pub(super) struct FlinkFunction {
    declaration: &'static Function,
    aliases: Vec<String>,
    signature: Signature,
    clock: EpochClock,
    /// How many random numbers were drawn: a count, and not the state of a generator, makes a seeded sequence
    /// independent of how rows are batched.
    draws: AtomicU64,
}

impl FlinkFunction {
    pub(super) fn new(declaration: &'static Function, clock: EpochClock) -> Self {
        Self {
            declaration,
            aliases: declaration.names[1..].iter().map(|n| (*n).to_string()).collect(),
            signature: Signature::user_defined(declaration.volatility),
            clock,
            draws: AtomicU64::new(0),
        }
    }

    fn field(&self, data_type: DataType, nullable: bool) -> FieldRef {
        Arc::new(Field::new(self.name(), data_type, nullable))
    }
}

// Two registrations are one function only if they read the same clock.
impl PartialEq for FlinkFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name() && self.clock == other.clock
    }
}

impl Eq for FlinkFunction {}

impl Hash for FlinkFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl ScalarUDFImpl for FlinkFunction {
    fn name(&self) -> &str {
        self.declaration.names[0]
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        if let Some(types) = (self.declaration.types)(arg_types) {
            return Ok(types.args);
        }
        if let Some(otherwise) = self.declaration.otherwise {
            let fields: Vec<FieldRef> =
                arg_types.iter().map(|t| Arc::new(Field::new("argument", t.clone(), true)) as FieldRef).collect();
            if let Ok(fields) = fields_with_udf(&fields, otherwise().as_ref()) {
                return Ok(fields.iter().map(|f| f.data_type().clone()).collect());
            }
        }
        let given = arg_types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        plan_err!("{} does not take ({given}): it is called as {}", self.name().to_uppercase(), self.declaration.usage)
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        match (self.declaration.types)(arg_types) {
            Some(types) => Ok(types.result),
            None => internal_err!("{} was planned with types that it does not take", self.name()),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let types: Vec<DataType> = args.arg_fields.iter().map(|f| f.data_type().clone()).collect();
        if let (None, Some(otherwise)) = ((self.declaration.types)(&types), self.declaration.otherwise) {
            return otherwise().return_field_from_args(args);
        }
        let by_value = self.declaration.by_value.and_then(|rule| rule(&types, args.scalar_arguments));
        let result = match by_value {
            Some(result) => result,
            None => self.return_type(&types)?,
        };
        // Without arguments there is nothing that could be NULL.
        Ok(self.field(result, !types.is_empty()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let types: Vec<DataType> = args.arg_fields.iter().map(|f| f.data_type().clone()).collect();
        if let (None, Some(otherwise)) = ((self.declaration.types)(&types), self.declaration.otherwise) {
            return otherwise().invoke_with_args(args);
        }
        let constant =
            !self.declaration.per_row && args.args.iter().all(|value| matches!(value, ColumnarValue::Scalar(_)));
        let call =
            Call::new(self.name(), &args, if constant { 1 } else { args.number_rows }, (&self.clock, &self.draws))?;
        let array = (self.declaration.compute)(&call)?;
        if constant {
            Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?))
        } else {
            Ok(ColumnarValue::Array(array))
        }
    }

    fn short_circuits(&self) -> bool {
        self.declaration.rewrite.is_some()
    }

    fn simplify(&self, args: Vec<Expr>, _info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        match self.declaration.rewrite {
            Some(rewrite) => Ok(ExprSimplifyResult::Simplified(rewrite(args)?)),
            None => Ok(ExprSimplifyResult::Original(args)),
        }
    }
}
