//! The scalar functions of Flink, for DataFusion.
//!
//! Register [`all`] over DataFusion's own functions: an own name wins, and hands the arguments that only DataFusion's
//! form takes on to it (`to_timestamp(1706695509)`). [`syntax`] does the same for the forms with words inside
//! (`EXTRACT(DOW FROM t)`, `SUBSTRING(s FROM 2)`). NULL in gives NULL out unless a function says otherwise.
//!
//! 1. `declaration`: what a function is. `call`: its arguments and results, as typed columns.
//! 2. `zone`, `instants`, `pattern`: time zones, columns of times, Java's patterns of dates.
//! 3. The functions, by what they are about: [`ALL`] lists them; [`aggregate::ALL`] lists the aggregates.

mod call;
mod declaration;
mod instants;
mod pattern;
mod scaled_interval;
mod syntax;
mod zone;

pub mod aggregate;
mod collection;
mod conditional;
pub mod excluding;
pub(crate) mod json;
mod number;
mod random;
mod text;
mod time;

#[cfg(test)]
mod tests;

use datafusion::logical_expr::ScalarUDF;
use tidemill_core::EpochClock;

pub use declaration::Function;
pub use syntax::FlinkSyntax;

use declaration::FlinkFunction;

/// Every function, under the heading that the reference page gives it.
pub static ALL: &[(&str, &[&Function])] = &[
    (
        "Time",
        &[
            &time::now::CURRENT_TIMESTAMP,
            &time::now::PROCTIME,
            &time::now::LOCALTIMESTAMP,
            &time::now::CURRENT_DATE,
            &time::now::LOCALTIME,
            &time::now::CURRENT_WATERMARK,
            &time::parse::TO_TIMESTAMP,
            &time::parse::TO_TIMESTAMP_LTZ,
            &time::parse::TO_DATE,
            &time::parse::UNIX_TIMESTAMP,
            &time::format::DATE_FORMAT,
            &time::format::TO_CHAR,
            &time::format::FROM_UNIXTIME,
            &time::format::CONVERT_TZ,
            &time::fields::YEAR,
            &time::fields::QUARTER,
            &time::fields::MONTH,
            &time::fields::WEEK,
            &time::fields::DAYOFYEAR,
            &time::fields::DAYOFMONTH,
            &time::fields::DAYOFWEEK,
            &time::fields::HOUR,
            &time::fields::MINUTE,
            &time::fields::SECOND,
            &time::fields::DECADE,
            &time::fields::CENTURY,
            &time::fields::MILLENNIUM,
            &time::fields::ISOYEAR,
            &time::fields::ISODOW,
            &time::fields::EPOCH,
            &time::fields::MILLISECOND,
            &time::fields::MICROSECOND,
            &time::fields::NANOSECOND,
            &time::rounding::FLOOR_TIME,
            &time::rounding::CEIL_TIME,
            &time::arithmetic::TIMESTAMPDIFF,
            &time::arithmetic::TIMESTAMPADD,
        ],
    ),
    (
        "Conditions",
        &[
            &conditional::IF,
            &conditional::IFNULL,
            &conditional::GREATEST,
            &conditional::LEAST,
            &conditional::TYPEOF,
            &text::kinds::IS_ALPHA,
            &text::kinds::IS_DIGIT,
            &text::kinds::IS_DECIMAL,
        ],
    ),
    (
        "Strings",
        &[
            &text::joining::CONCAT,
            &text::joining::CONCAT_WS,
            &text::joining::ELT,
            &text::slicing::SUBSTRING,
            &text::slicing::LEFT,
            &text::slicing::RIGHT,
            &text::slicing::LPAD,
            &text::slicing::RPAD,
            &text::slicing::OVERLAY,
            &text::slicing::TRANSLATE,
            &text::searching::LOCATE,
            &text::searching::INSTR,
            &text::splitting::SPLIT_INDEX,
            &text::splitting::SPLIT,
            &text::splitting::STR_TO_MAP,
            &text::url::PARSE_URL,
            &text::regexp::REGEXP,
            &text::regexp::REGEXP_EXTRACT,
            &text::regexp::REGEXP_EXTRACT_ALL,
            &text::regexp::REGEXP_REPLACE,
            &text::regexp::REGEXP_COUNT,
            &text::regexp::REGEXP_INSTR,
            &text::regexp::REGEXP_SUBSTR,
        ],
    ),
    (
        "Codes and digests",
        &[
            &text::coding::ASCII,
            &text::coding::CHR,
            &text::coding::TO_BASE64,
            &text::coding::FROM_BASE64,
            &text::coding::HEX,
            &text::coding::UNHEX,
            &text::coding::BIN,
            &text::coding::URL_ENCODE,
            &text::coding::URL_DECODE,
            &text::charset::ENCODE,
            &text::charset::DECODE,
            &text::digest::MD5,
            &text::digest::SHA1,
            &text::digest::SHA224,
            &text::digest::SHA256,
            &text::digest::SHA384,
            &text::digest::SHA512,
            &text::digest::SHA2,
        ],
    ),
    (
        "JSON",
        &[
            &json::JSON_VALUE,
            &json::JSON_QUERY,
            &json::JSON_EXISTS,
            &json::IS_JSON,
            &json::JSON_LENGTH,
            &json::JSON_STRING,
            &json::JSON_QUOTE,
            &json::JSON_UNQUOTE,
            &json::make::JSON_OBJECT,
            &json::make::JSON_OBJECT_ABSENT,
            &json::make::JSON_ARRAY,
            &json::make::JSON_ARRAY_NULL,
            &json::make::JSON,
            &json::clauses::JSON_ELEMENTS,
            &json::clauses::JSON_IS_NULL,
            &json::clauses::JSON_STOP,
        ],
    ),
    (
        "Numbers",
        &[
            &number::MOD,
            &number::POWER,
            &number::SQRT,
            &number::LOG,
            &number::E,
            &number::SIGN,
            &number::FLOOR,
            &number::CEIL,
            &number::ROUND,
            &number::TRUNCATE,
            &number::SHIFTLEFT,
            &number::SHIFTRIGHT,
            &random::RAND,
            &random::RAND_INTEGER,
        ],
    ),
    (
        "Arrays and maps",
        &[
            &collection::CARDINALITY,
            &collection::ELEMENT,
            &collection::ARRAY_CONTAINS,
            &collection::ARRAY_POSITION,
            &collection::ARRAY_APPEND,
            &collection::ARRAY_PREPEND,
            &collection::ARRAY_REMOVE,
            &collection::ARRAY_CONCAT,
            &collection::ARRAY_SLICE,
            &collection::ARRAY_SORT,
            &collection::MAP_FROM_ARRAYS,
            &collection::MAP_UNION,
            &collection::MAP_VALUE,
        ],
    ),
];

/// How a function of [`ALL`] is called.
pub(crate) fn usage(name: &str) -> Option<&'static str> {
    let mut functions = ALL.iter().flat_map(|(_, functions)| functions.iter());
    functions.find(|f| f.names.contains(&name)).map(|f| f.usage)
}

/// Every function, ready to be registered. They read the time from `clock`, which the engine sets once an epoch, and
/// never ask the machine for it.
pub fn all(clock: &EpochClock) -> Vec<ScalarUDF> {
    let functions = ALL.iter().flat_map(|(_, functions)| functions.iter());
    functions.map(|function| ScalarUDF::new_from_impl(FlinkFunction::new(function, clock.clone()))).collect()
}
