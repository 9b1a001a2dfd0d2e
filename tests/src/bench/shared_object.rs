//! A name service module as glibc uses it: loaded with `dlopen`, its functions called by pointer.

use libc::{c_char, c_int, c_void};
use std::ffi::{CStr, CString};
use std::ptr;

/// The functions that glibc looks up in a module as soon as it is loaded.
const FUNCTIONS: [&str; 6] = [
    "gethostbyname4_r",
    "gethostbyname3_r",
    "gethostbyname2_r",
    "gethostbyname_r",
    "gethostbyaddr2_r",
    "gethostbyaddr_r",
];

/// `NSS_STATUS_SUCCESS` of nss.h.
pub(super) const SUCCESS: c_int = 1;

/// `struct gaih_addrtuple` of nss.h.
#[repr(C)]
struct AddrTuple {
    next: *mut AddrTuple,
    name: *mut c_char,
    family: c_int,
    addr: [u32; 4],
    scopeid: u32,
}

type ByName4 = unsafe extern "C" fn(
    *const c_char,
    *mut *mut AddrTuple,
    *mut c_char,
    usize,
    *mut c_int,
    *mut c_int,
    *mut i32,
) -> c_int;

/// The names of a module's functions, made before the clock runs.
pub(super) struct Names {
    file: CString,
    functions: Vec<CString>,
}

impl Names {
    pub(super) fn new(file: &str, service: &str) -> Option<Names> {
        let functions = FUNCTIONS.iter().map(|function| CString::new(format!("_nss_{service}_{function}")));
        Some(Names { file: CString::new(file).ok()?, functions: functions.collect::<Result<_, _>>().ok()? })
    }

    /// Loads the module and looks up its functions, as glibc does.
    pub(super) fn load(&self) -> Result<Loaded, String> {
        // SAFETY: the string ends in NUL; the module has no constructors of its own.
        let handle = unsafe { libc::dlopen(self.file.as_ptr(), libc::RTLD_NOW) };
        if handle.is_null() {
            // SAFETY: after a failure of dlopen, dlerror returns a string of this thread's.
            let why = unsafe { CStr::from_ptr(libc::dlerror()) };
            return Err(why.to_string_lossy().into_owned());
        }
        // SAFETY: the handle is one of dlopen's, and the strings end in NUL.
        let found = self.functions.iter().map(|name| unsafe { libc::dlsym(handle, name.as_ptr()) });
        let mut functions = [ptr::null_mut(); FUNCTIONS.len()];
        functions.iter_mut().zip(found).for_each(|(place, function)| *place = function);
        Ok(Loaded { functions })
    }
}

/// A module in memory; it stays there until the process ends.
pub(super) struct Loaded {
    functions: [*mut c_void; FUNCTIONS.len()],
}

impl Loaded {
    pub(super) fn by_name4(&self) -> Result<Caller, String> {
        let [function, ..] = self.functions;
        if function.is_null() {
            return Err("no gethostbyname4_r in the module".into());
        }
        // SAFETY: it is the function of that name, which has this type.
        let function = unsafe { std::mem::transmute::<*mut c_void, ByName4>(function) };
        Ok(Caller { function, buffer: vec![0; 8192] })
    }
}

/// `gethostbyname4_r` of a module, with a buffer of its own.
pub(super) struct Caller {
    function: ByName4,
    buffer: Vec<c_char>,
}

impl Caller {
    /// Calls it; returns the status and how many tuples it gave.
    pub(super) fn call(&mut self, name: &CStr) -> (c_int, usize) {
        let mut tuple: *mut AddrTuple = ptr::null_mut();
        let (mut errno, mut h_errno, mut ttl) = (0, 0, 0);
        let (start, length) = (self.buffer.as_mut_ptr(), self.buffer.len());
        // SAFETY: all pointers are to values that outlive the call, and the buffer is as long as is said.
        let status = unsafe {
            (self.function)(
                name.as_ptr(),
                &raw mut tuple,
                start,
                length,
                &raw mut errno,
                &raw mut h_errno,
                &raw mut ttl,
            )
        };
        let mut count = 0;
        while status == SUCCESS && !tuple.is_null() && count < 1000 {
            // SAFETY: on success the list is one of valid tuples in our buffer, perhaps unaligned.
            tuple = unsafe { (&raw const (*tuple).next).read_unaligned() };
            count += 1;
        }
        (status, count)
    }
}
