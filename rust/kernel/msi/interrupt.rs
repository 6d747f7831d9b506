// SPDX-License-Identifier: GPL-2.0

//! Vectors with a handler.
//!
//! C header: [`include/linux/msi_table.h`](srctree/include/linux/msi_table.h)

use super::{
    handler::{
        is_intx,
        Arguments,
        Callbacks,
        Installed, //
    },
    vector::Batch,
    Backing,
    Handler,
    ThreadedHandler,
    Vector, //
};
use crate::{
    alloc::Allocator,
    bindings,
    cpu::CpuId,
    error::to_result,
    fmt,
    irq::Flags,
    prelude::*,
    sync::atomic::{
        Atomic,
        Full,
        Relaxed, //
    },
};
use core::{
    ops::Deref,
    ptr, //
};

/// A [`Vector`] with a handler.
///
/// Made by [`Vector::request_irq`] and [`Vector::request_threaded_irq`]. Dropping it frees the
/// handler, and then the vector. The handler does not run any more after that.
///
/// # Invariants
///
/// `handling` is that of a handler of `vector`.
pub struct Interrupt<'a, T, B: Backing = super::Pci> {
    // Dropped first, before the vector.
    handling: Handling<T, B>,
    vector: Vector<'a, B>,
}

/// Frees the handler of an [`Interrupt`] when it is dropped.
///
/// # Invariants
///
/// The handler is installed on its vector, which is owned, and not dropped before this. Everybody
/// who frees either other than this type and the owner does so when the device is unbound.
///
/// The interrupt is disabled once for each [`Disabled`] of it, and once more if `enabled` is
/// `false`. While [`Interrupt::disable`] or [`Interrupt::enable`] runs it may be disabled more
/// often, but not less.
struct Handling<T, B: Backing> {
    installed: Pin<KBox<Installed<T, B>>>,

    /// Whether [`Interrupt::disable`] has not been called since [`Interrupt::enable`].
    enabled: Atomic<bool>,

    /// How many [`Disabled`] there are, with those which were leaked.
    disabled: Atomic<i32>,
}

impl<T, B: Backing> Handling<T, B> {
    /// # Safety
    ///
    /// The interrupt must have been disabled, and this must be the one call which ends that.
    unsafe fn enable_once(&self) {
        // SAFETY: By the type invariants the vector is valid. `enable_irq()` takes any number. This
        // is one of an interrupt which exists, as it does as long as the vector. By the safety
        // requirements of this function the call is balanced.
        unsafe { bindings::enable_irq(bindings::msi_vector_irq(self.installed.vector())) };
    }

    /// Undoes what is left of [`Interrupt::disable`], and of a [`Disabled`] which was leaked.
    #[cold]
    fn enable_shared(&mut self) {
        // SAFETY: By the type invariants the vector is valid.
        if !unsafe { is_intx(self.installed.vector()) } {
            // It begins anew with the next handler.
            return;
        }
        for _ in 0..self.disabled.load(Relaxed) + i32::from(!self.enabled.load(Relaxed)) {
            // SAFETY: By the type invariants it is disabled that often, and nobody else ends that.
            unsafe { self.enable_once() };
        }
    }
}

impl<T, B: Backing> Drop for Handling<T, B> {
    #[inline]
    fn drop(&mut self) {
        if !self.enabled.load(Relaxed) || self.disabled.load(Relaxed) != 0 {
            self.enable_shared();
        }
        // SAFETY: By the type invariants the vector is valid: it is not dropped yet, nor is the
        // device unbound. Nobody else installs or frees a handler on it at the same time: whoever
        // does has a vector which he owns, and that of this handler is in an `Interrupt`; or is the
        // C side when the device is unbound.
        unsafe { bindings::msi_vector_free_irq(self.installed.vector()) };
    }
}

impl<'a, T, B: Backing> Interrupt<'a, T, B> {
    /// Returns the handler.
    #[inline]
    pub fn handler(&self) -> &T {
        self.handling.installed.handler()
    }

