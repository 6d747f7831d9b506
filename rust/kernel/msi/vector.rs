// SPDX-License-Identifier: GPL-2.0

//! Allocated messages.
//!
//! C header: [`include/linux/msi_table.h`](srctree/include/linux/msi_table.h)

use super::{
    request::private::Token,
    Backing,
    Cookies,
    Inner,
    Message,
    Request, //
};
use crate::{
    alloc::Allocator,
    bindings,
    cpumask::{
        Cpumask,
        CpumaskVar, //
    },
    error::to_result,
    fmt,
    prelude::*,
    sync::aref::ARef,
    types::{
        ForeignOwnable,
        Opaque, //
    },
};
use core::{
    any::TypeId,
    marker::PhantomData,
    mem::{
        self,
        ManuallyDrop,
        MaybeUninit, //
    },
    num::NonZeroU32,
    ops::{
        Deref,
        RangeInclusive, //
    },
    ptr::{
        self,
        NonNull, //
    },
};

/// Returns whether there is anything to give back of a cookie of this type, which the compiler
/// knows. Of `()`, the cookie of a vector without one, there is not.
#[inline(always)]
fn is_owned<C: 'static>() -> bool {
    TypeId::of::<C>() != TypeId::of::<()>()
}

/// Returns a count, or an error if it is negative.
#[inline]
fn to_count(ret: c_int) -> Result<usize> {
    to_result(ret.min(0))?;
    Ok(usize::try_from(ret)?)
}

/// A reference to a vector, as the methods of a [`Store`](super::Store) and handlers get it.
///
/// # Examples
///
/// A [`Vector`] is one as well.
///
/// ```
/// use kernel::msi::{
///     fake::{
///         fake_device,
///         Recorder, //
///     },
///     Table,
///     VectorRef, //
/// };
///
/// let dev = fake_device!(c"msi_vector_ref", 8);
/// let vector = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?.alloc(5)?;
///
/// let vector: &VectorRef<Recorder> = &vector;
/// assert_eq!(vector.label(), 5);
/// assert!(vector.irq() != 0);
/// # Ok::<(), Error>(())
/// ```
///
/// # Invariants
///
/// The `struct msi_vector` is valid, was allocated from a table of `B`, and its cookie is a
/// foreign-owned `B::Cookie` which is borrowed immutably only while there is a reference to `Self`.
///
/// Invariant in `B`, as a subtype of it may have another type of cookie.
#[repr(transparent)]
pub struct VectorRef<B: Backing>(Opaque<bindings::msi_vector>, PhantomData<fn(B) -> B>);

// SAFETY:
// - `msi_vector_label()` and `msi_vector_cookie()` read what is set before there is a reference.
// - `msi_vector_irq()` reads a number which is set once: between `Store::init_vector`, whose thread
//   is the only one with a reference by then, and what is called next for the vector.
// - The cookie is `Sync`.
unsafe impl<B: Backing> Sync for VectorRef<B> {}

impl<B: Backing> VectorRef<B> {
    /// # Safety
    ///
    /// - `ptr` must be valid for `'b`.
    /// - It must have been allocated from a table of `B`, or be about to be, with a cookie which
    ///   comes from `into_foreign` of a `B::Cookie`. That must not be taken back, nor be borrowed
    ///   mutably, for `'b`.
    #[inline]
    pub(super) unsafe fn from_raw<'b>(ptr: *mut bindings::msi_vector) -> &'b Self {
        // INVARIANT: By the safety requirements of this function.
        // SAFETY: `Self` is a transparent wrapper of `struct msi_vector`, which is valid for `'b`,
        // and `Opaque`, so it does not matter who changes it.
        unsafe { &*ptr.cast() }
    }

    #[inline]
    fn as_raw(&self) -> *mut bindings::msi_vector {
        self.0.get()
    }

    /// Returns the Linux interrupt number.
    ///
    /// In [`Store::init_vector`](super::Store::init_vector) there may be none yet, and this is 0.
    #[inline]
    pub fn irq(&self) -> u32 {
        // SAFETY: By the type invariants the vector is valid.
        unsafe { bindings::msi_vector_irq(self.as_raw()) }
    }

    /// Returns the label: MSI-X table index, MSI message number, or entry number of the store.
    #[inline]
    pub fn label(&self) -> u32 {
        // SAFETY: By the type invariants the vector is valid.
        unsafe { bindings::msi_vector_label(self.as_raw()) }
    }

