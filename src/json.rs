//! JSON as an answer writes it, read in place: no tree is built, a value is a slice of the answer until someone needs what is in it.
//!
//! The syntax of every byte that is passed over is checked (RFC 8259), and nothing of it is done by recursion, so nesting costs
//! a byte of memory for each level and no stack. What a value means is read leniently: what has another type is none, never an error of the
//! whole answer.
//!
//! `serde_json` writes the requests. As a reader it took 73 kB of the component, a third of that for numbers with a fraction, which this
//! API does not have.

use std::borrow::Cow;
use std::mem;
use std::ops::Range;

use crate::text;

/// How text is not the JSON that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// It ends too early.
    CutShort,
    /// It breaks the syntax.
    Syntax,
    /// It is JSON of another form: no object, no list, or an object with two values for one key.
    OtherForm,
}

/// One value, checked, without white space around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Json<'a> {
    source: &'a str,
    /// Whether the last string in it has escapes: if it is a string, whether it has.
    escaped: bool,
}

impl<'a> Json<'a> {
    /// The only value in a text.
    pub fn read(text: &'a str) -> Result<Self, Broken> {
        let mut scanner = Scanner::new(text.as_bytes());
        let range = scanner.value()?;
        scanner.end()?;
        Ok(Self { source: text.get(range).unwrap_or_default(), escaped: scanner.escaped })
    }

    /// As the answer wrote it.
    pub fn source(self) -> &'a str {
        self.source
    }

    /// The text of a string.
    pub fn text(self) -> Option<String> {
        let inner = self.source.strip_prefix('"')?.strip_suffix('"')?;
        if self.escaped { unescaped(inner) } else { Some(inner.to_owned()) }
    }

    /// A number without a sign that is whole: `3`, or `3.0` as clients with only one kind of number write it.
    pub fn whole_number(self) -> Option<u32> {
        let (digits, zeros) = text::split_once(self.source, ".").unwrap_or((self.source, "0"));
        if zeros.bytes().all(|digit| digit == b'0') { u32::try_from(text::number(digits)?).ok() } else { None }
    }

    /// `true` or `false`.
    pub fn boolean(self) -> Option<bool> {
        match self.source {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    pub fn is_null(self) -> bool {
        self.source == "null"
    }

    /// To go through an object or a list.
    pub fn cursor(self) -> Cursor<'a> {
        Cursor { source: self.source, scanner: Scanner::new(self.source.as_bytes()) }
    }

    /// The values under these keys of an object. None where there is no such key, or null under it.
    pub fn fields<const N: usize>(self, keys: [&str; N]) -> Result<[Option<Self>; N], Broken> {
        let mut found = [None; N];
        find(Object::Text(self.source), &keys, &mut found, &mut |_| false)?;
        Ok(found)
    }
}

/// As [`Json::fields`], of bytes of which only these values need be UTF-8.
///
/// The value under the first of the keys is offered to `read` where it comes, so that it need not be gone through twice. Who has
/// read all of it leaves the cursor at its end and says true. Else it is passed over like the others. An answer that is not all
/// UTF-8 is not offered.
pub fn fields<'a, const N: usize>(
    object: &'a [u8],
    keys: [&str; N],
    read: &mut dyn FnMut(&mut Cursor<'a>) -> bool,
) -> Result<[Option<Json<'a>>; N], Broken> {
    let mut found = [None; N];
    let object = str::from_utf8(object).map_or(Object::Bytes(object), Object::Text);
    find(object, &keys, &mut found, read)?;
    Ok(found)
}

/// What is looked through, which may be known to be UTF-8.
#[derive(Clone, Copy)]
enum Object<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
}

impl<'a> Object<'a> {
    fn bytes(self) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    fn part(self, range: Range<usize>) -> Option<&'a str> {
        match self {
            Self::Text(text) => text.get(range),
            Self::Bytes(bytes) => str::from_utf8(bytes.get(range)?).ok(),
        }
    }
}

