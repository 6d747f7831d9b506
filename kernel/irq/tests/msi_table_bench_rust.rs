// SPDX-License-Identifier: GPL-2.0

//! What MSI tables cost in Rust: a contender of the benchmark in `msi_table_bench.c`.
//!
//! It does what the contender in C does, with the safe abstractions, as a driver would. It takes
//! `unsafe` to be called by C, and to rely on C for one call at a time.

use core::{
    cell::UnsafeCell,
    mem::MaybeUninit,
    ptr::{
        self,
        NonNull, //
    },
    slice, //
};
use kernel::{
    bindings,
    device::{
        Bound,
        Device, //
    },
    error::from_result,
    msi::{
        Message,
        Options,
        Store,
        Table,
        Vector,
        VectorRef, //
    },
    prelude::*,
    ModuleMetadata,
    ThisModule, //
};

/// What the device would read.
#[repr(transparent)]
struct Field<T>(UnsafeCell<T>);

// SAFETY: It is only written, by whoever has the lock of the interrupt.
unsafe impl<T: Send> Sync for Field<T> {}

impl<T> Field<T> {
    /// What `WRITE_ONCE()` is in C.
    #[inline]
    fn write(&self, value: T) {
        // SAFETY: The pointer is valid and aligned, and nobody has a reference to the value.
        unsafe { self.0.get().write_volatile(value) };
    }
}

/// The same as `struct bench_slot`.
#[repr(C)]
pub struct Slot {
    address: Field<u64>,
    data: Field<u32>,
    masked: Field<u32>,
}

