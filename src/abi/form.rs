//! The forms of values in memory, as the Canonical ABI of the component model lays them down.
//!
//! Source: <https://github.com/WebAssembly/component-model/blob/main/design/mvp/CanonicalABI.md>, "Loading" and "Storing".

use std::alloc::{Layout, dealloc};
use std::any::Any;
use std::borrow::Cow;
use std::ptr::{NonNull, slice_from_raw_parts_mut};
use std::slice;

/// A type that has a form in linear memory.
pub trait Form {
    /// Bytes, a multiple of the alignment.
    const SIZE: usize;
    /// Bytes, a power of two.
    const ALIGN: usize;
}

/// A type of arguments.
pub trait Lift: Form {
    /// Takes over what the host has put at `from`, and the blocks that it points to.
    ///
    /// # Safety
    /// A valid form of the type is there, and nothing else takes it.
    unsafe fn lift(from: *const u8) -> Self;
}

/// Gives a block back that the host has got from `cabi_realloc`, which takes it from the allocator.
///
/// # Safety
/// It has this size and alignment, and nothing uses it any more.
pub unsafe fn give_back(block: *mut u8, size: usize, alignment: usize) {
    if size > 0
        && let Ok(layout) = Layout::from_size_align(size, alignment)
    {
        // SAFETY: the caller says so.
        unsafe { dealloc(block, layout) };
    }
}

/// A type of results.
pub trait Lower: Form {
    /// Writes the form to `to`. It points into the value itself and into `blocks`.
    ///
    /// # Safety
    /// As many bytes as the form has can be written there.
    unsafe fn lower(&self, to: *mut u8, blocks: &mut Blocks);
}

/// Memory of the forms of lists.
#[derive(Default)]
pub struct Blocks(Vec<Box<[u64]>>);

impl Blocks {
    /// Zeroed memory that stays where it is for as long as this lives.
    fn add(&mut self, bytes: usize) -> *mut u8 {
        if bytes == 0 {
            return NonNull::<u64>::dangling().as_ptr().cast();
        }
        let mut block = vec![0_u64; bytes.div_ceil(size_of::<u64>())].into_boxed_slice();
        let start = block.as_mut_ptr().cast();
        self.0.push(block);
        start
    }
}

/// Room for the longest form of a result, that of `rotate-with-overlap`: 160 bytes where a pointer has four.
const WORDS: usize = POINTER * 5;

/// A result that the host reads, until `cabi_post` drops it. Its form comes first, so the host finds it at the address of the whole.
#[repr(C)]
pub struct Returned {
    form: [u64; WORDS],
    blocks: Blocks,
    value: Box<dyn Any>,
}

/// Gives a result to the host, which reads it at the returned place.
pub fn give<T: Lower + 'static>(value: T) -> *mut Returned {
    const { assert!(T::SIZE <= size_of::<[u64; WORDS]>()) };
    let value = Box::new(value);
    let mut blocks = Blocks::default();
    let mut form = [0; WORDS];
    // SAFETY: the form is as long as any.
    unsafe { value.lower(form.as_mut_ptr().cast(), &mut blocks) };
    Box::into_raw(Box::new(Returned { form, blocks, value }))
}

/// Goes through the fields of a record.
pub struct Fields {
    record: *const u8,
    offset: usize,
}

impl Fields {
    pub fn lifted(record: *const u8) -> Self {
        Self { record, offset: 0 }
    }

    pub fn lowered(record: *mut u8) -> Self {
        Self::lifted(record.cast_const())
    }

    fn next<T: Form>(&mut self) -> *const u8 {
        let start = self.offset.next_multiple_of(T::ALIGN);
        self.offset = start.wrapping_add(T::SIZE);
        self.record.wrapping_add(start)
    }

    /// # Safety
    /// As [`Lift::lift`], for the type of the next field.
    pub unsafe fn lift<T: Lift>(&mut self) -> T {
        // SAFETY: the caller says so.
        unsafe { T::lift(self.next::<T>()) }
    }

    /// # Safety
    /// As [`Lower::lower`], for the type of the next field.
    pub unsafe fn lower<T: Lower>(&mut self, value: &T, blocks: &mut Blocks) {
        // SAFETY: the caller says so.
        unsafe { value.lower(self.next::<T>().cast_mut(), blocks) }
    }
}