/// Apart from `fields`, so that the component holds it once for all numbers of keys.
fn find<'a>(
    object: Object<'a>,
    keys: &[&str],
    found: &mut [Option<Json<'a>>],
    read: &mut dyn FnMut(&mut Cursor<'a>) -> bool,
) -> Result<(), Broken> {
    let mut seen = 0_u32;
    let mut scanner = Scanner::new(object.bytes());
    scanner.open(Brackets::OBJECT)?;
    while scanner.has_more(Brackets::OBJECT)? {
        let key = scanner.key()?;
        let key = object.part(key).and_then(|key| meant(key, scanner.escaped));
        let index = key.and_then(|key| keys.iter().position(|wanted| *wanted == key));
        let value = match object {
            Object::Text(source) if index == Some(0) => {
                let mut cursor = Cursor { source, scanner };
                cursor.scanner.peek()?;
                let start = cursor.scanner.at();
                if read(&mut cursor) {
                    scanner = cursor.scanner;
                    start..scanner.at()
                } else {
                    scanner.value()?
                }
            }
            _ => scanner.value()?,
        };
        let Some(index) = index else { continue };
        let bit = u32::try_from(index).ok().and_then(|index| 1_u32.checked_shl(index)).unwrap_or(0);
        if seen & bit != 0 {
            return Err(Broken::OtherForm);
        }
        seen |= bit;
        let source = object.part(value).ok_or(Broken::Syntax)?;
        if let Some(place) = found.get_mut(index) {
            *place = Some(Json { source, escaped: scanner.escaped }).filter(|value| !value.is_null());
        }
    }
    scanner.end()
}

/// A place in a value. Who goes through it opens each bracket, asks for each part whether there is one, and reads it.
#[derive(Clone, Copy)]
pub struct Cursor<'a> {
    source: &'a str,
    scanner: Scanner<'a>,
}

impl<'a> Cursor<'a> {
    /// Passes the first bracket.
    pub fn open(&mut self, brackets: Brackets) -> Result<(), Broken> {
        self.scanner.open(brackets)
    }

    /// Whether there is another part before the last bracket, which is passed if not.
    pub fn has_more(&mut self, brackets: Brackets) -> Result<bool, Broken> {
        self.scanner.has_more(brackets)
    }

    /// The key of a member, as it is meant.
    pub fn key(&mut self) -> Result<Cow<'a, str>, Broken> {
        let key = self.scanner.key()?;
        meant(self.source.get(key).unwrap_or_default(), self.scanner.escaped).ok_or(Broken::Syntax)
    }

    /// The value of a member, or an element.
    pub fn value(&mut self) -> Result<Json<'a>, Broken> {
        let value = self.scanner.value()?;
        Ok(Json { source: self.source.get(value).unwrap_or_default(), escaped: self.scanner.escaped })
    }
}

/// What stands around an object or a list.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Brackets {
    first: u8,
    last: u8,
}

impl Brackets {
    pub const OBJECT: Self = Self { first: b'{', last: b'}' };
    pub const LIST: Self = Self { first: b'[', last: b']' };
}