    /// Returns the cookie which the vector was allocated with, see [`Request::cookie`].
    #[inline]
    pub fn cookie(&self) -> <B::Cookie as ForeignOwnable>::Borrowed<'_> {
        // SAFETY: By the type invariants the vector is valid, and its cookie comes from
        // `into_foreign` of a `B::Cookie`, and is neither taken back nor borrowed mutably as long
        // as `self` is borrowed.
        unsafe { B::Cookie::borrow(bindings::msi_vector_cookie(self.as_raw())) }
    }
}

/// An allocated interrupt message.
///
/// Dropping it frees the message, and the cookie after that. It keeps the table alive.
///
/// # Invariants
///
/// - `ptr` is a valid vector, which was allocated from the table of `table` with a foreign-owned
///   `B::Cookie`.
/// - Everybody who frees `ptr` other than this type does so when the device is unbound.
///
/// # Examples
///
/// ```
/// use kernel::msi::{fake::{fake_device, Recorder}, Table};
///
/// let dev = fake_device!(c"msi_vector", 8);
/// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
///
/// let vector = table.alloc(5)?;
/// assert_eq!(vector.label(), 5);
/// assert!(vector.irq() != 0);
/// assert_eq!(dev.parent().live(), 1);
///
/// drop(vector);
/// assert_eq!(dev.parent().live(), 0);
/// assert!(table.alloc(5).is_ok());
/// # Ok::<(), Error>(())
/// ```
pub struct Vector<'a, B: Backing = super::Pci> {
    ptr: NonNull<bindings::msi_vector>,
    pub(super) table: ARef<Inner<'a, B>>,
}

// SAFETY: The functions that take a `struct msi_vector`, and those which free it, may be called
// from any thread. The cookie is `Send`. So is the reference to the table, as `Inner` is `Send` and
// `Sync`.
unsafe impl<B: Backing> Send for Vector<'_, B> {}

// SAFETY: The functions which get the vector by a shared reference, to read or move it or to
// restore it, may be called concurrently. The cookie is `Sync`, and so is `Inner`.
unsafe impl<B: Backing> Sync for Vector<'_, B> {}

impl<'a, B: Backing> Vector<'a, B> {
    #[inline]
    pub(super) fn new(table: &ARef<Inner<'a, B>>, request: Request<'_, B::Cookie>) -> Result<Self> {
        if request.affinities.is_some_and(|a| a.is_empty()) {
            return Err(EINVAL);
        }

        let req = request.to_raw();
        let cookie = request.cookie.into_foreign();
        let req = bindings::msi_vector_request { cookie, ..req };

        let mut ptr = ptr::null_mut();

        // SAFETY: By the type invariants of `Inner` the table is valid, and still exists since the
        // device is bound. The request is valid, and so are what it points to: at least one
        // affinity and a description of how to spread, if any. They are not used after the call.
        // The cookie is what the operations of a table of `B` expect. There is room for a pointer.
        let ret =
            unsafe { bindings::msi_table_alloc_vectors(table.ptr.as_ptr(), &req, 1, 1, &mut ptr) };

        if ret < 0 {
            // SAFETY: `cookie` comes from `into_foreign` above, and the vector which it was for
            // does not exist any more.
            drop(unsafe { B::Cookie::from_foreign(cookie) });
            return Err(Error::from_errno(ret));
        }

        // INVARIANT: The vector was just allocated from the table with this cookie. The C side
        // frees a vector by itself only when the device is unbound.
        Ok(Self {
            // SAFETY: The C side has written a valid vector.
            ptr: unsafe { NonNull::new_unchecked(ptr) },
            table: table.clone(),
        })
    }