/// The alignment of what has parts with these alignments; the size of a payload that may be one of these.
pub const fn largest(numbers: &[usize]) -> usize {
    let mut largest = 0;
    let mut rest = numbers;
    while let Some((first, after)) = rest.split_first() {
        if *first > largest {
            largest = *first;
        }
        rest = after;
    }
    largest
}

/// The size of a record of fields with these sizes and alignments.
pub const fn size(fields: &[(usize, usize)], alignment: usize) -> usize {
    let mut end = 0_usize;
    let mut rest = fields;
    while let Some((&(size, alignment), after)) = rest.split_first() {
        end = end.next_multiple_of(alignment).wrapping_add(size);
        rest = after;
    }
    end.next_multiple_of(alignment)
}

/// A variant has one byte for the case, then the longest of the payloads.
macro_rules! variant_form {
    ($($payload:ty),*) => {
        const ALIGN: usize = $crate::abi::form::largest(&[1, $(<$payload>::ALIGN),*]);
        const SIZE: usize = {
            let longest = $crate::abi::form::largest(&[$(<$payload>::SIZE),*]);
            $crate::abi::form::size(&[(1, 1), (longest, Self::ALIGN)], Self::ALIGN)
        };
    };
}
pub(super) use variant_form;

macro_rules! numbers {
    ($($number:ty)*) => { $(
        impl Form for $number {
            const SIZE: usize = size_of::<Self>();
            const ALIGN: usize = size_of::<Self>();
        }

        impl Lift for $number {
            unsafe fn lift(from: *const u8) -> Self {
                // SAFETY: the caller says so.
                unsafe { from.cast::<Self>().read_unaligned() }
            }
        }

        impl Lower for $number {
            unsafe fn lower(&self, to: *mut u8, _: &mut Blocks) {
                // SAFETY: the caller says so.
                unsafe { to.cast::<Self>().write_unaligned(*self) }
            }
        }
    )* };
}

numbers!(u8 u16 u32 u64 i64);

/// No payload.
impl Form for () {
    const SIZE: usize = 0;
    const ALIGN: usize = 1;
}

impl Lift for () {
    unsafe fn lift(_: *const u8) -> Self {}
}

impl Form for bool {
    const SIZE: usize = 1;
    const ALIGN: usize = 1;
}

impl Lift for bool {
    unsafe fn lift(from: *const u8) -> Self {
        // SAFETY: the caller says so.
        unsafe { u8::lift(from) != 0 }
    }
}

impl Lower for bool {
    unsafe fn lower(&self, to: *mut u8, blocks: &mut Blocks) {
        // SAFETY: the caller says so.
        unsafe { u8::from(*self).lower(to, blocks) }
    }
}

impl<T: Form> Form for Option<T> {
    variant_form!(T);
}

impl<T: Lift> Lift for Option<T> {
    unsafe fn lift(from: *const u8) -> Self {
        // SAFETY: the caller says so, and the payload is there where the case says so.
        unsafe { (u8::lift(from) != 0).then(|| T::lift(from.wrapping_add(Self::ALIGN))) }
    }
}

impl<T: Lower> Lower for Option<T> {
    unsafe fn lower(&self, to: *mut u8, blocks: &mut Blocks) {
        // SAFETY: the caller says so.
        unsafe {
            u8::from(self.is_some()).lower(to, blocks);
            if let Some(value) = self {
                value.lower(to.wrapping_add(Self::ALIGN), blocks);
            }
        }
    }
}

impl<T: Form, E: Form> Form for Result<T, E> {
    variant_form!(T, E);
}

impl<T: Lift, E: Lift> Lift for Result<T, E> {
    unsafe fn lift(from: *const u8) -> Self {
        let payload = from.wrapping_add(Self::ALIGN);
        // SAFETY: the caller says so, and the payload is that of the case.
        unsafe { if u8::lift(from) == 0 { Ok(T::lift(payload)) } else { Err(E::lift(payload)) } }
    }
}

impl<T: Lower, E: Lower> Lower for Result<T, E> {
    unsafe fn lower(&self, to: *mut u8, blocks: &mut Blocks) {
        let payload = to.wrapping_add(Self::ALIGN);
        // SAFETY: the caller says so.
        unsafe {
            u8::from(self.is_err()).lower(to, blocks);
            match self {
                Ok(value) => value.lower(payload, blocks),
                Err(error) => error.lower(payload, blocks),
            }
        }
    }
}

