//! The escapes of JSON strings.

/// Appends the characters that `raw`, the inside of a string, stands for. The message says what is wrong.
pub(crate) fn unescape(mut raw: &[u8], out: &mut Vec<u8>) -> Result<(), &'static str> {
    loop {
        let Some(at) = memchr::memchr(b'\\', raw) else {
            out.extend_from_slice(raw);
            return Ok(());
        };
        out.extend_from_slice(&raw[..at]);
        let escape = *raw.get(at + 1).ok_or("not valid JSON: a string ends in the middle of an escape")?;
        raw = &raw[at + 2..];
        out.push(match escape {
            b'"' | b'\\' | b'/' => escape,
            b'b' => 0x08,
            b'f' => 0x0C,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let (character, rest) = unicode(raw)?;
                let mut utf8 = [0; 4];
                out.extend_from_slice(character.encode_utf8(&mut utf8).as_bytes());
                raw = rest;
                continue;
            }
            _ => return Err("not valid JSON: a string has an escape that does not exist"),
        });
    }
}

/// The character after `\u`, which may be written as a pair of surrogates, and what follows it.
fn unicode(raw: &[u8]) -> Result<(char, &[u8]), &'static str> {
    const LONE: &str = "not valid Unicode: a string has one half of a surrogate pair";
    let (high, rest) = hex4(raw)?;
    if let Some(c) = char::from_u32(high) {
        return Ok((c, rest));
    }
    let rest = rest.strip_prefix(b"\\u").ok_or(LONE)?;
    let (low, rest) = hex4(rest)?;
    match char::decode_utf16([high as u16, low as u16]).next() {
        Some(Ok(c)) => Ok((c, rest)),
        _ => Err(LONE),
    }
}

fn hex4(raw: &[u8]) -> Result<(u32, &[u8]), &'static str> {
    const HEX: &str = "not valid JSON: a string has a '\\u' without four hexadecimal digits";
    let (digits, rest) = raw.split_first_chunk::<4>().ok_or(HEX)?;
    let mut n = 0;
    for d in digits {
        n = n * 16 + char::from(*d).to_digit(16).ok_or(HEX)?;
    }
    Ok((n, rest))
}