    pub(super) fn new_many<K: Cookies<B::Cookie>, A: Allocator>(
        table: &ARef<Inner<'a, B>>,
        mut request: Request<'_, K>,
        count: RangeInclusive<u32>,
        vectors: &mut Vec<Self, A>,
    ) -> Result<usize> {
        // SAFETY: By the type invariants of `Inner` the table is valid.
        let size = NonZeroU32::new(unsafe { bindings::msi_table_size(table.ptr.as_ptr()) });
        let (min, max) = (*count.start(), *count.end());
        if min > max {
            return Err(EINVAL);
        }

        let limit = request.limit(size);
        // What is below the minimum is for the C side to find the error of, unless affinities are
        // missing.
        let max = max.min(limit.max(min));
        if request
            .affinities
            .is_some_and(|affinities| affinities.len() < max as usize)
        {
            return Err(EINVAL);
        }
        // By how much there are too few makes no difference, and is to take no memory.
        let enough = limit.saturating_add(1);
        let (min, max) = (min.min(enough), max.min(enough));

        // Too much may have been asked for, which is no reason to warn. What comes after the
        // allocation of the vectors can not fail.
        let flags = GFP_KERNEL | __GFP_NOWARN;
        let owned = if is_owned::<B::Cookie>() { max } else { 0 };
        vectors.reserve(max as usize, flags)?;
        let mut room = [const { MaybeUninit::uninit() }; ROOM];
        let mut more;
        let ptrs = match room.get_mut(..max as usize) {
            Some(room) => room,
            None => {
                more = KVVec::with_capacity(max as usize, flags)?;
                more.spare_capacity_mut()
            }
        };
        let mut cookies = KVVec::from_elem(ptr::null_mut(), owned as usize, flags)?;

        let mut n: u32 = 0;
        let mut cookie = ptr::null_mut();
        while n < max {
            let Some(next) = request.cookie.next_cookie(Token) else {
                break;
            };
            cookie = next.into_foreign();
            if let Some(slot) = cookies.get_mut(n as usize) {
                *slot = cookie;
            }
            n += 1;
        }

        let req = bindings::msi_vector_request {
            // One `()` is like the other.
            cookie,
            cookies: if is_owned::<B::Cookie>() {
                cookies.as_mut_ptr()
            } else {
                ptr::null_mut()
            },
            ..request.to_raw()
        };

        // SAFETY:
        // - By the type invariants of `Inner` the table is valid, and still exists since the device
        //   is bound.
        // - The request is valid, and not used after the call. There are `n` cookies, which the
        //   operations of a table of `B` expect, and at least as many affinities, if any. The C
        //   side does not write to them.
        // - There is room for `n` pointers.
        let res = to_count(unsafe {
            bindings::msi_table_alloc_vectors(
                table.ptr.as_ptr(),
                &req,
                min,
                n,
                ptrs.as_mut_ptr().cast(),
            )
        });
        let len = *res.as_ref().unwrap_or(&0);

        for &cookie in cookies.iter().take(n as usize).skip(len) {
            // SAFETY: The cookie comes from `into_foreign` above. There is no vector for it.
            drop(unsafe { B::Cookie::from_foreign(cookie) });
        }
        res?;

        let inner = ARef::into_raw(table.clone());
        // That was the first one; there is at least one. They fit into memory, so there are not too
        // many for an `int`.
        table.refs.add(len as i32 - 1);
        for (slot, ptr) in vectors.spare_capacity_mut().iter_mut().zip(&ptrs[..len]) {
            // INVARIANT: The vector was just allocated from the table with this cookie. The C side
            // frees a vector by itself only when the device is unbound.
            slot.write(Self {
                // SAFETY: The C side has written that many pointers to valid vectors.
                ptr: unsafe { NonNull::new_unchecked(ptr.assume_init()) },
                // SAFETY: The table is valid, and this is one of the handles just counted.
                table: unsafe { ARef::from_raw(inner) },
            });
        }
        // SAFETY: There is room for `max` more, and the first `len` have just been written.
        unsafe { vectors.inc_len(len) };

        Ok(len)
    }

    /// Frees several vectors.
    ///
    /// This is faster than dropping them one by one, in particular with vectors which were
    /// allocated together and in the order of allocation. It allocates nothing. This may sleep.
    #[inline]
    pub fn free_many<A: Allocator>(mut vectors: Vec<Self, A>) {
        Self::free_all(&mut vectors);
    }

    /// Frees all of these vectors, and leaves their room.
    ///
    /// Like [`Vector::free_many`].
    pub fn free_all<A: Allocator>(vectors: &mut Vec<Self, A>) {
        let mut room = [const { MaybeUninit::uninit() }; ROOM];

        for run in vectors.chunk_by(|a, b| ptr::eq(&*a.table, &*b.table)) {
            for chunk in run.chunks(ROOM) {
                for (slot, vector) in room.iter_mut().zip(chunk) {
                    slot.write(vector.as_raw());
                }
                // SAFETY: The first so many of `room` are vectors of this table, with the handles
                // of `chunk`, which are neither used again nor dropped.
                unsafe { Inner::free_vectors(chunk[0].inner(), &mut room[..chunk.len()]) };
            }
        }
        vectors.drain_all().for_each(mem::forget);
    }