    /// Returns the vector.
    #[inline]
    pub fn vector(&self) -> &Vector<'a, B> {
        &self.vector
    }

    /// Waits for handlers which run on other CPUs, and for the handler's thread.
    ///
    /// This may sleep, and must not be called by the handler or its thread.
    #[inline]
    pub fn synchronize(&self) {
        // SAFETY: `synchronize_irq()` takes any number. This is one of an interrupt which exists,
        // as it does as long as the vector.
        unsafe { bindings::synchronize_irq(self.vector.irq()) };
    }

    /// Says which CPU suits the interrupt best, or that there is none any more.
    ///
    /// It is what `/proc/irq/N/affinity_hint` shows, to a daemon which balances interrupts for
    /// example, and moves nothing by itself. It ends with the handler.
    ///
    /// # Errors
    ///
    /// - `EINVAL` if the kernel is for one CPU only
    /// - `EOPNOTSUPP` for INTx, whose line may be shared with other devices
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{
    ///     cpu::CpuId,
    ///     irq::{
    ///         Flags,
    ///         Handler,
    ///         IrqReturn, //
    ///     },
    ///     msi::{
    ///         fake::{
    ///             fake_device,
    ///             Recorder, //
    ///         },
    ///         Table, //
    ///     },
    /// };
    ///
    /// struct Ignore;
    ///
    /// impl Handler for Ignore {
    ///     fn handle(&self) -> IrqReturn {
    ///         IrqReturn::Handled
    ///     }
    /// }
    ///
    /// let dev = fake_device!(c"msi_hint", 8);
    /// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
    /// let irq = table
    ///     .alloc(5)?
    ///     .request_irq(Flags::TRIGGER_NONE, c"ignore", Ignore)?;
    ///
    /// assert_eq!(irq.hint_affinity(CpuId::from_i32(0)).is_ok(), cfg!(CONFIG_SMP));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn hint_affinity(&self, cpu: Option<CpuId>) -> Result {
        // SAFETY: The vector is valid.
        if unsafe { is_intx(self.handling.installed.vector()) } {
            return Err(EOPNOTSUPP);
        }

        let mask = cpu.map_or(ptr::null(), |cpu| {
            // SAFETY: By the type invariant of `CpuId` there is such a CPU.
            unsafe { bindings::get_cpu_mask(cpu.as_u32()) }
        });

        // SAFETY: `irq_update_affinity_hint()` takes any number, and null or a mask which has to
        // stay where it is. The masks of single CPUs are static.
        to_result(unsafe { bindings::irq_update_affinity_hint(self.vector.irq(), mask) })
    }

    /// Disables the interrupt, until [`Interrupt::enable`] is called.
    ///
    /// The handler does not run any more when this returns. What arrives meanwhile is not lost: the
    /// handler is called for it, once, when the interrupt is enabled again. Nothing happens if it
    /// is disabled already; for something that nests see [`Interrupt::disabled`].
    ///
    /// This may sleep. It must not be called by the handler, for which it waits.
    ///
    /// The line of INTx is disabled for the other devices which share it as well, and so it is
    /// enabled before the handler is freed.
    pub fn disable(&self) {
        // SAFETY: `disable_irq()` takes any number. This is one of an interrupt which exists, as it
        // does as long as the vector.
        unsafe { bindings::disable_irq(self.vector.irq()) };

        // INVARIANT: It was disabled above, for `enabled`, which is `false` from now on. If that
        // was so already then once is too much.
        if !self.handling.enabled.xchg(false, Full) {
            // SAFETY: By the type invariants it is disabled twice at least.
            unsafe { self.handling.enable_once() };
        }
    }

    /// Enables the interrupt, after [`Interrupt::disable`], or if it was requested with
    /// [`Flags::NO_AUTOEN`]. Otherwise nothing happens.
    ///
    /// This may sleep if the store of the table has a [`flush`](super::Store::flush).
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{
    ///     irq::{
    ///         Flags,
    ///         Handler,
    ///         IrqReturn, //
    ///     },
    ///     msi::{
    ///         fake::{
    ///             fake_device,
    ///             Recorder, //
    ///         },
    ///         Table, //
    ///     },
    ///     sync::atomic::{
    ///         Atomic,
    ///         Relaxed, //
    ///     },
    /// };
    ///
    /// struct Counter(Atomic<u32>);
    ///
    /// impl Handler for Counter {
    ///     fn handle(&self) -> IrqReturn {
    ///         self.0.add(1, Relaxed);
    ///         IrqReturn::Handled
    ///     }
    /// }
    ///
    /// let dev = fake_device!(c"msi_enable", 8);
    /// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
    ///
    /// // The device may send messages before the driver is ready for them.
    /// let irq = table
    ///     .alloc(5)?
    ///     .request_irq(Flags::NO_AUTOEN, c"count", Counter(Atomic::new(0)))?;
    /// assert!(table.store().is_masked(5));
    ///
    /// irq.enable();
    /// assert!(!table.store().is_masked(5));
    /// dev.parent().inject(irq.vector().message()?)?;
    /// irq.disable();
    /// assert_eq!(irq.handler().0.load(Relaxed), 1);
    ///
    /// irq.disable();
    /// irq.enable();
    /// dev.parent().inject(irq.vector().message()?)?;
    /// irq.synchronize();
    /// assert_eq!(irq.handler().0.load(Relaxed), 2);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn enable(&self) {
        // INVARIANT: If it was disabled for `enabled` then that ends below.
        if !self.handling.enabled.xchg(true, Full) {
            // SAFETY: By the type invariants it is disabled, once for `enabled`. That has just been
            // changed, by nobody else.
            unsafe { self.handling.enable_once() };
        }
    }

    /// Disables the interrupt for as long as what this returns exists.
    ///
    /// Like [`Interrupt::disable`], but it nests: there may be several at a time, and the interrupt
    /// is enabled when all of them are dropped, unless it is disabled by that function. If one is
    /// leaked then the interrupt is disabled until it is freed; that of INTx until right before.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{
    ///     irq::{
    ///         Flags,
    ///         Handler,
    ///         IrqReturn, //
    ///     },
    ///     msi::{
    ///         fake::{
    ///             fake_device,
    ///             Recorder, //
    ///         },
    ///         Table, //
    ///     },
    ///     sync::atomic::{
    ///         Atomic,
    ///         Relaxed, //
    ///     },
    /// };
    ///
    /// struct Counter(Atomic<u32>);
    ///
    /// impl Handler for Counter {
    ///     fn handle(&self) -> IrqReturn {
    ///         self.0.add(1, Relaxed);
    ///         IrqReturn::Handled
    ///     }
    /// }
    ///
    /// let dev = fake_device!(c"msi_disabled", 8);
    /// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
    /// let irq = table
    ///     .alloc(5)?
    ///     .request_irq(Flags::TRIGGER_NONE, c"count", Counter(Atomic::new(0)))?;
    ///
    /// let reset = irq.disabled();
    /// let poll = irq.disabled();
    /// drop(reset);
    /// dev.parent().inject(irq.vector().message()?)?;
    /// assert_eq!(poll.interrupt().handler().0.load(Relaxed), 0);
    /// # drop(poll);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn disabled(&self) -> Disabled<'_, 'a, T, B> {
        // SAFETY: As in `Interrupt::disable`.
        unsafe { bindings::disable_irq(self.vector.irq()) };

        // INVARIANT: It was just disabled, for this.
        self.handling.disabled.add(1, Relaxed);
        Disabled(self)
    }

    /// Frees several interrupts, with their vectors.
    ///
    /// This is faster than dropping them one by one, see
    /// [`Vector::free_many`](super::Vector::free_many). It allocates nothing. It may sleep, and
    /// must not be called by one of the handlers or their threads.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{
    ///     irq::{
    ///         Flags,
    ///         Handler,
    ///         IrqReturn, //
    ///     },
    ///     msi::{
    ///         fake::{
    ///             fake_device,
    ///             Recorder, //
    ///         },
    ///         Interrupt,
    ///         Table, //
    ///     },
    /// };
    ///
    /// struct Ignore;
    ///
    /// impl Handler for Ignore {
    ///     fn handle(&self) -> IrqReturn {
    ///         IrqReturn::Handled
    ///     }
    /// }
    ///
    /// let dev = fake_device!(c"msi_free_irqs", 8);
    /// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
    ///
    /// let mut irqs = KVec::with_capacity(4, GFP_KERNEL)?;
    /// for vector in table.alloc_many(.., 4..=4)? {
    ///     let irq = vector.request_irq(Flags::TRIGGER_NONE, c"ignore", Ignore)?;
    ///     irqs.push(irq, GFP_KERNEL)?;
    /// }
    /// assert_eq!(dev.parent().live(), 4);
    ///
    /// Interrupt::free_many(irqs);
    /// assert_eq!(dev.parent().live(), 0);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn free_many<A: Allocator>(mut irqs: Vec<Self, A>) {
        let mut batch = Batch::new();

        for irq in irqs.drain_all() {
            batch.free(irq.free_irq());
        }
    }

    /// Frees the handler, and gives the vector back.
    ///
    /// The handler does not run any more when this returns. It is dropped. This may sleep, and must
    /// not be called by the handler or its thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{
    ///     irq::{
    ///         Flags,
    ///         Handler,
    ///         IrqReturn, //
    ///     },
    ///     msi::{
    ///         fake::{
    ///             fake_device,
    ///             Recorder, //
    ///         },
    ///         Table, //
    ///     },
    /// };
    ///
    /// struct Ignore;
    ///
    /// impl Handler for Ignore {
    ///     fn handle(&self) -> IrqReturn {
    ///         IrqReturn::Handled
    ///     }
    /// }
    ///
    /// let dev = fake_device!(c"msi_free_irq", 8);
    /// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
    ///
    /// let mut irqs = KVec::with_capacity(4, GFP_KERNEL)?;
    /// for vector in table.alloc_many(4.., 4..=4)? {
    ///     let irq = vector.request_irq(Flags::TRIGGER_NONE, c"ignore", Ignore)?;
    ///     irqs.push(irq, GFP_KERNEL)?;
    /// }
    ///
    /// let vector = irqs.remove(1).map_err(|_| EINVAL)?.free_irq();
    /// assert_eq!(vector.label(), 5);
    /// assert!(table.store().is_masked(5));
    /// assert_eq!(table.alloc(5).err(), Some(EBUSY));
    /// assert!(!table.store().is_masked(6));
    /// # drop(vector);
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub fn free_irq(self) -> Vector<'a, B> {
        drop(self.handling);
        self.vector
    }
}

