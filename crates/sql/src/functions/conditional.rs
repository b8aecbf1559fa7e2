//! Choosing among values: `IF`, `IFNULL`, `GREATEST`, `LEAST`; and `TYPEOF`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringArray};
use arrow::buffer::NullBuffer;
use arrow::compute::kernels::zip::zip;
use arrow::datatypes::DataType;
use datafusion::common::{Result, plan_err};
use datafusion::functions::core;
use datafusion::logical_expr::conditional_expressions::CaseBuilder;
use datafusion::logical_expr::type_coercion::binary::comparison_coercion;
use datafusion::logical_expr::{Expr, ScalarUDF};

use super::call::Call;
use super::declaration::{Function, Types};
use crate::parser::types::type_name;

/// The type that all of the arguments can have.
fn common_type(args: &[DataType]) -> Option<DataType> {
    let (first, rest) = args.split_first()?;
    rest.iter().try_fold(
        first.clone(),
        |common, next| {
            if &common == next { Some(common) } else { comparison_coercion(&common, next) }
        },
    )
}

pub(super) static IF: Function = Function {
    names: &["if"],
    usage: "IF(condition, then, otherwise)",
    about: "The second argument where the condition is true, the third where it is false or NULL. Only the one that is \
            needed is evaluated.",
    examples: &[
        ("if(5 > 3, 'ebb', 'flow')", "ebb"),
        ("if(CAST(NULL AS BOOLEAN), 1, 2)", "2"),
        ("if(FALSE, 1, 2.5)", "2.5"),
        ("if(TRUE, NULL, 2)", "NULL"),
    ],
    types: |args| {
        let [DataType::Boolean | DataType::Null, choices @ ..] = args else { return None };
        let common = (choices.len() == 2).then(|| common_type(choices)).flatten()?;
        Some(Types { args: vec![DataType::Boolean, common.clone(), common.clone()], result: common })
    },
    compute: |call| {
        let condition = call.bool(0)?;
        let mask = (0..call.rows).map(|row| Some(condition.at(row).unwrap_or(false))).collect();
        Ok(zip(&mask, &call.array(1)?, &call.array(2)?)?)
    },
    rewrite: Some(|args| match <[Expr; 3]>::try_from(args) {
        Ok([condition, then, otherwise]) => {
            CaseBuilder::new(None, vec![condition], vec![then], Some(Box::new(otherwise))).end()
        }
        Err(_) => plan_err!("IF takes three arguments"),
    }),
    ..Function::PLAIN
};

pub(super) static IFNULL: Function = Function {
    names: &["ifnull", "nvl"],
    usage: "IFNULL(value, otherwise)",
    about: "The value, or the second argument where it is NULL.",
    examples: &[
        ("ifnull(CAST(NULL AS INT), 5)", "5"),
        ("ifnull('ebb', 'flow')", "ebb"),
        ("ifnull(CAST(NULL AS INT), CAST(NULL AS INT))", "NULL"),
    ],
    types: |args| {
        let common = (args.len() == 2).then(|| common_type(args)).flatten()?;
        Some(Types { args: vec![common.clone(); 2], result: common })
    },
    compute: |call| {
        let value = call.array(0)?;
        let known = arrow::compute::is_not_null(&value)?;
        Ok(zip(&known, &value, &call.array(1)?)?)
    },
    rewrite: Some(|args| Ok(core::coalesce().call(args))),
    ..Function::PLAIN
};

fn all_of_one_type(args: &[DataType]) -> Option<Types> {
    let common = common_type(args)?;
    Some(Types { args: vec![common.clone(); args.len()], result: common })
}

/// DataFusion's answer, which passes over NULLs, but NULL where one argument is.
fn unless_null(call: &Call, other: &ScalarUDF) -> Result<ArrayRef> {
    let answer = call.delegate(other)?;
    let mut valid: Option<NullBuffer> = None;
    for i in 0..call.len() {
        valid = NullBuffer::union(valid.as_ref(), call.array(i)?.logical_nulls().as_ref());
    }
    let Some(valid) = valid else { return Ok(answer) };
    let nulls = NullBuffer::union(answer.nulls(), Some(&valid));
    Ok(arrow::array::make_array(answer.to_data().into_builder().nulls(nulls).build()?))
}

pub(super) static GREATEST: Function = Function {
    names: &["greatest"],
    usage: "GREATEST(value, ...)",
    about: "The greatest of the arguments; NULL if one of them is NULL.",
    examples: &[
        ("greatest(1, 3, 2)", "3"),
        ("greatest('ebb', 'flow')", "flow"),
        ("greatest(1, CAST(NULL AS INT))", "NULL"),
        ("greatest(DATE '2024-01-31', DATE '2023-01-31')", "2024-01-31"),
    ],
    types: all_of_one_type,
    compute: |call| unless_null(call, &core::greatest()),
    ..Function::PLAIN
};

pub(super) static LEAST: Function = Function {
    names: &["least"],
    usage: "LEAST(value, ...)",
    about: "The least of the arguments; NULL if one of them is NULL.",
    examples: &[("least(2, 1.5, 3)", "1.5"), ("least(1, CAST(NULL AS INT))", "NULL")],
    types: all_of_one_type,
    compute: |call| unless_null(call, &core::least()),
    ..Function::PLAIN
};

pub(super) static TYPEOF: Function = Function {
    names: &["typeof"],
    usage: "TYPEOF(value)",
    about: "The name of the type of an expression.",
    examples: &[
        ("typeof(1)", "BIGINT"),
        ("typeof(CAST(NULL AS DECIMAL(10, 2)))", "DECIMAL(10, 2)"),
        ("typeof(to_timestamp_ltz(0, 3))", "TIMESTAMP_LTZ(3)"),
        ("typeof(split('a', ','))", "ARRAY<STRING>"),
        ("typeof(INTERVAL '1' DAY)", "INTERVAL"),
        ("typeof(str_to_map('a'))", "MAP<STRING, STRING>"),
    ],
    types: |args| match args {
        [_] => Some(Types { args: args.to_vec(), result: DataType::Utf8 }),
        _ => None,
    },
    compute: |call| Ok(Arc::new(StringArray::from(vec![type_name(call.type_of(0)); call.rows]))),
    ..Function::PLAIN
};

#[cfg(test)]
mod tests {
    use super::super::tests::check_constant;

    #[test]
    fn only_the_branch_that_is_needed_is_evaluated() {
        check_constant("if(1 = 0, 1 / (1 - 1), 7)", "7");
    }
}