    #[inline]
    pub(super) fn as_raw(&self) -> *mut bindings::msi_vector {
        self.ptr.as_ptr()
    }

    #[inline]
    pub(super) fn as_non_null(&self) -> NonNull<bindings::msi_vector> {
        self.ptr
    }

    /// The pointer of the handle, which whoever has the last one may free the table by; not one
    /// that comes from a reference.
    #[inline]
    fn inner(&self) -> NonNull<Inner<'a, B>> {
        // SAFETY: The field is valid. The copy is not used as a handle, and not dropped.
        ARef::into_raw(unsafe { ptr::read(&self.table) })
    }

    /// Returns what is behind the table of the vector: the store the table was created with.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::msi::{fake::{fake_device, Recorder}, Table};
    ///
    /// let dev = fake_device!(c"msi_vec_store", 8);
    /// let vector = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?.alloc(5)?;
    ///
    /// assert!(vector.store().is_masked(5));
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub fn store(&self) -> &B {
        &self.table.data.store
    }

    /// Writes the message and the mask of this vector to the device again, as
    /// [`Table::restore`](super::Table::restore) does for all, and in the same context.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::msi::{fake::{fake_device, Recorder}, Table};
    ///
    /// let dev = fake_device!(c"msi_restore_one", 8);
    /// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
    /// let vector = table.alloc(5)?;
    /// let _other = table.alloc(6)?;
    ///
    /// // What a reset of the device does.
    /// table.store().wipe();
    ///
    /// vector.restore();
    /// assert!(table.store().is_masked(5));
    /// assert!(!table.store().is_masked(6));
    /// # drop(vector);
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub fn restore(&self) {
        // SAFETY: By the type invariants the vector is valid, and so is its table. It may be
        // restored concurrently with everything.
        unsafe { bindings::msi_vector_restore(self.as_raw()) };
    }

    /// Moves the interrupt to other CPUs.
    ///
    /// Its message changes with that, unless interrupts are remapped. As long as there is no
    /// handler the affinity takes effect when one is registered. Like [`Vector::message`] this must
    /// not be called by the methods of a [`Store`](super::Store).
    ///
    /// # Errors
    ///
    /// - `EINVAL` if none of the CPUs is online. Without a handler that may only be found when one
    ///   is registered, which then runs on any CPU.
    /// - another error of the C `irq_set_affinity()`
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{
    ///     cpu::CpuId,
    ///     cpumask::CpumaskVar,
    ///     msi::{
    ///         fake::{
    ///             fake_device,
    ///             Recorder, //
    ///         },
    ///         Table, //
    ///     },
    /// };
    ///
    /// let dev = fake_device!(c"msi_move", 8);
    /// let vector = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?.alloc(5)?;
    ///
    /// let mut mask = CpumaskVar::new_zero(GFP_KERNEL)?;
    /// mask.set(CpuId::from_u32(0).ok_or(EINVAL)?);
    /// vector.set_affinity(&mask)?;
    /// # Ok::<(), Error>(())
    /// ```
    pub fn set_affinity(&self, mask: &Cpumask) -> Result {
        // SAFETY: `irq_set_affinity()` takes any number; this is one of an interrupt which exists,
        // as it does as long as the vector. `mask` is valid, and is copied.
        to_result(unsafe { bindings::irq_set_affinity(self.irq(), mask.as_raw()) })
    }

    /// Returns the CPUs which the interrupt may go to: what [`Vector::set_affinity`], user space or
    /// the [`Request`] said, or all.
    ///
    /// It may change at any time.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{
    ///     cpu::CpuId,
    ///     cpumask::CpumaskVar,
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
    /// let dev = fake_device!(c"msi_get_affinity", 8);
    /// let vector = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?.alloc(5)?;
    /// let irq = vector.request_irq(Flags::TRIGGER_NONE, c"ignore", Ignore)?;
    ///
    /// let first = CpuId::from_u32(0).ok_or(EINVAL)?;
    /// let mut mask = CpumaskVar::new_zero(GFP_KERNEL)?;
    /// mask.set(first);
    /// irq.vector().set_affinity(&mask)?;
    ///
    /// for mask in [
    ///     irq.vector().affinity()?,
    ///     irq.vector().effective_affinity()?,
    /// ] {
    ///     assert!(mask.test(first));
    ///     assert_eq!(mask.weight(), 1);
    /// }
    /// # Ok::<(), Error>(())
    /// ```
    pub fn affinity(&self) -> Result<CpumaskVar> {
        #[cfg(CONFIG_SMP)]
        {
            let common = self.irq_common_data();
            // SAFETY: `common` is valid, so its mask is, and stays so as long as the interrupt
            // exists. Who changes it meanwhile does not matter: it is opaque, and the C side copies
            // it.
            let mask = unsafe { CpumaskVar::from_raw(&raw const (*common).affinity) };

            CpumaskVar::try_clone(mask)
        }
        #[cfg(not(CONFIG_SMP))]
        {
            let mut mask = CpumaskVar::new_zero(GFP_KERNEL)?;

            mask.setall();
            Ok(mask)
        }
    }

    /// Returns the CPUs which the interrupt does go to, out of its [affinity](Vector::affinity).
    ///
    /// There may be none as long as there is no handler. It may change at any time.
    pub fn effective_affinity(&self) -> Result<CpumaskVar> {
        #[cfg(CONFIG_GENERIC_IRQ_EFFECTIVE_AFF_MASK)]
        {
            let common = self.irq_common_data();
            // SAFETY: As in `affinity`.
            let mask = unsafe { CpumaskVar::from_raw(&raw const (*common).effective_affinity) };

            CpumaskVar::try_clone(mask)
        }
        #[cfg(not(CONFIG_GENERIC_IRQ_EFFECTIVE_AFF_MASK))]
        self.affinity()
    }

    /// Returns what the interrupt has in common with those of its parents, which exists as long as
    /// the vector.
    #[cfg(any(CONFIG_SMP, CONFIG_GENERIC_IRQ_EFFECTIVE_AFF_MASK))]
    fn irq_common_data(&self) -> *const bindings::irq_common_data {
        // SAFETY: `irq_get_irq_data()` takes any number. It returns null or what is valid as long
        // as the interrupt exists, which it does as long as the vector; so it is not null.
        unsafe { (*bindings::irq_get_irq_data(self.irq())).common }
    }

    /// Returns the message, for others than the device who want to send it.
    ///
    /// It may change at any time when the affinity of the interrupt does. This must not be called
    /// by the methods of a [`Store`](super::Store), which get a [`VectorRef`] for that reason.
    ///
    /// # Errors
    ///
    /// `EAGAIN` as long as there is no handler, or a managed affinity has no CPU which is online.
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
    /// let dev = fake_device!(c"msi_message", 8);
    /// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
    ///
    /// let vector = table.alloc(5)?;
    /// assert_eq!(vector.message().err(), Some(EAGAIN));
    ///
    /// let irq = vector.request_irq(Flags::TRIGGER_NONE, c"ignore", Ignore)?;
    /// assert_eq!(table.store().message(5), irq.vector().message().ok());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn message(&self) -> Result<Message> {
        let mut msg = bindings::msi_msg::default();

        // SAFETY: By the type invariants the vector is valid, and `msg` is valid for writes.
        to_result(unsafe { bindings::msi_vector_get_msg(self.as_raw(), &mut msg) })?;

        Ok(msg.into())
    }
}

