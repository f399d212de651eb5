//! How what a URL may not hold as it is stands in one.

/// What an URL that cannot be read is answered with.
pub(super) const ENCODE: &str = "in user and password write `/` as %2F, `?` as %3F, `#` as %23, `@` as %40, `:` as %3A and `%` as %25";

/// Without its percent-encoding. A `%` that begins none stays as it is, so that a password with one works; `None` if the
/// result is no text.
pub(super) fn decoded(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let hex = |byte: Option<&u8>| char::from(*byte?).to_digit(16);
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let pair =
            (*byte == b'%').then(|| Some((hex(bytes.get(at + 1))?, hex(bytes.get(at + 2))?)));
        match pair.flatten() {
            Some((high, low)) => {
                decoded.push(u8::try_from(high * 16 + low).ok()?);
                at += 3;
            }
            None => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded)
        .ok()
        .filter(|text| !text.contains('\0'))
}
