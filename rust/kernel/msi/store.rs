// SPDX-License-Identifier: GPL-2.0

//! Device-specific message stores.
//!
//! C header: [`include/linux/msi_table.h`](srctree/include/linux/msi_table.h)

use super::{
    Data,
    Message,
    Options,
    Table,
    VectorRef, //
};
use crate::{
    bindings,
    device::{
        Bound,
        Device, //
    },
    error::{
        from_result,
        VTABLE_DEFAULT_ERROR, //
    },
    prelude::*,
    sync::lock::Guard,
    types::ForeignOwnable, //
};
use core::{
    marker::PhantomData,
    mem, //
};

/// A device-specific store of interrupt messages (IMS).
///
/// Corresponds to the C `struct msi_table_ops`. [`write_msg`](Store::write_msg) is required;
/// [`mask`](Store::mask) and [`unmask`](Store::unmask) come together or not at all, and a store
/// without them must have [`clear_msg`](Store::clear_msg). This is checked when the driver is
/// compiled.
///
/// # Context
///
/// [`init_vector`](Store::init_vector), [`exit_vector`](Store::exit_vector) and
/// [`flush`](Store::flush) may sleep. All other methods are called with a raw spinlock, that of the
/// interrupt, held and with interrupts disabled. They must not sleep and must not take a
/// [`SpinLock`](crate::sync::SpinLock), which sleeps with `CONFIG_PREEMPT_RT`; atomics and register
/// accesses are fine. There is one lock per interrupt, so the methods may run at the same time for
/// different vectors of the table.
///
/// A new vector is masked, or cleared if the store can not mask. It gets its message when a handler
/// is registered, and is masked and cleared when the handler goes. In between the message changes
/// whenever the interrupt moves to another CPU.
///
/// None of those others is called, but to restore, while the device can not be reached: from its
/// suspend_noirq on to its resume_noirq; a PCI device which is not in D0, is offline after an
/// error, or is being reset by the PCI core; another device which is runtime suspended. The three
/// which may sleep are called whenever a vector or its handler comes or goes, also then.
///
/// # Slow buses
///
/// A store behind a slow bus, such as I2C, can not be written in atomic context. With
/// [`flush`](Store::flush) the other methods only record what is to be written.
///
/// # Examples
///
/// A store in the memory of queues, which the device reads the messages from. It can not mask.
///
/// ```
/// use kernel::{
///     irq::{
///         Flags,
///         Handler,
///         IrqReturn, //
///     },
///     msi::{
///         fake::fake_device,
///         Message,
///         Options,
///         Request,
///         Store,
///         Table,
///         VectorRef, //
///     },
///     prelude::*,
///     sync::{
///         atomic::{
///             Atomic,
///             Relaxed, //
///         },
///         Arc, //
///     },
/// };
///
/// struct Queue {
///     address: Atomic<u64>,
///     data: Atomic<u32>,
/// }
///
/// struct QueueMemory;
///
/// #[vtable]
/// impl Store for QueueMemory {
///     type Cookie = Arc<Queue>;
///
///     fn write_msg(&self, vector: &VectorRef<Self>, msg: Message) {
///         let queue = vector.cookie();
///
///         queue.data.store(msg.data, Relaxed);
///         queue.address.store(msg.address, Relaxed);
///     }
///
///     fn clear_msg(&self, vector: &VectorRef<Self>) {
///         self.write_msg(vector, Message::default());
///     }
/// }
///
/// struct Done;
///
/// impl Handler for Done {
///     fn handle(&self) -> IrqReturn {
///         IrqReturn::Handled
///     }
/// }
///
/// let dev = fake_device!(c"msi_queues", 8);
/// let table = Table::new(dev.as_ref(), c"queue", Options::unindexed(), QueueMemory)?;
///
/// let queue = Arc::new(
///     Queue {
///         address: Atomic::new(!0),
///         data: Atomic::new(!0),
///     },
///     GFP_KERNEL,
/// )?;
/// let vector = table.alloc(Request::any().cookie(queue.clone()))?;
/// assert_eq!(queue.address.load(Relaxed), 0);
///
/// let irq = vector.request_irq(Flags::TRIGGER_NONE, c"done", Done)?;
/// let msg = irq.vector().message()?;
/// assert_eq!(queue.address.load(Relaxed), msg.address);
/// assert_eq!(queue.data.load(Relaxed), msg.data);
///
/// drop(irq);
/// assert_eq!(queue.address.load(Relaxed), 0);
/// # Ok::<(), Error>(())
/// ```
///
/// A store that masks but can not unmask is refused:
///
/// ```ignore
/// #[vtable]
/// impl Store for Broken {
///     type Cookie = ();
///
///     fn write_msg(&self, vector: &VectorRef<Self>, msg: Message) {}
///     fn mask(&self, vector: &VectorRef<Self>) {}
/// }
/// ```
#[vtable]
pub trait Store: Sized + Send + Sync {
    /// What a vector carries for its user and its store, for example the queue which it belongs to.
    ///
    /// It is handed over with the [`Request`](super::Request), is there before the first call of a
    /// method for the vector, and is dropped after the last one, together with the vector.
    type Cookie: ForeignOwnable + Send + Sync + 'static;