impl<B: Backing> Deref for Vector<'_, B> {
    type Target = VectorRef<B>;

    #[inline]
    fn deref(&self) -> &VectorRef<B> {
        // SAFETY: By the type invariants the vector is valid, as long as `self`, and was allocated
        // from a table of `B` with a foreign-owned `B::Cookie`. `self` owns that, and takes it back
        // when it is dropped, so not while it is borrowed.
        unsafe { VectorRef::from_raw(self.as_raw()) }
    }
}

impl<B: Backing> Drop for Vector<'_, B> {
    fn drop(&mut self) {
        let cookie = is_owned::<B::Cookie>().then(|| {
            // SAFETY: By the type invariants the vector is valid.
            unsafe { bindings::msi_vector_cookie(self.as_raw()) }
        });

        // SAFETY: By the type invariants the vector belongs to this table. Neither has been freed
        // since the device is still bound. `Interrupt` and `Lent` own their vector and have freed
        // the handler by now. One that somebody else has installed makes no use of the cookie; the
        // C side warns, and frees it. Whoever watches has a borrow of the vector or owns it, and
        // has stopped, or forgot to; the C side drops those.
        unsafe { bindings::msi_table_free_vector(self.table.ptr.as_ptr(), self.as_raw()) };

        if let Some(cookie) = cookie {
            // SAFETY: The cookie comes from `into_foreign`. The vector is gone, and with it
            // everybody who borrowed the cookie.
            drop(unsafe { B::Cookie::from_foreign(cookie) });
        }
    }
}

