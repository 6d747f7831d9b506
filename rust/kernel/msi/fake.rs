// SPDX-License-Identifier: GPL-2.0

//! Test doubles for drivers which use MSI tables.
//!
//! A [`FakeDevice`] has MSI tables like any other device, but its interrupts come from a fake
//! [`Parent`], which delivers a message when a test says so.
//!
//! C header: [`include/kunit/msi_table.h`](srctree/include/kunit/msi_table.h)

use super::{
    Message,
    Store,
    VectorRef, //
};
use crate::{
    bindings,
    device::{
        self,
        Bound, //
    },
    error::{
        from_err_ptr,
        to_result, //
    },
    faux,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    }, //
};
use core::ptr::NonNull;

/// A fake parent domain: what stands in for the interrupt controller.
///
/// # Invariants
///
/// `0` is a valid `struct msi_fake_parent`, which `self` owns: nobody else destroys it.
///
/// # Examples
///
/// ```
/// use kernel::msi::{fake::{fake_device, Parent, Recorder}, Message, Table};
///
/// let parent = Parent::new(1)?;
/// let dev = fake_device!(c"msi_parent", parent = parent.clone());
/// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
///
/// let vector = table.alloc_any()?;
/// assert_eq!(parent.live(), 1);
/// assert_eq!(table.alloc_any().err(), Some(ENOSPC));
/// drop(vector);
/// assert_eq!(parent.live(), 0);
///
/// // Nobody's message.
/// assert!(parent.inject(Message::default()).is_err());
/// # Ok::<(), Error>(())
/// ```
pub struct Parent(NonNull<bindings::msi_fake_parent>);

// SAFETY: The functions that take a `struct msi_fake_parent`, and the one which destroys it, may be
// called from any thread.
unsafe impl Send for Parent {}

// SAFETY: The functions that take a `struct msi_fake_parent` may be called concurrently, except for
// the one which destroys it. That is called by `Drop` only, when there is no reference.
unsafe impl Sync for Parent {}

impl Parent {
    fn create(nr_vectors: u32, flags: u32) -> Result<Arc<Self>> {
        // SAFETY: `msi_fake_parent_create()` takes any number, and refuses flags it does not know.
        let ptr = from_err_ptr(unsafe { bindings::msi_fake_parent_create(nr_vectors, flags) })?;

        // INVARIANT: `ptr` was just created, and nobody else knows of it.
        Ok(Arc::new(
            Self(NonNull::new(ptr).ok_or(ENOMEM)?),
            GFP_KERNEL,
        )?)
    }

    /// Creates a parent which has `nr_vectors` vectors, and remaps interrupts.
    pub fn new(nr_vectors: u32) -> Result<Arc<Self>> {
        Self::create(nr_vectors, 0)
    }

    /// Creates a parent which does not remap interrupts. A device-specific store needs
    /// [`Options::unremapped`](super::Options::unremapped) on it.
    pub fn without_ims(nr_vectors: u32) -> Result<Arc<Self>> {
        Self::create(nr_vectors, bindings::MSI_FAKE_NO_IMS)
    }

    /// Creates a parent whose messages do not change with the affinity, as with interrupt
    /// remapping. A store with a [`flush`](Store::flush) needs one.
    pub fn stable(nr_vectors: u32) -> Result<Arc<Self>> {
        Self::create(nr_vectors, bindings::MSI_FAKE_IMMUTABLE)
    }

    /// Creates a parent which allocates one vector at a time, as interrupt remapping does. It is
    /// asked for several once.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::msi::{fake::{fake_device, Parent, Recorder}, Table};
    ///
    /// for (parent, calls) in [(Parent::new(8)?, 1), (Parent::single(8)?, 1 + 8)] {
    ///     let dev = fake_device!(c"msi_single", parent = parent.clone());
    ///     let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
    ///     let vectors = table.alloc_many(.., 8..=8)?;
    ///
    ///     assert_eq!(parent.alloc_calls(), calls);
    ///     # drop(vectors);
    /// }
    /// # Ok::<(), Error>(())
    /// ```
    pub fn single(nr_vectors: u32) -> Result<Arc<Self>> {
        Self::create(nr_vectors, bindings::MSI_FAKE_SINGLE)
    }

