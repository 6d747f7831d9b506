// SPDX-License-Identifier: GPL-2.0

//! Message tables of PCI functions.
//!
//! C header: [`include/linux/msi_table.h`](srctree/include/linux/msi_table.h)

use super::{
    Pci,
    Table, //
};
use crate::{
    bindings,
    container_of,
    device::{
        self,
        Bound, //
    },
    error::to_result,
    impl_flags,
    pci,
    prelude::*,
    types::ForeignOwnable, //
};
use core::marker::PhantomData;

impl_flags!(
    /// A set of kinds of PCI tables.
    #[derive(Debug, Clone, Default, Copy, PartialEq, Eq)]
    pub struct Kinds(u32);

    /// A kind of PCI table.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::msi::{Kind, Kinds};
    ///
    /// let kinds = Kind::MsiX | Kind::Msi;
    /// assert!(kinds.contains(Kind::Msi));
    /// assert!(!Kinds::from(Kind::MsiX).contains(Kind::Msi));
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Kind {
        /// The MSI-X table.
        MsiX = bindings::MSI_TABLE_MSIX,

        /// The MSI capability.
        Msi = bindings::MSI_TABLE_MSI,

        /// INTx: one vector, whose line other devices share.
        Intx = bindings::MSI_TABLE_INTX,
    }
);

impl<C: ForeignOwnable + Send + Sync + 'static> Table<'_, Pci<C>> {
    /// Returns the kind of the table. It is settled when the first allocation has succeeded.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{
    ///     device::Bound,
    ///     msi::{
    ///         Kind,
    ///         Vector, //
    ///     },
    ///     pci,
    ///     prelude::*, //
    /// };
    ///
    /// fn any_vector<'a>(pdev: &'a pci::Device<Bound>) -> Result<(Vector<'a>, Kind)> {
    ///     let table = pdev.msi_table(Kind::MsiX | Kind::Msi | Kind::Intx)?;
    ///     let vector = table.alloc_any()?;
    ///
    ///     Ok((vector, table.kind()))
    /// }
    /// ```
    pub fn kind(&self) -> Kind {
        // SAFETY: By the type invariants of `Inner` the table is valid.
        match unsafe { bindings::msi_table_kind(self.inner.ptr.as_ptr()) } {
            bindings::MSI_TABLE_MSIX => Kind::MsiX,
            bindings::MSI_TABLE_MSI => Kind::Msi,
            _ => Kind::Intx,
        }
    }