/// Goes through the bytes of a text once.
#[derive(Clone, Copy)]
struct Scanner<'a> {
    length: usize,
    rest: &'a [u8],
    /// Whether a bracket has just been opened, so that no comma stands before the next part.
    opened: bool,
    /// Whether the last string that was passed has escapes.
    escaped: bool,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self { length: text.len(), rest: text, opened: false, escaped: false }
    }

    fn at(&self) -> usize {
        self.length.saturating_sub(self.rest.len())
    }

    fn step(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    /// The next byte that is not white space.
    fn peek(&mut self) -> Result<u8, Broken> {
        while let Some((first, rest)) = self.rest.split_first() {
            if !matches!(first, b' ' | b'\n' | b'\r' | b'\t') {
                return Ok(*first);
            }
            self.rest = rest;
        }
        Err(Broken::CutShort)
    }

    fn expect(&mut self, byte: u8) -> Result<(), Broken> {
        if self.peek()? != byte {
            return Err(Broken::Syntax);
        }
        self.step();
        Ok(())
    }

    /// Nothing but white space is left.
    fn end(&mut self) -> Result<(), Broken> {
        match self.peek() {
            Err(_) => Ok(()),
            Ok(_) => Err(Broken::Syntax),
        }
    }

    fn open(&mut self, brackets: Brackets) -> Result<(), Broken> {
        if self.peek()? != brackets.first {
            self.value()?;
            return Err(Broken::OtherForm);
        }
        self.step();
        self.opened = true;
        Ok(())
    }

    fn has_more(&mut self, brackets: Brackets) -> Result<bool, Broken> {
        let is_first = mem::replace(&mut self.opened, false);
        if self.peek()? == brackets.last {
            self.step();
            return Ok(false);
        }
        if !is_first {
            self.expect(b',')?;
        }
        Ok(true)
    }

    /// A value of any kind.
    fn value(&mut self) -> Result<Range<usize>, Broken> {
        let mut open = Vec::new();
        self.escaped = false;
        self.peek()?;
        let start = self.at();
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                }
                bracket @ (b'{' | b'[') => {
                    self.step();
                    let close = if bracket == b'{' { b'}' } else { b']' };
                    if self.peek()? != close {
                        open.push(close);
                        if close == b'}' {
                            self.key()?;
                        }
                        continue;
                    }
                    self.step();
                }
                b't' => self.word(b"true")?,
                b'f' => self.word(b"false")?,
                b'n' => self.word(b"null")?,
                _ => self.number()?,
            }
            // A value has ended: so may what it is in.
            loop {
                let Some(close) = open.last().copied() else {
                    return Ok(start..self.at());
                };
                let next = self.peek()?;
                self.step();
                if next == close {
                    open.pop();
                } else if next == b',' {
                    if close == b'}' {
                        self.key()?;
                    }
                    break;
                } else {
                    return Err(Broken::Syntax);
                }
            }
        }
    }

    /// A key and its colon. The range is that of what is between the quotes.
    fn key(&mut self) -> Result<Range<usize>, Broken> {
        if self.peek()? != b'"' {
            return Err(Broken::Syntax);
        }
        let key = self.string()?;
        self.expect(b':')?;
        Ok(key)
    }

    /// A string from its opening quote on. The range is that of what is between the quotes.
    fn string(&mut self) -> Result<Range<usize>, Broken> {
        self.step();
        self.escaped = false;
        let start = self.at();
        loop {
            self.rest = self.rest.get(plain(self.rest)..).unwrap_or_default();
            let end = self.at();
            let Some((byte, rest)) = self.rest.split_first() else {
                return Err(Broken::CutShort);
            };
            self.rest = rest;
            match byte {
                b'"' => return Ok(start..end),
                b'\\' => {
                    self.escaped = true;
                    self.escape()?;
                }
                _ => return Err(Broken::Syntax),
            }
        }
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Result<(), Broken> {
        let Some((byte, rest)) = self.rest.split_first() else {
            return Err(Broken::CutShort);
        };
        self.rest = rest;
        match byte {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => return Ok(()),
            b'u' => {}
            _ => return Err(Broken::Syntax),
        }
        let Some((digits, rest)) = self.rest.split_at_checked(4) else {
            return Err(Broken::CutShort);
        };
        self.rest = rest;
        if digits.iter().all(u8::is_ascii_hexdigit) { Ok(()) } else { Err(Broken::Syntax) }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Broken> {
        match self.rest.strip_prefix(word) {
            Some(rest) => {
                self.rest = rest;
                Ok(())
            }
            None if word.starts_with(self.rest) => Err(Broken::CutShort),
            None => Err(Broken::Syntax),
        }
    }

    fn number(&mut self) -> Result<(), Broken> {
        self.skip(b"-");
        if !self.skip(b"0") {
            self.digits()?;
        }
        if self.skip(b".") {
            self.digits()?;
        }
        if self.skip(b"eE") {
            self.skip(b"+-");
            self.digits()?;
        }
        Ok(())
    }

    /// Passes one of these, if it is next.
    fn skip(&mut self, any: &[u8]) -> bool {
        let is_next = self.rest.first().is_some_and(|first| any.contains(first));
        if is_next {
            self.step();
        }
        is_next
    }

    /// At least one digit.
    fn digits(&mut self) -> Result<(), Broken> {
        let end = self.rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(self.rest.len());
        if end == 0 {
            return Err(if self.rest.is_empty() { Broken::CutShort } else { Broken::Syntax });
        }
        self.rest = self.rest.get(end..).unwrap_or_default();
        Ok(())
    }
}

/// How many bytes there are before the first that means something in a string: a quote, a backslash, or a control character, which must
/// not be there. Eight at a time, since most of an answer is such text.
fn plain(text: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHEST: u64 = u64::from_ne_bytes([0x80; 8]);
    const QUOTES: u64 = u64::from_ne_bytes([b'"'; 8]);
    const BACKSLASHES: u64 = u64::from_ne_bytes([b'\\'; 8]);
    const SPACES: u64 = u64::from_ne_bytes([b' '; 8]);
    let mut rest = text;
    while let Some((word, after)) = rest.split_first_chunk() {
        let word = u64::from_le_bytes(*word);
        // The highest bit of a byte that is below the one at its place; above the first of them a borrow can make others.
        let below = |word: u64, bytes: u64| word.wrapping_sub(bytes) & !word & HIGHEST;
        let found = below(word ^ QUOTES, ONES) | below(word ^ BACKSLASHES, ONES) | below(word, SPACES);
        if found != 0 {
            let before = usize::try_from(found.trailing_zeros() >> 3).unwrap_or(0);
            return text.len().saturating_sub(rest.len()).saturating_add(before);
        }
        rest = after;
    }
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
    let tail = rest.iter().position(is_special).unwrap_or(rest.len());
    text.len().saturating_sub(rest.len()).saturating_add(tail)
}

/// What is meant by a string of checked syntax, which may have escapes or has none.
fn meant(inner: &str, escaped: bool) -> Option<Cow<'_, str>> {
    if escaped { unescaped(inner).map(Cow::Owned) } else { Some(Cow::Borrowed(inner)) }
}