/// Where something is, and how much of it.
pub type Pair = (*mut u8, usize);

const POINTER: usize = size_of::<*mut u8>();

unsafe fn lift_pair(from: *const u8) -> Pair {
    // SAFETY: the callers say that a list or a text is there.
    unsafe { (from.cast::<*mut u8>().read_unaligned(), from.wrapping_add(POINTER).cast::<usize>().read_unaligned()) }
}

unsafe fn lower_pair((start, length): Pair, to: *mut u8) {
    // SAFETY: the callers say that a list or a text has its place there.
    unsafe {
        to.cast::<*mut u8>().write_unaligned(start);
        to.wrapping_add(POINTER).cast::<usize>().write_unaligned(length);
    }
}

impl Lift for String {
    #[inline(never)]
    unsafe fn lift(from: *const u8) -> Self {
        // SAFETY: the host has put UTF-8 into a block of `cabi_realloc`, which is the allocator's, exactly as long as it is.
        unsafe {
            let (start, length) = lift_pair(from);
            let bytes = Box::from_raw(slice_from_raw_parts_mut(start, length));
            Self::from_utf8_unchecked(bytes.into())
        }
    }
}

/// The types of text that are lowered.
macro_rules! lowered_text {
    ($($text:ty)*) => { $(
        impl Form for $text {
            const SIZE: usize = POINTER * 2;
            const ALIGN: usize = POINTER;
        }

        impl Lower for $text {
            unsafe fn lower(&self, to: *mut u8, _: &mut Blocks) {
                // SAFETY: the caller says so. The host only reads what is there.
                unsafe { lower_pair((self.as_ptr().cast_mut(), self.len()), to) }
            }
        }
    )* };
}

lowered_text!(String &str Cow<'_, str>);

impl<T> Form for Vec<T> {
    const SIZE: usize = POINTER * 2;
    const ALIGN: usize = POINTER;
}

impl<T: Lift> Lift for Vec<T> {
    #[inline(never)]
    unsafe fn lift(from: *const u8) -> Self {
        // SAFETY: the host has put the elements one after the other into a block as that of a text.
        unsafe {
            let (start, length) = lift_pair(from);
            let bytes = length.wrapping_mul(T::SIZE);
            let elements = slice::from_raw_parts(start, bytes).chunks_exact(T::SIZE);
            let lifted = elements.map(|element| T::lift(element.as_ptr())).collect();
            give_back(start, bytes, T::ALIGN);
            lifted
        }
    }
}

impl<T: Lower> Lower for Vec<T> {
    unsafe fn lower(&self, to: *mut u8, blocks: &mut Blocks) {
        // SAFETY: the caller says so.
        unsafe { lower_pair(lower_list(self, blocks), to) }
    }
}

/// Lowers a list into a block, and says where it is.
#[inline(never)]
pub fn lower_list<T: Lower>(list: &[T], blocks: &mut Blocks) -> Pair {
    let start = blocks.add(list.len().wrapping_mul(T::SIZE));
    let mut element = start;
    for value in list {
        // SAFETY: the block has the length of all elements.
        unsafe { value.lower(element, blocks) };
        element = element.wrapping_add(T::SIZE);
    }
    (start, list.len())
}

impl<A: Form, B: Form> Form for (A, B) {
    const ALIGN: usize = largest(&[A::ALIGN, B::ALIGN]);
    const SIZE: usize = size(&[(A::SIZE, A::ALIGN), (B::SIZE, B::ALIGN)], Self::ALIGN);
}

impl<A: Lift, B: Lift> Lift for (A, B) {
    unsafe fn lift(from: *const u8) -> Self {
        let mut fields = Fields::lifted(from);
        // SAFETY: the caller says so.
        unsafe { (fields.lift(), fields.lift()) }
    }
}

impl<A: Lower, B: Lower> Lower for (A, B) {
    unsafe fn lower(&self, to: *mut u8, blocks: &mut Blocks) {
        let mut fields = Fields::lowered(to);
        // SAFETY: the caller says so.
        unsafe {
            fields.lower(&self.0, blocks);
            fields.lower(&self.1, blocks);
        }
    }
}