    /// Switches the table on before there is a vector, for `count` labels from 0 on.
    ///
    /// Returns how many of them can be had. Otherwise an allocation does it.
    ///
    /// Below a parent where the table is not [dynamic](Table::is_dynamic) they are set up now, and
    /// can be allocated and freed one by one, without an affinity. This may sleep.
    ///
    /// # Errors
    ///
    /// - `EINVAL` if `count` is 0, or the function is not in D0
    /// - `EBUSY` if the table is on, and is not dynamic
    /// - another error of [`Table::alloc`]
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{
    ///     device::Bound,
    ///     msi::{
    ///         Kind,
    ///         Table, //
    ///     },
    ///     pci,
    ///     prelude::*, //
    /// };
    ///
    /// fn enabled(pdev: &pci::Device<Bound>) -> Result<(Table<'_>, u32)> {
    ///     let table = pdev.msi_table(Kind::MsiX | Kind::Msi)?;
    ///     let count = table.enable(8)?;
    ///
    ///     Ok((table, count))
    /// }
    /// ```
    pub fn enable(&self, count: u32) -> Result<u32> {
        // SAFETY: By the type invariants of `Inner` the table is valid, and still exists since the
        // device is bound.
        let ret = unsafe { bindings::msi_table_enable(self.inner.ptr.as_ptr(), count) };

        to_result(ret)?;
        Ok(ret.unsigned_abs())
    }
}

impl pci::Device<Bound> {
    /// Creates the table of the function's MSI-X, MSI or INTx.
    ///
    /// It is of the first of these `kinds` which the function has and of which the first
    /// allocation gets a vector. The table owns the capability from now on: [`alloc_irq_vectors`]
    /// fails with `EBUSY`. It has no vectors yet. A label is an index of the MSI-X table or an MSI
    /// message number, and 0 for INTx.
    ///
    /// MSI-X is switched on by the first allocation. MSI is switched on by an allocation when there
    /// is no vector, with as many messages as its labels need or as the parent grants. Both go off
    /// with the table; MSI-X which is not [dynamic](Table::is_dynamic), and not [`Table::enable`]d,
    /// with its last vector. The first allocation needs memory decoding to be enabled and the
    /// function to be in D0.
    ///
    /// This may sleep.
    ///
    /// [`alloc_irq_vectors`]: pci::Device::alloc_irq_vectors
    ///
    /// # Errors
    ///
    /// - `EINVAL` if `kinds` is empty
    /// - `EBUSY` if MSI or MSI-X is in use
    /// - `EEXIST` if the device has a store whose name is "PCI"
    /// - `ENODEV` if the function has nothing of the kind, it is disabled, or there is no MSI
    ///   domain
    /// - `EOPNOTSUPP` if the MSI domain does not support it
    /// - `ENOMEM` if there is no memory
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{
    ///     device::Bound,
    ///     irq::{
    ///         Flags,
    ///         Handler, //
    ///     },
    ///     msi::{
    ///         Interrupt,
    ///         Kind, //
    ///     },
    ///     pci,
    ///     prelude::*, //
    /// };
    ///
    /// // Takes entry 3 of the MSI-X table, and no other.
    /// fn entry_three<'bound, T: Handler + 'static>(
    ///     pdev: &'bound pci::Device<Bound>,
    ///     handler: T,
    /// ) -> Result<Interrupt<'bound, T>> {
    ///     let vector = pdev.msi_table(Kind::MsiX)?.alloc(3)?;
    ///
    ///     vector.request_irq(Flags::TRIGGER_NONE, c"three", handler)
    /// }
    /// ```
    #[inline]
    pub fn msi_table(&self, kinds: impl Into<Kinds>) -> Result<Table<'_, Pci>> {
        self.msi_table_with_cookies(kinds)
    }

    /// Creates the table of the function's MSI-X, MSI or INTx, whose vectors carry a cookie.
    ///
    /// Like [`msi_table`](pci::Device::msi_table), with a [`Request::cookie`] for each vector. The
    /// handler finds it there.
    ///
    /// [`Request::cookie`]: crate::msi::Request::cookie
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{
    ///     device::Bound,
    ///     irq::{
    ///         Flags,
    ///         IrqReturn, //
    ///     },
    ///     msi::{
    ///         Handler,
    ///         Interrupt,
    ///         Kind,
    ///         Pci,
    ///         Request,
    ///         VectorRef, //
    ///     },
    ///     pci,
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
    ///     done: Atomic<u32>,
    /// }
    ///
    /// type Queues = Pci<Arc<Queue>>;
    ///
    /// struct Done;
    ///
    /// impl Handler<Queues> for Done {
    ///     fn handle(&self, vector: &VectorRef<Queues>, _store: &Queues) -> IrqReturn {
    ///         vector.cookie().done.add(1, Relaxed);
    ///         IrqReturn::Handled
    ///     }
    /// }
    ///
    /// fn start<'bound>(
    ///     pdev: &'bound pci::Device<Bound>,
    ///     queue: Arc<Queue>,
    /// ) -> Result<Interrupt<'bound, Done, Queues>> {
    ///     let table = pdev.msi_table_with_cookies(Kind::MsiX)?;
    ///     let vector = table.alloc(Request::any().cookie(queue))?;
    ///
    ///     vector.request_irq(Flags::TRIGGER_NONE, c"done", Done)
    /// }
    /// ```
    pub fn msi_table_with_cookies<C>(&self, kinds: impl Into<Kinds>) -> Result<Table<'_, Pci<C>>>
    where
        C: ForeignOwnable + Send + Sync + 'static,
    {
        let kinds = kinds.into();
        let dev: &device::Device<Bound> = self.as_ref();

        // SAFETY: By the type invariant of `pci::Device` this is the device of a `struct pci_dev`.
        let pdev = unsafe { container_of!(dev.as_raw(), bindings::pci_dev, dev) };

        // SAFETY: `pdev` is valid and bound.
        let create = |_| Ok(unsafe { bindings::pci_allocate_msi_table(pdev, kinds.into()) });

        // SAFETY: This creates a table on `dev` which has no operations of ours.
        unsafe { Table::create(dev, Pci(PhantomData), create) }
    }
}