/// An interrupt is disabled as long as this exists. Made by [`Interrupt::disabled`].
///
/// # Invariants
///
/// The interrupt was disabled once for this.
#[must_use = "the interrupt is enabled again when this is dropped"]
pub struct Disabled<'i, 'a, T, B: Backing = super::Pci>(&'i Interrupt<'a, T, B>);

impl<'i, 'a, T, B: Backing> Disabled<'i, 'a, T, B> {
    /// Returns the interrupt which is disabled.
    #[inline]
    pub fn interrupt(&self) -> &'i Interrupt<'a, T, B> {
        self.0
    }
}

impl<T, B: Backing> Drop for Disabled<'_, '_, T, B> {
    fn drop(&mut self) {
        self.0.handling.disabled.add(-1, Relaxed);
        // SAFETY: By the type invariant, and nobody else ends it. It has been the same handler all
        // the time, since the interrupt is borrowed.
        unsafe { self.0.handling.enable_once() };
    }
}

/// Returns whether an interrupt is disabled when it has been requested with these flags.
#[inline]
pub(super) fn is_disabled(flags: Flags) -> bool {
    (flags & Flags::NO_AUTOEN).into_inner() != 0
}

impl<'a, B: Backing> Vector<'a, B> {
    /// Turns the vector into an interrupt, by registering a handler.
    ///
    /// # Safety
    ///
    /// `T` must be `'static`, or the caller must see to it that the interrupt is dropped, or the
    /// device unbound, before what `T` borrows ends.
    unsafe fn request<T, E>(
        self,
        callbacks: Callbacks<T, B>,
        flags: Flags,
        name: impl Deref<Target = CStr>,
        handler: impl PinInit<T, E>,
    ) -> Result<Interrupt<'a, T, B>>
    where
        Error: From<E>,
    {
        let installed = Installed::new(Arguments::new(&self), handler)?;

        // SAFETY:
        // - The vector is valid, and owned, so nobody else installs or frees a handler: the C side
        //   does so by itself only when the device is unbound.
        // - `installed` is valid until the handler is freed, by `Handling`, and forever if it is
        //   forgotten. There are only shared references to it from here on.
        // - The vector is owned by what owns `installed`, which does not drop it before, and it
        //   keeps the store. If it is forgotten then the C side frees the handler, and the vector
        //   after that. By the safety requirements of this function, of `Table::new_with_lt` and of
        //   `Mapping` what the handler and the store refer to, or what is done with it, is valid as
        //   long.
        unsafe { installed.install(&callbacks, flags, &name) }?;

        // INVARIANT: The handler was installed above, on this vector. The C side frees one by
        // itself only when the device is unbound. It is disabled if the flags say so.
        Ok(Interrupt {
            handling: Handling {
                installed,
                enabled: Atomic::new(!is_disabled(flags)),
                disabled: Atomic::new(0),
            },
            vector: self,
        })
    }