    /// Returns the domain, for [`Options::parent`](super::Options::parent). It exists as long as
    /// the parent.
    #[inline]
    pub fn domain(&self) -> NonNull<bindings::irq_domain> {
        // SAFETY: By the type invariant the parent is valid. Creating one without a domain fails,
        // so it has one, which is not null.
        unsafe { NonNull::new_unchecked(bindings::msi_fake_parent_domain(self.0.as_ptr())) }
    }

    /// Returns the number of vectors which are allocated.
    #[inline]
    pub fn live(&self) -> u32 {
        // SAFETY: By the type invariant the parent is valid.
        unsafe { bindings::msi_fake_parent_live(self.0.as_ptr()) }
    }

    /// Returns how often vectors were allocated, successfully or not. Several at a time count as
    /// one.
    #[inline]
    pub fn alloc_calls(&self) -> u32 {
        // SAFETY: By the type invariant the parent is valid.
        unsafe { bindings::msi_fake_parent_alloc_calls(self.0.as_ptr()) }
    }

    /// Lets the `nth` allocation from now on fail. The next one is the first; 0 is none.
    #[inline]
    pub fn fail_nth(&self, nth: u32) {
        // SAFETY: By the type invariant the parent is valid.
        unsafe { bindings::msi_fake_parent_fail_nth(self.0.as_ptr(), nth) };
    }

    /// Lets the `nth` activation from now on fail, which registering a handler needs. The next one
    /// is the first; 0 is none.
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
    /// let dev = fake_device!(c"msi_fail_activate", 8);
    /// let vector = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?.alloc(5)?;
    ///
    /// dev.parent().fail_activate_nth(1);
    /// let irq = vector.request_irq(Flags::TRIGGER_NONE, c"ignore", Ignore);
    /// assert_eq!(irq.err(), Some(ENOSPC));
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub fn fail_activate_nth(&self, nth: u32) {
        // SAFETY: By the type invariant the parent is valid.
        unsafe { bindings::msi_fake_parent_fail_activate_nth(self.0.as_ptr(), nth) };
    }

    /// Delivers an interrupt, as the device does by sending `msg`.
    ///
    /// This fails if nobody has been given this message.
    #[inline]
    pub fn inject(&self, msg: Message) -> Result {
        let msg = msg.into();

        // SAFETY: By the type invariant the parent is valid, and so is `msg`.
        to_result(unsafe { bindings::msi_fake_parent_inject(self.0.as_ptr(), &msg) })
    }
}

impl Drop for Parent {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the parent is valid, and owned, so nobody else uses it. All
        // tables on it have been freed: those on a `FakeDevice`, which holds a reference to its
        // parent until the device is unbound; and those of `Options::parent`, whose safety
        // requirements say that their devices are unbound by now.
        unsafe { bindings::msi_fake_parent_destroy(self.0.as_ptr()) };
    }
}

/// A device which is bound until it is dropped, and whose interrupts come from a [`Parent`].
///
/// Tables, handlers and watchers are code, which nothing but the driver of their device keeps from
/// being unloaded. This one has no driver, so it must not outlive the code which made it:
/// [`fake_device!`] makes a local one.
pub struct FakeDevice {
    // Unbinding frees the tables which are left, so it has to come before the end of the parent.
    reg: faux::Registration,
    parent: Arc<Parent>,
}

impl FakeDevice {
    /// Creates a device with this parent.
    ///
    /// # Safety
    ///
    /// The device must be dropped before the module of any store, handler or watcher which is used
    /// on it can be unloaded.
    pub unsafe fn new(name: &CStr, parent: Arc<Parent>) -> Result<Self> {
        let dev = Self {
            reg: faux::Registration::new(name, None)?,
            parent,
        };
        let raw = dev.as_ref().as_raw();

        // SAFETY: Both are valid, and nobody else knows of the device yet, so there is no table on
        // it. The parent outlives its driver: `dev` owns a reference to the parent, and unbinds
        // the device before it drops that, or is leaked with both.
        unsafe { bindings::msi_fake_parent_attach(dev.parent.0.as_ptr(), raw) };

        Ok(dev)
    }

    /// Returns the parent.
    #[inline]
    pub fn parent(&self) -> &Arc<Parent> {
        &self.parent
    }
}

