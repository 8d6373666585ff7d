//! Little-endian bytes of records and trunk payloads: a writer that cannot fail and a reader that
//! never panics.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use scheme::FixedText;

/// Bytes that are not what they should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Corrupt {
    /// Which value could not be read.
    pub what: &'static str,
    /// Where it stood, in bytes from the start.
    pub offset: usize,
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {} cannot be read", self.what, self.offset)
    }
}

impl core::error::Error for Corrupt {}

/// Appends little-endian values.
pub struct Writer<'a>(pub &'a mut Vec<u8>);

impl Writer<'_> {
    /// One byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.0.push(value);
        self
    }

    /// Two bytes.
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    /// Four bytes.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    /// The low five bytes: an amount (n 12) or an institution code (n 11).
    pub fn u40(&mut self, value: u64) -> &mut Self {
        self.bytes(&value.to_le_bytes()[..5])
    }

    /// Eight bytes.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    /// Sixteen bytes.
    pub fn u128(&mut self, value: u128) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    /// Bytes of a length that the reader knows.
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.0.extend_from_slice(value);
        self
    }

    /// At most 255 bytes behind a length byte; the rest is cut.
    pub fn short(&mut self, value: &[u8]) -> &mut Self {
        let len = u8::try_from(value.len()).unwrap_or(u8::MAX);
        self.u8(len).bytes(&value[..usize::from(len)])
    }

    /// At most 65,535 bytes behind a two-byte length; the rest is cut.
    pub fn long(&mut self, value: &[u8]) -> &mut Self {
        let len = u16::try_from(value.len()).unwrap_or(u16::MAX);
        self.u16(len).bytes(&value[..usize::from(len)])
    }

    /// Fixed text without its padding, behind a length byte.
    pub fn text<const N: usize>(&mut self, text: &FixedText<N>) -> &mut Self {
        self.short(text.as_str().as_bytes())
    }
}

/// Reads what [`Writer`] wrote.
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// From the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The error that says `what` could not be read here.
    pub fn corrupt(&self, what: &'static str) -> Corrupt {
        Corrupt { what, offset: self.at }
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], Corrupt> {
        let end = self.at.checked_add(len).ok_or(self.corrupt(what))?;
        let taken = self.bytes.get(self.at..end).ok_or(self.corrupt(what))?;
        self.at = end;
        Ok(taken)
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at = self.bytes.len();
        rest
    }

    /// How many bytes come after this.
    pub fn left(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Corrupt> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N, what)?);
        Ok(array)
    }

    /// One byte.
    pub fn u8(&mut self, what: &'static str) -> Result<u8, Corrupt> {
        Ok(self.array::<1>(what)?[0])
    }

    /// Two bytes.
    pub fn u16(&mut self, what: &'static str) -> Result<u16, Corrupt> {
        Ok(u16::from_le_bytes(self.array(what)?))
    }

    /// Four bytes.
    pub fn u32(&mut self, what: &'static str) -> Result<u32, Corrupt> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    /// Five bytes.
    pub fn u40(&mut self, what: &'static str) -> Result<u64, Corrupt> {
        let mut wide = [0; 8];
        wide[..5].copy_from_slice(self.take(5, what)?);
        Ok(u64::from_le_bytes(wide))
    }

    /// Eight bytes.
    pub fn u64(&mut self, what: &'static str) -> Result<u64, Corrupt> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    /// Sixteen bytes.
    pub fn u128(&mut self, what: &'static str) -> Result<u128, Corrupt> {
        Ok(u128::from_le_bytes(self.array(what)?))
    }

    /// Bytes behind a length byte.
    pub fn short(&mut self, what: &'static str) -> Result<&'a [u8], Corrupt> {
        let len = usize::from(self.u8(what)?);
        self.take(len, what)
    }

    /// Bytes behind a two-byte length.
    pub fn long(&mut self, what: &'static str) -> Result<&'a [u8], Corrupt> {
        let len = usize::from(self.u16(what)?);
        self.take(len, what)
    }

    /// Fixed text behind a length byte.
    pub fn text<const N: usize>(&mut self, what: &'static str) -> Result<FixedText<N>, Corrupt> {
        let at = self.corrupt(what);
        FixedText::new(self.short(what)?).map_err(|_| at)
    }

    /// UTF-8 behind a length byte.
    pub fn name(&mut self, what: &'static str) -> Result<String, Corrupt> {
        let at = self.corrupt(what);
        core::str::from_utf8(self.short(what)?).map(String::from).map_err(|_| at)
    }

    /// Reads a value that a constructor may refuse.
    pub fn checked<T, V>(
        &mut self,
        what: &'static str,
        read: impl FnOnce(&mut Self, &'static str) -> Result<T, Corrupt>,
        make: impl FnOnce(T) -> Option<V>,
    ) -> Result<V, Corrupt> {
        let at = self.corrupt(what);
        make(read(self, what)?).ok_or(at)
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Refuses leftovers.
    pub fn finish(&self) -> Result<(), Corrupt> {
        if self.is_empty() { Ok(()) } else { Err(self.corrupt("the end")) }
    }
}
