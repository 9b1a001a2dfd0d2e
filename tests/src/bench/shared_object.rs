//! Loads a name service module as glibc does, with `dlopen`, and calls its functions.

use libc::{c_char, c_int, c_void};
use std::ffi::{CStr, CString};
use std::ptr;

/// The functions that glibc looks up when it has loaded a module.
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

/// The symbol names of a module, which are built before the time is measured.
pub(super) struct Names {
    file: CString,
    functions: Vec<CString>,
}

impl Names {
    pub(super) fn new(file: &str, service: &str) -> Option<Names> {
        let functions = FUNCTIONS.iter().map(|function| CString::new(format!("_nss_{service}_{function}")));
        Some(Names { file: CString::new(file).ok()?, functions: functions.collect::<Result<_, _>>().ok()? })
    }

    /// Loads the module and looks up its functions.
    pub(super) fn load(&self) -> Result<Loaded, String> {
        // SAFETY: the string ends in NUL, and the module has no constructors.
        let handle = unsafe { libc::dlopen(self.file.as_ptr(), libc::RTLD_NOW) };
        if handle.is_null() {
            // SAFETY: after a failure of dlopen, dlerror returns a string that belongs to this thread.
            let why = unsafe { CStr::from_ptr(libc::dlerror()) };
            return Err(why.to_string_lossy().into_owned());
        }
        // SAFETY: dlopen returned the handle, and the strings end in NUL.
        let found = self.functions.iter().map(|name| unsafe { libc::dlsym(handle, name.as_ptr()) });
        let mut functions = [ptr::null_mut(); FUNCTIONS.len()];
        functions.iter_mut().zip(found).for_each(|(slot, function)| *slot = function);
        Ok(Loaded { functions })
    }
}

/// A loaded module. It stays loaded until the process ends.
pub(super) struct Loaded {
    functions: [*mut c_void; FUNCTIONS.len()],
}

impl Loaded {
    pub(super) fn by_name4(&self) -> Result<Caller, String> {
        let [function, ..] = self.functions;
        if function.is_null() {
            return Err("the module has no gethostbyname4_r".into());
        }
        // SAFETY: the function of this name has this type.
        let function = unsafe { std::mem::transmute::<*mut c_void, ByName4>(function) };
        Ok(Caller { function, buffer: vec![0; 8192] })
    }
}

/// `gethostbyname4_r` of a module, with a buffer.
pub(super) struct Caller {
    function: ByName4,
    buffer: Vec<c_char>,
}

impl Caller {
    /// Calls the function. Returns the status and the number of tuples.
    pub(super) fn call(&mut self, name: &CStr) -> (c_int, usize) {
        let mut tuple: *mut AddrTuple = ptr::null_mut();
        let (mut errno, mut h_errno, mut ttl) = (0, 0, 0);
        let (start, length) = (self.buffer.as_mut_ptr(), self.buffer.len());
        // SAFETY: all pointers are to values that outlive the call, and the length is that of the buffer.
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
            // SAFETY: on success the tuples are valid and in our buffer, perhaps unaligned.
            tuple = unsafe { (&raw const (*tuple).next).read_unaligned() };
            count += 1;
        }
        (status, count)
    }
}