    /// Registers a handler, and makes the vector an [`Interrupt`].
    ///
    /// `name` is what `/proc/interrupts` shows. It is copied, and may be a
    /// [`CString`](crate::str::CString) with the number of a queue.
    ///
    /// `handler` is an initializer, or just a value. It is put into an allocation of its own, so
    /// the interrupt may be moved. This may sleep.
    ///
    /// # Errors
    ///
    /// - `ENOSPC` if there is no CPU vector left
    /// - `ENOMEM` if there is no memory
    /// - `EINVAL` with [`Flags::NO_AUTOEN`] on INTx, whose line is always shared
    /// - another error of the C `request_irq()`, or of the initializer of the handler
    ///
    /// The vector is freed in these cases.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{
    ///     irq::{
    ///         Flags,
    ///         Handler,
    ///         IrqReturn, //
    ///     },
    ///     msi::{
    ///         fake::{
    ///             fake_device,
    ///             Recorder, //
    ///         },
    ///         Interrupt,
    ///         Table, //
    ///     },
    ///     prelude::*,
    ///     sync::atomic::{
    ///         Atomic,
    ///         Relaxed, //
    ///     },
    /// };
    ///
    /// struct Counter(Atomic<u32>);
    ///
    /// impl Handler for Counter {
    ///     fn handle(&self) -> IrqReturn {
    ///         self.0.add(1, Relaxed);
    ///         IrqReturn::Handled
    ///     }
    /// }
    ///
    /// // What a driver may store: nothing refers to its neighbour.
    /// struct Data<'a> {
    ///     table: Table<'a, Recorder>,
    ///     rx: Interrupt<'a, Counter, Recorder>,
    ///     tx: Interrupt<'a, Counter, Recorder>,
    /// }
    ///
    /// let dev = fake_device!(c"msi_request_irq", 8);
    /// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
    /// let counter = || Counter(Atomic::new(0));
    ///
    /// let data = Data {
    ///     rx: table.alloc(0)?.request_irq(Flags::TRIGGER_NONE, c"rx", counter())?,
    ///     tx: table.alloc(1)?.request_irq(Flags::TRIGGER_NONE, c"tx", counter())?,
    ///     table,
    /// };
    ///
    /// dev.parent().inject(data.tx.vector().message()?)?;
    /// data.tx.synchronize();
    /// assert_eq!(data.rx.handler().0.load(Relaxed), 0);
    /// assert_eq!(data.tx.handler().0.load(Relaxed), 1);
    ///
    /// drop(data);
    /// assert_eq!(dev.parent().live(), 0);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn request_irq<T, E>(
        self,
        flags: Flags,
        name: impl Deref<Target = CStr>,
        handler: impl PinInit<T, E>,
    ) -> Result<Interrupt<'a, T, B>>
    where
        T: Handler<B> + 'static,
        Error: From<E>,
    {
        // SAFETY: `T` is `'static`, so there is nothing whose borrow could end.
        unsafe { self.request_irq_with_lt(flags, name, handler) }
    }

    /// Registers a handler which borrows from the driver.
    ///
    /// Like [`Vector::request_irq`], for a handler that is not `'static`.
    ///
    /// # Safety
    ///
    /// The caller must not `mem::forget()` the [`Interrupt`], nor keep it from being dropped in any
    /// other way, before what `T` borrows ends: the handler may be called until it is dropped, or
    /// the device unbound.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{
    ///     irq::{
    ///         Flags,
    ///         Handler,
    ///         IrqReturn, //
    ///     },
    ///     msi::{
    ///         fake::{
    ///             fake_device,
    ///             Recorder, //
    ///         },
    ///         Table, //
    ///     },
    ///     sync::atomic::{
    ///         Atomic,
    ///         Relaxed, //
    ///     },
    /// };
    ///
    /// struct Counter<'a>(&'a Atomic<u32>);
    ///
    /// impl Handler for Counter<'_> {
    ///     fn handle(&self) -> IrqReturn {
    ///         self.0.add(1, Relaxed);
    ///         IrqReturn::Handled
    ///     }
    /// }
    ///
    /// let count = Atomic::new(0u32);
    /// let dev = fake_device!(c"msi_irq_borrow", 8);
    /// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
    /// let vector = table.alloc_any()?;
    ///
    /// // SAFETY: The interrupt is not leaked.
    /// let irq = unsafe {
    ///     vector.request_irq_with_lt(Flags::TRIGGER_NONE, c"count", Counter(&count))
    /// }?;
    ///
    /// dev.parent().inject(irq.vector().message()?)?;
    /// drop(irq);
    /// assert_eq!(count.load(Relaxed), 1);
    /// # Ok::<(), Error>(())
    /// ```
    pub unsafe fn request_irq_with_lt<T, E>(
        self,
        flags: Flags,
        name: impl Deref<Target = CStr>,
        handler: impl PinInit<T, E>,
    ) -> Result<Interrupt<'a, T, B>>
    where
        T: Handler<B> + 'a,
        Error: From<E>,
    {
        // SAFETY: This is required of the caller.
        unsafe { self.request(Callbacks::hard(), flags, name, handler) }
    }

    /// Registers a threaded handler, and makes the vector an [`Interrupt`].
    ///
    /// See [`Vector::request_irq`]. The line of INTx stays masked until the thread has run, as with
    /// [`Flags::ONESHOT`], so whoever shares it must do so, too.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{
    ///     irq::{
    ///         Flags,
    ///         IrqReturn,
    ///         ThreadedHandler, //
    ///     },
    ///     msi::{
    ///         fake::{
    ///             fake_device,
    ///             Recorder, //
    ///         },
    ///         Table, //
    ///     },
    ///     new_mutex,
    ///     prelude::*,
    ///     sync::Mutex, //
    /// };
    ///
    /// #[pin_data]
    /// struct Counter {
    ///     #[pin]
    ///     count: Mutex<u32>,
    /// }
    ///
    /// impl ThreadedHandler for Counter {
    ///     fn handle_threaded(&self) -> IrqReturn {
    ///         *self.count.lock() += 1;
    ///         IrqReturn::Handled
    ///     }
    /// }
    ///
    /// let dev = fake_device!(c"msi_threaded", 8);
    /// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
    /// let irq = table.alloc_any()?.request_threaded_irq(
    ///     Flags::TRIGGER_NONE,
    ///     c"counter",
    ///     pin_init!(Counter { count <- new_mutex!(0) }),
    /// )?;
    ///
    /// dev.parent().inject(irq.vector().message()?)?;
    /// irq.synchronize();
    /// assert_eq!(*irq.handler().count.lock(), 1);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn request_threaded_irq<T, E>(
        self,
        flags: Flags,
        name: impl Deref<Target = CStr>,
        handler: impl PinInit<T, E>,
    ) -> Result<Interrupt<'a, T, B>>
    where
        T: ThreadedHandler<B> + 'static,
        Error: From<E>,
    {
        // SAFETY: `T` is `'static`, so there is nothing whose borrow could end.
        unsafe { self.request_threaded_irq_with_lt(flags, name, handler) }
    }

    /// Registers a threaded handler which borrows from the driver.
    ///
    /// Like [`Vector::request_threaded_irq`], for a handler that is not `'static`.
    ///
    /// # Safety
    ///
    /// As for [`Vector::request_irq_with_lt`].
    pub unsafe fn request_threaded_irq_with_lt<T, E>(
        self,
        flags: Flags,
        name: impl Deref<Target = CStr>,
        handler: impl PinInit<T, E>,
    ) -> Result<Interrupt<'a, T, B>>
    where
        T: ThreadedHandler<B> + 'a,
        Error: From<E>,
    {
        // SAFETY: This is required of the caller.
        unsafe { self.request(Callbacks::threaded(), flags, name, handler) }
    }
}

impl<T, B: Backing> fmt::Debug for Interrupt<'_, T, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interrupt")
            .field("vector", self.vector())
            .finish_non_exhaustive()
    }
}

impl<T, B: Backing> fmt::Debug for Disabled<'_, '_, T, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Disabled").field(self.interrupt()).finish()
    }
}
