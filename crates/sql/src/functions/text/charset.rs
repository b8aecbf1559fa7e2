//! Texts as bytes of a character set: `ENCODE` and `DECODE`.

use std::sync::Arc;

use arrow::array::BinaryBuilder;
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::functions::encoding;

use super::super::declaration::{Function, Kind, takes};

/// The forms that only DataFusion's `encode` and `decode` know.
fn is_datafusions(form: &str) -> bool {
    matches!(form.to_ascii_lowercase().as_str(), "base64" | "base64pad" | "hex")
}

#[derive(Clone, Copy)]
enum Charset {
    Ascii,
    Latin1,
    Utf8,
    Utf16 { big: bool, mark: bool },
}

impl Charset {
    fn parse(name: &str) -> Result<Self> {
        Ok(match name.to_ascii_uppercase().as_str() {
            "US-ASCII" | "ASCII" => Self::Ascii,
            "ISO-8859-1" | "LATIN1" => Self::Latin1,
            "UTF-8" | "UTF8" => Self::Utf8,
            "UTF-16BE" => Self::Utf16 { big: true, mark: false },
            "UTF-16LE" => Self::Utf16 { big: false, mark: false },
            "UTF-16" => Self::Utf16 { big: true, mark: true },
            _ => {
                return exec_err!(
                    "there is no character set '{name}'; there are US-ASCII, ISO-8859-1, UTF-8, UTF-16BE, UTF-16LE, UTF-16"
                );
            }
        })
    }

    /// What a character set does not have becomes a question mark.
    fn encode(self, text: &str) -> Vec<u8> {
        let narrow = |most: u32| text.chars().map(|c| if (c as u32) <= most { c as u8 } else { b'?' }).collect();
        match self {
            Self::Ascii => narrow(0x7F),
            Self::Latin1 => narrow(0xFF),
            Self::Utf8 => text.into(),
            Self::Utf16 { big, mark } => {
                let units = mark.then_some(0xFEFF).into_iter().chain(text.encode_utf16());
                units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
            }
        }
    }

    /// What is not of the character set becomes the replacement character.
    fn decode(self, bytes: &[u8], out: &mut String) {
        match self {
            Self::Ascii => out.extend(bytes.iter().map(|b| if b.is_ascii() { char::from(*b) } else { '\u{FFFD}' })),
            Self::Latin1 => out.extend(bytes.iter().map(|b| char::from(*b))),
            Self::Utf8 => out.push_str(&String::from_utf8_lossy(bytes)),
            Self::Utf16 { big, mark } => {
                let (big, bytes) = match bytes {
                    [0xFE, 0xFF, rest @ ..] if mark => (true, rest),
                    [0xFF, 0xFE, rest @ ..] if mark => (false, rest),
                    _ => (big, bytes),
                };
                let units = bytes.chunks_exact(2).map(|pair| {
                    let pair = [pair[0], pair[1]];
                    if big { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
                });
                out.extend(char::decode_utf16(units).map(|c| c.unwrap_or('\u{FFFD}')));
            }
        }
    }
}

pub(in super::super) static ENCODE: Function = Function {
    names: &["encode"],
    usage: "ENCODE(string, charset)",
    about: "The text as BYTES of a character set: US-ASCII, ISO-8859-1, UTF-8, UTF-16BE, UTF-16LE or UTF-16. With \
            'base64' or 'hex' it is DataFusion's function, which gives a text.",
    examples: &[
        ("encode('aü', 'UTF-8')", "61c3bc"),
        ("encode('aü€', 'ISO-8859-1')", "61fc3f"),
        ("encode('a', 'UTF-16')", "feff0061"),
        ("encode(CAST(NULL AS STRING), 'UTF-8')", "NULL"),
    ],
    types: |args| takes(args, &[Kind::Bytes, Kind::Text], 2, DataType::Binary),
    by_value: Some(|_, values| values[1]?.try_as_str()?.is_some_and(is_datafusions).then_some(DataType::Utf8)),
    compute: |call| {
        if call.result_type() == &DataType::Utf8 {
            return call.delegate(&encoding::encode());
        }
        let (text, charset) = (call.bytes(0)?, call.text(1)?);
        let mut out = BinaryBuilder::new();
        for row in 0..call.rows {
            match text.at(row).zip(charset.at(row)) {
                Some((text, charset)) => {
                    out.append_value(Charset::parse(charset)?.encode(&String::from_utf8_lossy(text)));
                }
                None => out.append_null(),
            }
        }
        Ok(Arc::new(out.finish()))
    },
    ..Function::PLAIN
};

pub(in super::super) static DECODE: Function = Function {
    names: &["decode"],
    usage: "DECODE(bytes, charset)",
    about: "The text that the bytes are in a character set (as for ENCODE). With 'base64' or 'hex' it is DataFusion's \
            function, which gives bytes.",
    examples: &[
        ("decode(encode('aü', 'UTF-16LE'), 'UTF-16LE')", "aü"),
        ("decode(unhex('61FC'), 'ISO-8859-1')", "aü"),
        ("decode(unhex('61FC'), 'UTF-8')", "a\u{FFFD}"),
    ],
    types: |args| takes(args, &[Kind::Bytes, Kind::Text], 2, DataType::Utf8),
    by_value: Some(|_, values| values[1]?.try_as_str()?.is_some_and(is_datafusions).then_some(DataType::Binary)),
    compute: |call| {
        if call.result_type() == &DataType::Binary {
            return call.delegate(&encoding::decode());
        }
        let (bytes, charset) = (call.bytes(0)?, call.text(1)?);
        call.written(|row, out| {
            let (Some(bytes), Some(charset)) = (bytes.at(row), charset.at(row)) else { return Ok(None) };
            Charset::parse(charset)?.decode(bytes, out);
            Ok(Some(()))
        })
    },
    ..Function::PLAIN
};

#[cfg(test)]
mod tests {
    use super::super::super::tests::check_constant;

    #[test]
    fn base64_and_hex_are_datafusions() {
        check_constant("encode('hello', 'hex')", "68656c6c6f");
        check_constant("decode('68656c6c6f', 'hex')", "68656c6c6f");
    }

    #[test]
    fn an_unknown_charset_is_an_error() {
        check_constant(
            "encode('hello', 'EBCDIC')",
            "Execution error: there is no character set 'EBCDIC'; there are US-ASCII, ISO-8859-1, UTF-8, UTF-16BE, UTF-16LE, UTF-16",
        );
    }
}
