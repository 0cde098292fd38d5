//! The imported functions that a call crosses and whose bindings cost more than what they do: lists are passed from where they are, and of an
//! error only its code is lifted. The bindings lift everything in it, with 2 kB of code in each function that can fail so.
//!
//! The names and signatures are those that the component model gives the functions of `wit/deps`; the linker compares both.

use std::borrow::Cow;

use waki::bindings::wasi::http::types::{
    Fields, FutureIncomingResponse, IncomingResponse, OutgoingRequest, RequestOptions,
};

use super::form::{Blocks, Form, Lift, lower_list, variant_form};
use crate::error_code::ErrorCode;

#[cfg(target_family = "wasm")]
mod functions {
    #[link(wasm_import_module = "wasi:http/types@0.2.2")]
    unsafe extern "C" {
        #[link_name = "[static]fields.from-list"]
        pub fn fields_from_list(start: *const u8, length: usize, result: *mut u8);
        #[link_name = "[method]future-incoming-response.get"]
        pub fn future_incoming_response_get(future: u32, result: *mut u8);
    }
    #[link(wasm_import_module = "wasi:http/outgoing-handler@0.2.2")]
    unsafe extern "C" {
        pub fn handle(request: u32, has_options: u32, options: u32, result: *mut u8);
    }
    #[link(wasm_import_module = "wasi:io/poll@0.2.2")]
    unsafe extern "C" {
        pub fn poll(start: *const u32, length: usize, result: *mut u8);
    }
}

/// Elsewhere the guest is compiled for its tests, which have a host of their own.
#[cfg(not(target_family = "wasm"))]
mod functions {
    pub unsafe fn fields_from_list(_: *const u8, _: usize, _: *mut u8) {}
    pub unsafe fn future_incoming_response_get(_: u32, _: *mut u8) {}
    pub unsafe fn handle(_: u32, _: u32, _: u32, _: *mut u8) {}
    pub unsafe fn poll(_: *const u32, _: usize, _: *mut u8) {}
}

/// Calls a function that writes its result to where it is told, and lifts that.
///
/// # Safety
/// It writes a valid form of the type.
unsafe fn lifted<T: Lift>(call: impl FnOnce(*mut u8)) -> T {
    // The longest is that of `response`, 56 bytes.
    let mut form = [0_u64; 8];
    let form: *mut u8 = form.as_mut_ptr().cast();
    call(form);
    // SAFETY: the caller says so.
    unsafe { T::lift(form) }
}

/// `fields.from-list`; none if the host refuses one of the headers.
pub fn fields(headers: &[(&str, Cow<'_, str>)]) -> Option<Fields> {
    let mut blocks = Blocks::default();
    let (start, length) = lower_list(headers, &mut blocks);
    // SAFETY: the list is there as long as the call, and the result is a `result<own<fields>, header-error>`.
    let fields: Result<Fields, u8> = unsafe { lifted(|result| functions::fields_from_list(start, length, result)) };
    fields.ok()
}

/// `outgoing-handler.handle`.
#[expect(clippy::needless_pass_by_value, reason = "both are given away")]
pub fn send(request: OutgoingRequest, options: RequestOptions) -> Result<FutureIncomingResponse, ErrorCode> {
    let (request, options) = (request.take_handle(), options.take_handle());
    // SAFETY: both are given away, and the result is a `result<own<future-incoming-response>, error-code>`.
    unsafe { lifted(|result| functions::handle(request, 1, options, result)) }
}

/// `future-incoming-response.get`: none as long as there is no answer, and a failure if it has been taken.
pub fn response(future: &FutureIncomingResponse) -> Option<Result<Result<IncomingResponse, ErrorCode>, ()>> {
    // SAFETY: the result is an `option<result<result<own<incoming-response>, error-code>>>`.
    unsafe { lifted(|result| functions::future_incoming_response_get(future.handle(), result)) }
}

/// `poll`: waits until at least one of these pollables is ready, and gives the places of those that are. There is at least one.
pub fn poll(handles: &[u32]) -> Vec<u32> {
    // SAFETY: the list is there as long as the call, and the result is a `list<u32>`.
    unsafe { lifted(|result| functions::poll(handles.as_ptr(), handles.len(), result)) }
}

macro_rules! resources {
    ($($resource:ty)*) => { $(
        impl Form for $resource {
            const SIZE: usize = size_of::<u32>();
            const ALIGN: usize = size_of::<u32>();
        }

        impl Lift for $resource {
            unsafe fn lift(from: *const u8) -> Self {
                // SAFETY: the caller says that the host gives this resource away here.
                unsafe { Self::from_handle(u32::lift(from)) }
            }
        }
    )* };
}

resources!(Fields FutureIncomingResponse IncomingResponse);

/// The payloads of error codes that hold text begin like one of these, or are longer and hold none.
type Text = Option<String>;
type TextAfterNumber = (Option<u8>, Text);
type OptionalText = Option<Text>;

impl Form for ErrorCode {
    variant_form!(Option<u64>, TextAfterNumber, (OptionalText, Option<u32>));
}

impl Lift for ErrorCode {
    #[inline(never)]
    unsafe fn lift(from: *const u8) -> Self {
        let payload = from.wrapping_add(Self::ALIGN);
        // SAFETY: the caller says so. What the payload points to is the guest's from now on.
        unsafe {
            let code = Self(u8::lift(from));
            match code {
                Self::DNS_ERROR
                | Self::HTTP_REQUEST_TRAILER_SIZE
                | Self::HTTP_RESPONSE_HEADER_SIZE
                | Self::HTTP_RESPONSE_TRAILER_SIZE
                | Self::HTTP_RESPONSE_TRANSFER_CODING
                | Self::HTTP_RESPONSE_CONTENT_CODING
                | Self::INTERNAL_ERROR => drop(Text::lift(payload)),
                Self::TLS_ALERT_RECEIVED => drop(TextAfterNumber::lift(payload)),
                Self::HTTP_REQUEST_HEADER_SIZE => drop(OptionalText::lift(payload)),
                _ => {}
            }
            code
        }
    }
}