/// What is meant by a string of checked syntax; none if it has half of a surrogate pair, which no text can hold.
fn unescaped(mut rest: &str) -> Option<String> {
    let mut text = String::new();
    loop {
        let (before, escape) = rest.split_at_checked(plain(rest.as_bytes()))?;
        text.push_str(before);
        let mut characters = escape.chars();
        if characters.next().is_none() {
            return Some(text);
        }
        let character = match characters.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let (character, after) = unicode_escape(characters.as_str())?;
                characters = after.chars();
                character
            }
            itself => itself,
        };
        text::push(&mut text, character);
        rest = characters.as_str();
    }
}

/// The character of four hexadecimal digits, or of two times four of a pair, and what follows.
fn unicode_escape(text: &str) -> Option<(char, &str)> {
    let (unit, rest) = unit(text)?;
    if !(0xd800..0xdc00).contains(&unit) {
        return Some((char::from_u32(unit)?, rest));
    }
    let (low, rest) = self::unit(rest.strip_prefix("\\u")?)?;
    let pair = [u16::try_from(unit).ok()?, u16::try_from(low).ok()?];
    Some((char::decode_utf16(pair).next()?.ok()?, rest))
}

fn unit(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    Some((u32::from_str_radix(digits, 16).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;
    use serde_json::value::RawValue;

    use super::*;

    fn json(text: &str) -> Json<'_> {
        Json::read(text).expect("JSON")
    }

    #[test]
    fn values_of_another_type_are_none() {
        assert_eq!(json(r#""a\u00e9\"""#).text().as_deref(), Some("a\u{e9}\""));
        assert_eq!(json("\"plain\"").text().as_deref(), Some("plain"));
        assert_eq!(json("3").text(), None);
        for (text, number) in [
            ("3", Some(3)),
            ("3.0", Some(3)),
            ("3.5", None),
            ("-3", None),
            ("\"3\"", None),
            ("4294967296", None),
            ("1e2", None),
        ] {
            assert_eq!(json(text).whole_number(), number, "{text}");
        }
        assert_eq!((json("true").boolean(), json("1").boolean()), (Some(true), None));
        assert!(json("null").is_null());
    }

    #[test]
    fn escapes_mean_what_the_standard_says() {
        for (source, text) in [
            (r#""\"\\\/\b\f\n\r\t""#, Some("\"\\/\u{8}\u{c}\n\r\t")),
            (r#""\u0041\ud83d\uDE00\u20ac""#, Some("A\u{1f600}\u{20ac}")),
            (r#""a\nb\nc""#, Some("a\nb\nc")),
            (r#""\ud83d""#, None),
            (r#""\ud83d\n""#, None),
            (r#""\ud83d\u0041""#, None),
            (r#""\ude00""#, None),
        ] {
            assert_eq!(json(source).text().as_deref(), text, "{source}");
        }
    }

    #[test]
    fn text_that_ends_too_early_is_told_from_text_that_is_wrong() {
        for text in [
            "",
            " ",
            "{",
            "[1",
            "[1,",
            r#"{"a"#,
            r#"{"a""#,
            r#"{"a":"#,
            r#"{"a":1,"#,
            "tru",
            "-",
            "1.",
            "1e",
            "1e+",
            r#""\"#,
            r#""\u12"#,
        ] {
            assert_eq!(Json::read(text), Err(Broken::CutShort), "{text}");
        }
        for text in [
            "}",
            "[1 2]",
            "[,]",
            "[1,]",
            r#"{"a":1,}"#,
            "{1:2}",
            r#"{"a" 1}"#,
            r#"{"a":1]"#,
            "[1}",
            "trux",
            "01",
            "+1",
            ".5",
            "1.x",
            "1ex",
            r#""\x""#,
            r#""\u12g4""#,
            "\"\n\"",
            "1 2",
            "nul ",
            "<html>",
            "'a'",
            "\u{feff}1",
        ] {
            assert_eq!(Json::read(text), Err(Broken::Syntax), "{text}");
        }
    }

    #[test]
    fn a_key_counts_as_it_is_meant_and_only_once_and_null_is_none() {
        let object = json(r#" {"\u0061":1, "b" : null, "other":{"a":2}, "other":3} "#);
        assert_eq!(object.fields(["a", "b", "c"]), Ok([Some(json("1")), None, None]));
        assert_eq!(json(r#"{"a":1,"a":1}"#).fields(["a"]), Err(Broken::OtherForm));
        assert_eq!(json(r#"{"b":null,"b":1}"#).fields(["b"]), Err(Broken::OtherForm));
        assert_eq!(json("[1]").fields(["a"]), Err(Broken::OtherForm));
        let ignored = b"{\"other\":\"\xff\",\"a\":1}";
        assert_eq!(fields(ignored, ["a"], &mut |_| panic!("offered")), Ok([Some(json("1"))]));
        assert_eq!(fields(ignored, ["other"], &mut |_| false), Err(Broken::Syntax));
    }

    #[test]
    fn the_first_of_the_fields_is_read_where_it_comes_and_passed_over_if_it_was_not() {
        let object = br#"{"b":[1],"a": {"x":["\n"], "y":2} ,"c":3}"#;
        for reads_all in [true, false] {
            let mut offered = 0;
            let mut read = |cursor: &mut Cursor<'_>| {
                offered += 1;
                assert_eq!(cursor.open(Brackets::OBJECT), Ok(()));
                for key in ["x", "y"] {
                    assert_eq!((cursor.has_more(Brackets::OBJECT), cursor.key().as_deref()), (Ok(true), Ok(key)));
                    cursor.value().expect("a value");
                }
                reads_all && cursor.has_more(Brackets::OBJECT) == Ok(false)
            };
            let found = fields(object, ["a", "b", "c"], &mut read).expect("an object");
            let sources = found.map(|value| value.map(Json::source));
            assert_eq!(sources, [Some(r#"{"x":["\n"], "y":2}"#), Some("[1]"), Some("3")]);
            assert_eq!(offered, 1);
        }
        let twice = br#"{"a":[],"a":[]}"#;
        assert_eq!(fields(twice, ["a"], &mut |cursor| cursor.value().is_ok()), Err(Broken::OtherForm));
    }

    fn piece() -> impl Strategy<Value = String> {
        let pieces = [
            "{", "}", "[", "]", ",", ":", "\"", "\"a\"", "\"b\":", "\\", "\\u00e9", "\\ud83d", "0", "1", "-", ".", "e",
            "+", "true", "null", "false", " ", "\n", "\t", "\u{1}", "\u{e9}",
        ];
        select(pieces.to_vec()).prop_map(str::to_owned)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100_000))]

        #[test]
        fn it_accepts_what_serde_json_accepts_and_sees_the_same_values(pieces in vec(piece(), 0..12)) {
            let text = pieces.concat();
            let theirs = serde_json::from_str::<&RawValue>(&text).ok();
            let ours = Json::read(&text).ok();
            assert_eq!(ours.map(Json::source), theirs.map(RawValue::get), "{text}");
            if let Some(ours) = ours {
                assert_eq!(ours.text(), serde_json::from_str(&text).ok(), "{text}");
                assert_eq!(elements(ours), serde_json::from_str::<Vec<&RawValue>>(&text).ok().map(sources), "{text}");
            }
        }

        #[test]
        fn what_serde_json_writes_is_read_back(text in ".{0,40}", keys in vec("[a-c\\PC]{1,3}", 0..6)) {
            let written = serde_json::to_string(&text).expect("JSON");
            assert_eq!(json(&written).text(), Some(text));
            let object = format!("{{{}}}", keys.iter().map(|key| format!("{}: [1, {{}}]", serde_json::Value::from(key.as_str()))).collect::<Vec<_>>().join(","));
            let mut cursor = json(&object).cursor();
            cursor.open(Brackets::OBJECT).expect("an object");
            let mut read = Vec::new();
            while cursor.has_more(Brackets::OBJECT).expect("a member") {
                read.push(cursor.key().expect("a key").into_owned());
                assert_eq!(cursor.value().expect("a value").source(), "[1, {}]");
            }
            assert_eq!(read, keys);
        }
    }

    fn elements(list: Json<'_>) -> Option<Vec<&str>> {
        let mut cursor = list.cursor();
        cursor.open(Brackets::LIST).ok()?;
        let mut sources = Vec::new();
        while cursor.has_more(Brackets::LIST).expect("JSON") {
            sources.push(cursor.value().expect("JSON").source());
        }
        Some(sources)
    }

    fn sources(values: Vec<&RawValue>) -> Vec<&str> {
        values.into_iter().map(RawValue::get).collect()
    }
}