/// The store.
pub struct Slots(&'static [Slot]);

impl Slots {
    #[inline]
    fn slot(&self, vector: &VectorRef<Self>) -> Option<&Slot> {
        self.0.get(vector.label() as usize)
    }
}

/// The owner of the store, which is built in.
pub struct BuiltIn;

impl ModuleMetadata for BuiltIn {
    const NAME: &'static CStr = c"msi_table_bench_rust";

    const THIS_MODULE: ThisModule = {
        // SAFETY: A null pointer is what `THIS_MODULE` is for built-in code.
        unsafe { ThisModule::from_ptr(ptr::null_mut()) }
    };
}

#[vtable]
impl Store for Slots {
    type OwnerModule = BuiltIn;
    type Cookie = ();

    fn write_msg(&self, vector: &VectorRef<Self>, msg: Message) {
        if let Some(slot) = self.slot(vector) {
            slot.address.write(msg.address);
            slot.data.write(msg.data);
        }
    }

    fn mask(&self, vector: &VectorRef<Self>) {
        if let Some(slot) = self.slot(vector) {
            slot.masked.write(1);
        }
    }

    fn unmask(&self, vector: &VectorRef<Self>) {
        if let Some(slot) = self.slot(vector) {
            slot.masked.write(0);
        }
    }
}

/// What C has room for, and moves around.
pub type Handle = MaybeUninit<Vector<'static, Slots>>;

const _: () = assert!(size_of::<Handle>() == 2 * size_of::<*mut c_void>());

/// The table, and a batch from it.
struct Bench {
    /// There is one at a time. Its room is that of the first one.
    batch: KVVec<Vector<'static, Slots>>,
    table: Table<'static, Slots>,
}

/// The one which is running.
struct Running(UnsafeCell<Option<Bench>>);

// SAFETY: It is only accessed by the functions below, which are called one at a time.
unsafe impl Sync for Running {}

static RUNNING: Running = Running(UnsafeCell::new(None));

/// Returns the one which is running.
///
/// # Safety
///
/// - There must be one.
/// - There must be no other reference from this function during `'a`.
#[inline]
unsafe fn running<'a>() -> &'a mut Bench {
    // SAFETY: By the safety requirements of this function.
    unsafe { (*RUNNING.0.get()).as_mut().unwrap_unchecked() }
}

/// Creates the table.
///
/// # Safety
///
/// - No other function of this file may be called at the same time.
/// - `dev` must be valid and bound, `parent` be a domain, and `store` have `size` slots, all until
///   [`msi_bench_rust_destroy`] is called. It has to be called.
#[no_mangle]
pub unsafe extern "C" fn msi_bench_rust_create(
    dev: *mut bindings::device,
    parent: *mut bindings::irq_domain,
    size: u32,
    sysfs: bool,
    store: *mut Slot,
) -> c_int {
    // SAFETY: By the safety requirements of this function, in which `'static` is as long as there
    // is something which uses it.
    let dev = unsafe { Device::<Bound>::from_raw(dev) };
    // SAFETY: As above. `Slot` has the layout of a slot, and can be changed by a shared reference.
    let slots = unsafe { slice::from_raw_parts(store, size as usize) };
    // SAFETY: Nobody else uses it, by the safety requirements of this function.
    let running = unsafe { &mut *RUNNING.0.get() };

    from_result(|| {
        let parent = NonNull::new(parent).ok_or(EINVAL)?;
        // SAFETY: By the safety requirements of this function.
        let options = unsafe { Options::indexed(size).parent(parent) };
        let options = if sysfs { options } else { options.no_sysfs() };

        *running = Some(Bench {
            batch: KVVec::new(),
            table: Table::new(dev, c"bench", options, Slots(slots))?,
        });
        Ok(0)
    })
}

/// Frees the table and all vectors.
///
/// # Safety
///
/// No other function of this file may be called at the same time.
#[no_mangle]
pub unsafe extern "C" fn msi_bench_rust_destroy() {
    // SAFETY: Nobody else uses it, by the safety requirements of this function.
    unsafe { *RUNNING.0.get() = None };
}

/// Allocates the vector of the lowest free label of a range.
///
/// # Safety
///
/// - There must be a table, and no other function of this file be called at the same time.
/// - `handle` must be valid for a write.
#[no_mangle]
pub unsafe extern "C" fn msi_bench_rust_alloc(
    handle: *mut Handle,
    lowest: u32,
    highest: u32,
) -> c_int {
    // SAFETY: By the safety requirements of this function.
    let bench = unsafe { running() };

    from_result(|| {
        let vector = if highest == u32::MAX {
            bench.table.alloc(lowest..)?
        } else {
            bench.table.alloc(lowest..=highest)?
        };

        // SAFETY: By the safety requirements of this function.
        unsafe { (*handle).write(vector) };
        Ok(0)
    })
}

/// Frees a vector.
///
/// # Safety
///
/// `handle` must hold a vector, and no other function be called with it.
#[no_mangle]
pub unsafe extern "C" fn msi_bench_rust_free(handle: *mut Handle) {
    // SAFETY: By the safety requirements of this function.
    unsafe { (*handle).assume_init_drop() };
}

/// Returns the Linux interrupt number of a vector.
///
/// # Safety
///
/// `handle` must hold a vector.
#[no_mangle]
pub unsafe extern "C" fn msi_bench_rust_irq(handle: *const Handle) -> c_uint {
    // SAFETY: By the safety requirements of this function.
    unsafe { (*handle).assume_init_ref() }.irq()
}

/// Allocates several vectors with consecutive labels.
///
/// # Safety
///
/// There must be a table, and no other function of this file be called at the same time.
#[no_mangle]
pub unsafe extern "C" fn msi_bench_rust_alloc_batch(n: c_uint, lowest: u32) -> c_int {
    // SAFETY: By the safety requirements of this function.
    let bench = unsafe { running() };

    from_result(|| {
        let labels = lowest..=lowest + n - 1;

        bench
            .table
            .alloc_many_into(labels, n..=n, &mut bench.batch)?;
        Ok(0)
    })
}

/// Frees the batch.
///
/// # Safety
///
/// There must be a table, and no other function of this file be called at the same time.
#[no_mangle]
pub unsafe extern "C" fn msi_bench_rust_free_batch() {
    // SAFETY: By the safety requirements of this function.
    Vector::free_all(&mut unsafe { running() }.batch);
}
