//! `fields.NAME.*`: what each column is to hold.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, make_array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{self, DataType, Schema};
use tidemill_core::option::parse_duration;
use tidemill_core::{Error, Micros, OptionValues, Result};

use super::nested;
use super::scalar::{self, Limits};
use crate::random::Random;

/// Makes the values of a column: the value of a row depends on its number alone.
pub(crate) trait Values: Send + Sync + std::fmt::Debug {
    /// One value for each of `rows`, which are made at `times`.
    fn values(&self, rows: &[u64], times: &[Micros]) -> Result<ArrayRef>;
}

/// One column, or a part of one.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    values: Arc<dyn Values>,
    null_rate: f64,
    nulls: Random,
    /// How many rows a sequence has.
    pub(crate) rows: Option<u64>,
}

impl Field {
    /// One value for each of `rows`, which are made at `times`; NULL as often as was asked for.
    pub(crate) fn values(&self, rows: &[u64], times: &[Micros]) -> Result<ArrayRef> {
        let values = self.values.values(rows, times)?;
        if self.null_rate <= 0.0 {
            return Ok(values);
        }
        let nulls = rows.iter().map(|r| self.nulls.unit(*r) >= self.null_rate).collect::<NullBuffer>();
        let data = values.to_data().into_builder().nulls(Some(nulls)).build()?;
        Ok(make_array(data))
    }
}

/// All columns of `schema`. An option that belongs to none of them is refused.
pub(crate) fn parse(schema: &Schema, options: &OptionValues, random: Random) -> Result<Vec<Field>> {
    let reader = Reader { options, asked: RefCell::default() };
    let fields = schema.fields().iter().map(|f| reader.field(&format!("fields.{}", f.name()), f, random, true));
    let fields = fields.collect::<Result<Vec<_>>>()?;
    let asked = reader.asked.into_inner();
    for name in options.0.keys().filter(|n| n.starts_with("fields.")) {
        if !asked.contains(name) {
            return Err(Error::statement(format!("connector 'datagen' has no use for the option '{name}'"))
                .with_nearest(name, asked.iter().map(String::as_str)));
        }
    }
    Ok(fields)
}

/// Reads options and remembers which it was asked for.
pub(crate) struct Reader<'a> {
    options: &'a OptionValues,
    asked: RefCell<BTreeSet<String>>,
}

impl Reader<'_> {
    /// What `field` is to hold, by the options that begin with `prefix`.
    pub(crate) fn field(&self, prefix: &str, field: &datatypes::Field, random: Random, top: bool) -> Result<Field> {
        let random = random.named(prefix);
        let kind = self.text(prefix, "kind").unwrap_or("random").trim().to_ascii_lowercase();
        let null_rate = self.number(prefix, "null-rate")?.unwrap_or(0.0);
        if !(0.0..=1.0).contains(&null_rate) {
            return Err(Error::statement(format!(
                "option '{prefix}.null-rate' is {null_rate}, which is not between 0 and 1"
            )));
        }
        if null_rate > 0.0 && !field.is_nullable() {
            return Err(Error::statement(format!(
                "option '{prefix}.null-rate' is above 0, but the column is NOT NULL"
            )));
        }
        let mut rows = None;
        let values: Arc<dyn Values> = match kind.as_str() {
            "sequence" if top => {
                let (start, end) = (self.int(prefix, "start")?, self.int(prefix, "end")?);
                let (Some(start), Some(end)) = (start, end) else {
                    return Err(Error::statement(format!("a sequence needs '{prefix}.start' and '{prefix}.end'")));
                };
                rows = Some(u64::try_from(i128::from(end) - i128::from(start) + 1).unwrap_or(0));
                scalar::sequence(field.data_type(), start, prefix)?
            }
            "sequence" => {
                return Err(Error::unsupported(format!(
                    "'{prefix}.kind': only a column can be a sequence, not a part of one"
                )));
            }
            "random" => match field.data_type() {
                DataType::Struct(_) | DataType::List(_) | DataType::Map(..) => {
                    nested::parse(self, prefix, field, random)?
                }
                scalar => scalar::random(scalar, random, &self.limits(prefix, scalar)?, prefix)?,
            },
            other => {
                return Err(Error::statement(format!("option '{prefix}.kind' does not know '{other}'"))
                    .with_nearest(other, ["random", "sequence"]));
            }
        };
        Ok(Field { values, null_rate, nulls: random.named("null"), rows })
    }

    fn limits(&self, prefix: &str, of: &DataType) -> Result<Limits> {
        let owned = |v: Option<&str>| v.map(str::to_owned);
        let mut limits = Limits::default();
        if of.is_numeric() {
            limits.min = owned(self.text(prefix, "min"));
            limits.max = owned(self.text(prefix, "max"));
        } else if matches!(of, DataType::Utf8 | DataType::Binary) {
            limits.length = self.length(prefix, 100)?;
            limits.var_len = self.var_len(prefix)?;
        } else if matches!(of, DataType::Timestamp(..)) {
            let past =
                self.text(prefix, "max-past").map(|v| parse_duration(&format!("{prefix}.max-past"), v)).transpose()?;
            limits.max_past = past.map_or(0, |d| Micros::try_from(d.as_micros()).unwrap_or(Micros::MAX));
        }
        Ok(limits)
    }

    /// `.length`: not negative, and not so long that a batch cannot hold it.
    pub(crate) fn length(&self, prefix: &str, default: u64) -> Result<u64> {
        let length = self.int(prefix, "length")?.unwrap_or(default.cast_signed());
        u64::try_from(length).ok().filter(|l| *l <= 1 << 20).ok_or_else(|| {
            Error::statement(format!("option '{prefix}.length' is {length}, which is not between 0 and 1048576"))
        })
    }

    /// `.var-len`: whether lengths differ, from 1 to `.length`.
    pub(crate) fn var_len(&self, prefix: &str) -> Result<bool> {
        match self.text(prefix, "var-len").map(str::trim) {
            None => Ok(false),
            Some(v) if v.eq_ignore_ascii_case("true") => Ok(true),
            Some(v) if v.eq_ignore_ascii_case("false") => Ok(false),
            Some(v) => {
                Err(Error::statement(format!("option '{prefix}.var-len' is '{v}', which is not 'true' or 'false'")))
            }
        }
    }

    fn text(&self, prefix: &str, name: &str) -> Option<&str> {
        let name = format!("{prefix}.{name}");
        let value = self.options.get(&name);
        self.asked.borrow_mut().insert(name);
        value
    }

    fn int(&self, prefix: &str, name: &str) -> Result<Option<i64>> {
        self.parsed(prefix, name, "a whole number")
    }

    fn number(&self, prefix: &str, name: &str) -> Result<Option<f64>> {
        self.parsed(prefix, name, "a number")
    }

    fn parsed<T: std::str::FromStr>(&self, prefix: &str, name: &str, what: &str) -> Result<Option<T>> {
        let Some(value) = self.text(prefix, name) else { return Ok(None) };
        value
            .trim()
            .parse()
            .map(Some)
            .map_err(|_| Error::statement(format!("option '{prefix}.{name}' is '{value}', which is not {what}")))
    }
}