/// Creates a [`FakeDevice`] which exists until the end of the block, and borrows it.
///
/// It has a parent of its own with so many vectors, or the one which it is given. In case of an
/// error the function returns it.
///
/// # Examples
///
/// ```
/// use kernel::msi::{fake::{fake_device, Parent, Recorder}, Table};
///
/// let dev = fake_device!(c"msi_fake", 8);
/// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
/// let three = table.alloc(3)?;
/// assert_eq!(dev.parent().live(), 1);
///
/// let parent = Parent::new(8)?;
/// {
///     let other = fake_device!(c"msi_fake_other", parent = parent.clone());
///     let table = Table::new(other.as_ref(), c"ims", 16, Recorder::default())?;
///     let three = table.alloc(3)?;
///     assert_eq!(parent.live(), 1);
///     # drop(three);
/// }
/// assert_eq!(parent.live(), 0);
/// # Ok::<(), Error>(())
/// ```
#[macro_export]
macro_rules! fake_device {
    ($name:expr, parent = $parent:expr) => {
        &match ($name, $parent) {
            // SAFETY: This is a temporary, which is borrowed and can not be named. So it is dropped
            // in the function which made it, whose module is not unloaded meanwhile; and the
            // modules whose code it calls are not before that one.
            (name, parent) => unsafe { $crate::msi::fake::FakeDevice::new(name, parent) },
        }?
    };
    ($name:expr, $nr_vectors:expr) => {
        $crate::msi::fake::fake_device!(
            $name,
            parent = $crate::msi::fake::Parent::new($nr_vectors)?
        )
    };
}
#[doc(inline)]
pub use fake_device;

impl AsRef<device::Device<Bound>> for FakeDevice {
    #[inline]
    fn as_ref(&self) -> &device::Device<Bound> {
        let dev: &faux::Device<Bound> = self.reg.as_ref();

        dev.as_ref()
    }
}

/// One slot of a [`Recorder`].
struct Slot {
    address: Atomic<u64>,
    data: Atomic<u32>,
    masked: Atomic<bool>,
}

/// A message store which remembers what it is told, for labels below 16.
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
/// let dev = fake_device!(c"msi_recorder", 8);
/// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
///
/// let vector = table.alloc(5)?;
/// assert!(table.store().is_masked(5));
///
/// let irq = vector.request_irq(Flags::TRIGGER_NONE, c"ignore", Ignore)?;
/// assert!(table.store().message(5).is_some());
/// assert!(!table.store().is_masked(5));
///
/// drop(irq);
/// assert!(table.store().message(5).is_none());
/// assert!(table.store().is_masked(5));
/// # Ok::<(), Error>(())
/// ```
pub struct Recorder([Slot; 16]);

impl Default for Recorder {
    fn default() -> Self {
        Self(core::array::from_fn(|_| Slot {
            address: Atomic::new(0),
            data: Atomic::new(0),
            masked: Atomic::new(false),
        }))
    }
}

impl Recorder {
    fn slot(&self, label: u32) -> Option<&Slot> {
        self.0.get(usize::try_from(label).ok()?)
    }

    /// Returns the message of a slot, if it is valid.
    pub fn message(&self, label: u32) -> Option<Message> {
        let slot = self.slot(label)?;

        Some(Message {
            address: slot.address.load(Relaxed),
            data: slot.data.load(Relaxed),
        })
        .filter(Message::is_valid)
    }

    /// Returns whether a slot is masked.
    pub fn is_masked(&self, label: u32) -> bool {
        self.slot(label)
            .is_some_and(|slot| slot.masked.load(Relaxed))
    }

    /// Forgets everything, as a device does which is reset.
    pub fn wipe(&self) {
        for slot in &self.0 {
            slot.address.store(0, Relaxed);
            slot.data.store(0, Relaxed);
            slot.masked.store(false, Relaxed);
        }
    }
}

#[vtable]
impl Store for Recorder {
    type OwnerModule = ();
    type Cookie = ();

    fn write_msg(&self, vector: &VectorRef<Self>, msg: Message) {
        if let Some(slot) = self.slot(vector.label()) {
            slot.address.store(msg.address, Relaxed);
            slot.data.store(msg.data, Relaxed);
        }
    }

    fn mask(&self, vector: &VectorRef<Self>) {
        if let Some(slot) = self.slot(vector.label()) {
            slot.masked.store(true, Relaxed);
        }
    }

    fn unmask(&self, vector: &VectorRef<Self>) {
        if let Some(slot) = self.slot(vector.label()) {
            slot.masked.store(false, Relaxed);
        }
    }
}