    /// Whose code this is, as `#[vtable]` says.
    ///
    /// Nothing is asked of it: what is not in a module has no owner to be held, and must not pass
    /// for that of somebody else.
    type OwnerModule;

    /// Puts `msg` where the device reads it.
    ///
    /// The device may send it at once, unless the vector is masked, which it need not be. A device
    /// which may read the slot at that time must not find half of `msg` there. The message is not
    /// valid, that is all-zero, if the vector is to be cleared and there is no
    /// [`clear_msg`](Store::clear_msg).
    ///
    /// Called in atomic context, see [above](Store#context).
    fn write_msg(&self, vector: &VectorRef<Self>, msg: Message);

    /// Makes the message invalid.
    ///
    /// The device does not send it any more when this returns, so a posted write has to be flushed.
    ///
    /// Called in atomic context, see [above](Store#context).
    fn clear_msg(&self, vector: &VectorRef<Self>) {
        let _ = vector;
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Stops the device from sending the message.
    ///
    /// No message may leave the device any more when this returns, so a posted write has to be
    /// flushed.
    ///
    /// Called in atomic context, see [above](Store#context).
    fn mask(&self, vector: &VectorRef<Self>) {
        let _ = vector;
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Lets the device send the message.
    ///
    /// Called in atomic context, see [above](Store#context).
    fn unmask(&self, vector: &VectorRef<Self>) {
        let _ = vector;
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Prepares the slot of a new vector, before its first message.
    ///
    /// The allocation fails with the error this returns. This may sleep.
    fn init_vector(&self, vector: &VectorRef<Self>) -> Result {
        let _ = vector;
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Undoes [`init_vector`](Store::init_vector), after the last message.
    ///
    /// Not called after `init_vector` failed, but after the rest of an allocation did. This may
    /// sleep.
    fn exit_vector(&self, vector: &VectorRef<Self>) {
        let _ = vector;
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Writes to the device what the other methods recorded.
    ///
    /// For a store behind a [slow bus](Store#slow-buses), whose messages and masks can not be
    /// written in atomic context. This may sleep. It is called once for everything that was
    /// recorded by one operation, e.g. by registering a handler.
    ///
    /// No two calls for a table run at the same time. The other methods may run meanwhile, in
    /// atomic context as ever: masking an interrupt which arrives while it is disabled is not
    /// followed by a call of its own, but due at the next one. So record with atomics.
    ///
    /// A mutex of the table is held, so this must not allocate, free, or request a vector of the
    /// same table, nor restore it.
    ///
    /// Such a store needs a parent whose messages do not change with the affinity, as with
    /// interrupt remapping. Otherwise creating the table fails with `EOPNOTSUPP`, and so does
    /// allocating a vector with a [managed](super::Affinity::managed) affinity.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{
    ///     msi::{
    ///         fake::{
    ///             fake_device,
    ///             Parent, //
    ///         },
    ///         Message,
    ///         Store,
    ///         Table,
    ///         VectorRef, //
    ///     },
    ///     new_mutex,
    ///     prelude::*,
    ///     sync::{
    ///         atomic::{
    ///             Atomic,
    ///             Relaxed, //
    ///         },
    ///         Mutex, //
    ///     },
    /// };
    ///
    /// /// One slot behind a bus, which has a lock that sleeps.
    /// #[pin_data]
    /// struct Slow {
    ///     data: Atomic<u32>,
    ///     masked: Atomic<bool>,
    ///     #[pin]
    ///     registers: Mutex<(u32, bool)>,
    /// }
    ///
    /// #[vtable]
    /// impl Store for Slow {
    ///     type Cookie = ();
    ///
    ///     fn write_msg(&self, _vector: &VectorRef<Self>, msg: Message) {
    ///         self.data.store(msg.data, Relaxed);
    ///     }
    ///
    ///     fn mask(&self, _vector: &VectorRef<Self>) {
    ///         self.masked.store(true, Relaxed);
    ///     }
    ///
    ///     fn unmask(&self, _vector: &VectorRef<Self>) {
    ///         self.masked.store(false, Relaxed);
    ///     }
    ///
    ///     fn flush(&self) {
    ///         *self.registers.lock() = (self.data.load(Relaxed), self.masked.load(Relaxed));
    ///     }
    /// }
    ///
    /// let slow = || {
    ///     pin_init!(Slow {
    ///         data: Atomic::new(0),
    ///         masked: Atomic::new(false),
    ///         registers <- new_mutex!((0, false)),
    ///     })
    /// };
    ///
    /// let dev = fake_device!(c"msi_slow", parent = Parent::stable(8)?);
    /// let table = Table::new(dev.as_ref(), c"slow", 1, slow())?;
    /// let vector = table.alloc(0)?;
    /// assert_eq!(*table.store().registers.lock(), (0, true));
    /// # drop(vector);
    ///
    /// // Messages of this one change with the affinity.
    /// let dev = fake_device!(c"msi_not_slow", 8);
    /// let res = Table::new(dev.as_ref(), c"slow", 1, slow());
    /// assert_eq!(res.err(), Some(EOPNOTSUPP));
    /// # Ok::<(), Error>(())
    /// ```
    fn flush(&self) {
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

impl<'a, S: Store> Table<'a, S> {
    /// Creates the table of a device-specific store.
    ///
    /// `name` must be unique on the device; the interrupts appear as `IMS-<name>-<device>` in
    /// `/proc/interrupts`. The table has no vectors yet.
    ///
    /// This may sleep.
    ///
    /// # Errors
    ///
    /// - `EINVAL` if the table would have no slots
    /// - `EEXIST` if the device has a table of this name
    /// - `ENODEV` if the device has no MSI domain
    /// - `EOPNOTSUPP` if the domain can not serve this kind of table, or is not known to remap
    ///   interrupts; see [`Options::unremapped`]. Or if the store has a [`flush`](Store::flush),
    ///   and messages of the domain change with the affinity.
    /// - `ENOSPC` if the parent has no room for another store of the device
    /// - `ENOMEM` if there is no memory
    /// - an error of the initializer of the store
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::msi::{fake::{fake_device, Recorder}, Table};
    ///
    /// let dev = fake_device!(c"msi_new", 8);
    ///
    /// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
    /// let res = Table::new(dev.as_ref(), c"ims", 16, Recorder::default());
    /// assert_eq!(res.err(), Some(EEXIST));
    ///
    /// drop(table);
    /// assert!(Table::new(dev.as_ref(), c"ims", 16, Recorder::default()).is_ok());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn new<E>(
        dev: &'a Device<Bound>,
        name: &CStr,
        options: impl Into<Options>,
        store: impl PinInit<S, E>,
    ) -> Result<Self>
    where
        S: 'static,
        Error: From<E>,
    {
        // SAFETY: `S` borrows from nothing, so if the handles are leaked then the store, which they
        // own, stays valid forever.
        unsafe { Self::new_with_lt(dev, name, options, store) }
    }

    /// Creates the table of a device-specific store which borrows from the driver.
    ///
    /// Like [`Table::new`], for a store that is not `'static`.
    ///
    /// # Safety
    ///
    /// The caller must not `mem::forget()` the returned [`Table`], a [`Vector`](super::Vector)
    /// allocated from it or an [`Interrupt`](super::Interrupt) made of one, nor keep them from
    /// being dropped in any other way, before what `S` borrows ends: the methods of the store may
    /// be called until the last of them is dropped, or the device unbound.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{
    ///     msi::{
    ///         fake::fake_device,
    ///         Message,
    ///         Store,
    ///         Table,
    ///         VectorRef, //
    ///     },
    ///     prelude::*,
    ///     sync::atomic::{
    ///         Atomic,
    ///         Relaxed, //
    ///     },
    /// };
    ///
    /// struct Cleared<'a>(&'a Atomic<u32>);
    ///
    /// #[vtable]
    /// impl Store for Cleared<'_> {
    ///     type Cookie = ();
    ///
    ///     fn write_msg(&self, _vector: &VectorRef<Self>, _msg: Message) {}
    ///
    ///     fn clear_msg(&self, _vector: &VectorRef<Self>) {
    ///         self.0.add(1, Relaxed);
    ///     }
    /// }
    ///
    /// let count = Atomic::new(0u32);
    /// let dev = fake_device!(c"msi_borrow", 8);
    ///
    /// // SAFETY: Neither the table nor its vector is leaked.
    /// let table = unsafe { Table::new_with_lt(dev.as_ref(), c"ims", 1, Cleared(&count)) }?;
    /// drop(table.alloc(0)?);
    /// assert!(count.load(Relaxed) > 0);
    /// # Ok::<(), Error>(())
    /// ```
    pub unsafe fn new_with_lt<E>(
        dev: &'a Device<Bound>,
        name: &CStr,
        options: impl Into<Options>,
        store: impl PinInit<S, E>,
    ) -> Result<Self>
    where
        S: 'a,
        Error: From<E>,
    {
        let options = options.into();

        let create = |data: *mut Data<S>| {
            let info = bindings::msi_table_info {
                ops: VTable::<S>::OPS,
                data: data.cast(),
                ..options.to_info(name)?
            };

            // SAFETY:
            // - `dev` is valid and bound.
            // - `info` and its name are valid, and are not used after the call. Its parent is, if
            //   there is one, by the safety requirements of `Options::parent`.
            // - The operations are static, complete as `VTable` asserts, and those for a table
            //   whose data is the `Data` of an `S`. The handles own it, so it is dropped after the
            //   table is freed, and the caller sees to it that what it borrows is valid until they
            //   are dropped or the device is unbound. They may be called concurrently for different
            //   vectors, and `S` is `Sync`.
            Ok(unsafe { bindings::msi_allocate_table(dev.as_raw(), &info) })
        };

        // SAFETY: This creates a table on `dev`, and makes what it gets the data of the table. Its
        // operations, `VTable::<S>::OPS`, expect that.
        unsafe { Self::create(dev, store, create) }
    }
}

/// The operations which the C side calls, for a store `S`.
struct VTable<S: Store>(PhantomData<S>);

impl<S: Store> VTable<S> {
    const OPS: &'static bindings::msi_table_ops = {
        assert!(
            S::HAS_MASK == S::HAS_UNMASK,
            "a message store has both `mask` and `unmask`, or neither"
        );
        assert!(
            S::HAS_MASK || S::HAS_CLEAR_MSG,
            "a message store without `mask` needs `clear_msg`"
        );

        &bindings::msi_table_ops {
            write_msg: Some(Self::write_msg),
            clear_msg: if S::HAS_CLEAR_MSG {
                Some(Self::clear_msg)
            } else {
                None
            },
            mask: if S::HAS_MASK { Some(Self::mask) } else { None },
            unmask: if S::HAS_UNMASK {
                Some(Self::unmask)
            } else {
                None
            },
            init_vector: if S::HAS_INIT_VECTOR {
                Some(Self::init_vector)
            } else {
                None
            },
            exit_vector: if S::HAS_EXIT_VECTOR {
                Some(Self::exit_vector)
            } else {
                None
            },
            lock: if S::HAS_FLUSH { Some(Self::lock) } else { None },
            unlock: if S::HAS_FLUSH {
                Some(Self::unlock)
            } else {
                None
            },
        }
    };

    /// Returns the data of the table which an operation is called for.
    ///
    /// # Safety
    ///
    /// - `table` must be that of an operation of `Self::OPS`.
    /// - `'b` must not exceed the call of that operation.
    #[inline]
    unsafe fn data<'b>(table: *mut bindings::msi_table) -> &'b Data<S> {
        // SAFETY:
        // - Operations are called for a valid table, which was created with `Self::OPS`.
        // - That did `Table::new_with_lt`, with a `Data<S>` as data, which was initialized before.
        //   It is only shared from then on, and dropped after the table, so it is valid while
        //   operations are called. The caller of `new_with_lt` sees to it that what it borrows is.
        unsafe { &*bindings::msi_table_data(table).cast() }
    }

    /// Returns the store and the vector which an operation is called for.
    ///
    /// # Safety
    ///
    /// - `vector` must be what the C side passed to an operation of `Self::OPS`.
    /// - `'b` must not exceed that call.
    #[inline]
    unsafe fn borrow<'b>(vector: *mut bindings::msi_vector) -> (&'b S, &'b VectorRef<S>) {
        // SAFETY: Operations are called with a valid vector, of the table which they are called
        // for. The rest is required of the caller.
        let data = unsafe { Self::data(bindings::msi_vector_table(vector)) };

        // SAFETY: The vector is valid during the call, and was allocated from a table of `S`: with
        // a cookie which is a foreign-owned `S::Cookie` from before the first until after the last
        // call for the vector, and is not borrowed mutably.
        (&data.store, unsafe { VectorRef::from_raw(vector) })
    }

    /// # Safety
    ///
    /// Must only be called through `Self::OPS`, by the C side.
    unsafe extern "C" fn write_msg(
        vector: *mut bindings::msi_vector,
        msg: *const bindings::msi_msg,
    ) {
        // SAFETY: By the safety requirements of this function.
        let (store, vector) = unsafe { Self::borrow(vector) };
        // SAFETY: The C side passes a valid message.
        let msg = unsafe { *msg };

        store.write_msg(vector, msg.into());
    }

    /// # Safety
    ///
    /// Must only be called through `Self::OPS`, by the C side.
    unsafe extern "C" fn clear_msg(vector: *mut bindings::msi_vector) {
        // SAFETY: By the safety requirements of this function.
        let (store, vector) = unsafe { Self::borrow(vector) };

        store.clear_msg(vector);
    }

    /// # Safety
    ///
    /// Must only be called through `Self::OPS`, by the C side.
    unsafe extern "C" fn mask(vector: *mut bindings::msi_vector) {
        // SAFETY: By the safety requirements of this function.
        let (store, vector) = unsafe { Self::borrow(vector) };

        store.mask(vector);
    }

    /// # Safety
    ///
    /// Must only be called through `Self::OPS`, by the C side.
    unsafe extern "C" fn unmask(vector: *mut bindings::msi_vector) {
        // SAFETY: By the safety requirements of this function.
        let (store, vector) = unsafe { Self::borrow(vector) };

        store.unmask(vector);
    }

    /// # Safety
    ///
    /// Must only be called through `Self::OPS`, by the C side.
    unsafe extern "C" fn init_vector(vector: *mut bindings::msi_vector) -> c_int {
        // SAFETY: By the safety requirements of this function.
        let (store, vector) = unsafe { Self::borrow(vector) };

        from_result(|| {
            store.init_vector(vector)?;
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// Must only be called through `Self::OPS`, by the C side.
    unsafe extern "C" fn exit_vector(vector: *mut bindings::msi_vector) {
        // SAFETY: By the safety requirements of this function.
        let (store, vector) = unsafe { Self::borrow(vector) };

        store.exit_vector(vector);
    }

    /// # Safety
    ///
    /// Must only be called through `Self::OPS`, by the C side.
    unsafe extern "C" fn lock(table: *mut bindings::msi_table) {
        // SAFETY: By the safety requirements of this function.
        let data = unsafe { Self::data(table) };

        // The lock stays taken: `unlock` makes another guard of it.
        mem::forget(data.bus.lock());
    }

    /// # Safety
    ///
    /// Must only be called through `Self::OPS`, by the C side.
    unsafe extern "C" fn unlock(table: *mut bindings::msi_table) {
        // SAFETY: By the safety requirements of this function.
        let data = unsafe { Self::data(table) };
        // SAFETY: The C side calls this once after each `lock` for the table, and in the same
        // thread. So this thread owns the lock, and there is no guard of it: `lock` has forgotten
        // its own. The state of a mutex is `()`.
        let guard = unsafe { Guard::new(&data.bus, ()) };

        data.store.flush();
        drop(guard);
    }
}