/// For how many vectors there is room on the stack.
const ROOM: usize = 32;

/// Vectors which are going to be freed, as many at a time as belong to one table and find room
/// here.
///
/// # Invariants
///
/// - The first `len` of `vectors` are valid vectors, which were allocated from `table` with a
///   foreign-owned `B::Cookie`, and which are freed by nobody else before their device is unbound.
///   That is after `'a`.
/// - That many handles of `table` are counted for them. So it is valid unless `len` is 0.
pub(super) struct Batch<'a, B: Backing> {
    table: NonNull<Inner<'a, B>>,
    vectors: [MaybeUninit<*mut bindings::msi_vector>; ROOM],
    len: usize,
}

impl<'a, B: Backing> Batch<'a, B> {
    #[inline]
    pub(super) fn new() -> Self {
        // INVARIANT: There are none.
        Self {
            table: NonNull::dangling(),
            vectors: [const { MaybeUninit::uninit() }; ROOM],
            len: 0,
        }
    }

    /// Frees a vector, at the latest when this is dropped.
    #[inline]
    pub(super) fn free(&mut self, vector: Vector<'a, B>) {
        // INVARIANT: The vector is owned, and its reference to the table is one which is counted.
        // Neither is dropped.
        let vector = ManuallyDrop::new(vector);
        let table = vector.inner();

        if self.table != table || self.len == ROOM {
            self.flush();
            self.table = table;
        }
        self.vectors[self.len].write(vector.as_raw());
        self.len += 1;
    }

    fn flush(&mut self) {
        // INVARIANT: What was in here is freed below.
        let vectors = &mut self.vectors[..mem::take(&mut self.len)];

        if !vectors.is_empty() {
            // SAFETY: By the type invariants. The pointer to the table is not used any more, as
            // there are no vectors.
            unsafe { Inner::free_vectors(self.table, vectors) };
        }
    }
}

impl<B: Backing> Inner<'_, B> {
    /// Frees vectors, and handles of the table.
    ///
    /// # Safety
    ///
    /// - `vectors` must be valid ones, at most [`ROOM`], which were allocated from `table` with a
    ///   foreign-owned `B::Cookie`, which nobody else frees, and whose device is bound.
    /// - That many handles of `table` must be counted, which are neither used nor dropped any more.
    unsafe fn free_vectors(
        table: NonNull<Self>,
        vectors: &mut [MaybeUninit<*mut bindings::msi_vector>],
    ) {
        let mut cookies = [ptr::null_mut(); ROOM];

        if is_owned::<B::Cookie>() {
            for (vector, cookie) in vectors.iter().zip(&mut cookies) {
                // SAFETY: By the safety requirements of this function this is a valid vector.
                *cookie = unsafe { bindings::msi_vector_cookie(vector.assume_init()) };
            }
        }

        // SAFETY: By the safety requirements of this function there are handles of the table, so it
        // is valid, and the vectors belong to it. Otherwise as in the `Drop` implementation of
        // `Vector`. There are not more than `ROOM`, so their number fits.
        unsafe {
            bindings::msi_table_free_vectors(
                table.as_ref().ptr.as_ptr(),
                vectors.as_mut_ptr().cast(),
                vectors.len() as c_uint,
            )
        };

        if is_owned::<B::Cookie>() {
            for cookie in &cookies[..vectors.len()] {
                // SAFETY: The cookie comes from `into_foreign`. The vector is gone, and with it
                // everybody who borrowed the cookie.
                drop(unsafe { B::Cookie::from_foreign(*cookie) });
            }
        }
        // SAFETY: By the safety requirements of this function.
        unsafe { Self::put(table, vectors.len() as i32) };
    }
}

impl<B: Backing> Drop for Batch<'_, B> {
    #[inline]
    fn drop(&mut self) {
        self.flush();
    }
}

impl<B: Backing> fmt::Debug for VectorRef<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VectorRef")
            .field("label", &self.label())
            .field("irq", &self.irq())
            .finish_non_exhaustive()
    }
}

impl<B: Backing> fmt::Debug for Vector<'_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vector")
            .field("label", &self.label())
            .field("irq", &self.irq())
            .finish_non_exhaustive()
    }
}
