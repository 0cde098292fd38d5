//! The exported functions, under the names that the component model gives them.
//!
//! All take more than 16 flat values, so their arguments come as one record at an address (`MAX_FLAT_PARAMS` of the Canonical ABI), and all return
//! the address of a result.

use wit_bindgen::rt::run_ctors_once;

use super::form::{Fields, Lift, Lower, Returned, give, give_back, largest, size};
use crate::Plugin;
use crate::bindings::exports::cloudflare::access::lifecycle::Guest as Lifecycle;
use crate::bindings::exports::cloudflare::access::service_tokens::Guest as ServiceTokens;

/// A function of the contract with arguments of these types.
trait Function<Arguments> {
    /// Lifts the arguments, calls, and gives the result.
    ///
    /// # Safety
    /// The arguments are there, in a block of their own.
    unsafe fn call(self, arguments: *mut u8) -> *mut Returned;
}

macro_rules! function_of {
    ($($argument:ident)*) => {
        impl<$($argument: Lift,)* R: Lower + 'static> Function<($($argument,)*)> for fn($($argument),*) -> R {
            unsafe fn call(self, arguments: *mut u8) -> *mut Returned {
                let alignment = const { largest(&[$($argument::ALIGN),*]) };
                let size = const { size(&[$(($argument::SIZE, $argument::ALIGN)),*], largest(&[$($argument::ALIGN),*])) };
                let mut fields = Fields::lifted(arguments);
                // SAFETY: the caller says so.
                let result = unsafe {
                    $(#[allow(non_snake_case)] let $argument = fields.lift();)*
                    give_back(arguments, size, alignment);
                    self($($argument),*)
                };
                give(result)
            }
        }
    };
}

function_of!(A B C);
function_of!(A B C D);

macro_rules! exports {
    ($($interface:literal $trait:ident: $($name:literal $function:ident ($($argument:tt)*)),*;)*) => { $($(
        const _: () = {
            #[unsafe(export_name = concat!("cloudflare:access/", $interface, "@0.1.0#", $name))]
            unsafe extern "C" fn call(arguments: *mut u8) -> *mut Returned {
                run_ctors_once();
                // SAFETY: the host has lowered the arguments of this function.
                unsafe { Function::call(<Plugin as $trait>::$function as fn($($argument)*) -> _, arguments) }
            }

            #[unsafe(export_name = concat!("cabi_post_cloudflare:access/", $interface, "@0.1.0#", $name))]
            unsafe extern "C" fn post_return(result: *mut Returned) {
                // SAFETY: the host calls it once for each result, when it has read it.
                drop(unsafe { Box::from_raw(result) });
            }
        };
    )*)* };
}

exports! {
    "service-tokens" ServiceTokens:
        "list" list (_, _, _),
        "list-all" list_all (_, _, _),
        "get" get (_, _, _),
        "create" create (_, _, _),
        "update" update (_, _, _, _),
        "delete" delete (_, _, _),
        "refresh" refresh (_, _, _),
        "rotate" rotate (_, _, _, _);
    "lifecycle" Lifecycle:
        "expiring" expiring (_, _, _),
        "refresh-expiring" refresh_expiring (_, _, _),
        "rotate-with-overlap" rotate_with_overlap (_, _, _, _),
        "end-overlap" end_overlap (_, _, _),
        "extend-overlap" extend_overlap (_, _, _, _),
        "find" find (_, _, _),
        "ensure" ensure (_, _, _),
        "issue" issue (_, _, _, _),
        "resolve-create" resolve_create (_, _, _, _),
        "disable" disable (_, _, _),
        "enable" enable (_, _, _);
}
