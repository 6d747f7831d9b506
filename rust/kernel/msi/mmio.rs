// SPDX-License-Identifier: GPL-2.0

//! Message stores which are plain linear tables in MMIO.
//!
//! C header: [`include/linux/msi_table.h`](srctree/include/linux/msi_table.h)

use super::{
    private::Sealed,
    Backing,
    Data,
    Options,
    Table,
    VectorRef, //
};
#[cfg(CONFIG_PCI)]
use crate::pci;
use crate::{
    bindings,
    device::{
        Bound,
        Device, //
    },
    fmt,
    io::{
        MmioRaw,
        Region, //
    },
    prelude::*,
    sync::Arc,
    types::ForeignOwnable, //
};
#[cfg(CONFIG_HAS_IOMEM)]
use crate::{
    io::{
        mem::{
            DevresExclusiveIoMem,
            DevresIoMem,
            ExclusiveIoMem,
            IoMem, //
        },
        Io,
        IoBackend,
        IoBase,
        MmioBackend, //
    },
    ptr::KnownSize,
};
/// How a plain linear message store in MMIO looks like.
///
/// All registers have 32 bits and are little endian. Offsets are in bytes.
///
/// Corresponds to the C `struct msi_mmio_layout`.
///
/// # Examples
///
/// ```
/// use kernel::msi::Layout;
///
/// // Like an MSI-X table, but for its place and two mask bits.
/// let layout = Layout {
///     base: 0x400,
///     mask: 0b11,
///     ..Layout::MSIX
/// };
/// assert_eq!(layout.stride, 16);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Where in the mapping the register block of label 0 is.
    pub base: usize,
    /// Distance from the registers of one label to those of the next.
    pub stride: u32,
    /// Offset of the lower half of the address in the block of a label.
    pub address_lo: u32,
    /// Offset of the upper half of the address.
    pub address_hi: u32,
    /// Offset of the data.
    pub data: u32,
    /// Offset of the control register.
    pub control: u32,
    /// Bits of the control register which, when set, keep the device from sending. For the other
    /// bits see [`Mmio::with_control_bits`].
    pub mask: u32,
}

impl Layout {
    /// An MSI-X table (PCIe 6.0, 7.7.2).
    pub const MSIX: Self = Self {
        base: 0,
        stride: 16,
        address_lo: 0,
        address_hi: 4,
        data: 8,
        control: 12,
        mask: 1,
    };
}

/// A mapping of registers which a table can own.
///
/// Implemented by `pci::Bar`, `IoMem` and `ExclusiveIoMem`, by their device-managed variants, and
/// by an [`Arc`] of any of them, for a driver which needs the mapping for other registers as well.
///
/// # Safety
///
/// - The region which `region` returns must be mapped, and safe code must not go wrong by any
///   access of 32 bits to it: the C side writes to what [`Layout`] says.
/// - It must stay mapped until `self` is dropped, even if that is moved, or until the device
///   resources of `dev` which are older than the call are released, if that comes first. Unless
///   `region` fails it must always return the same.
/// - As long as `self` is not dropped and `dev` is bound, a `&Self` must be sound to use for safe
///   code, even after the end of a lifetime in the type. When the handles of a table are leaked
///   then its handlers still get the mapping, by [`Mmio::mapping`], while what the mapping borrowed
///   may be gone. So it may borrow, from the device for example, to be dropped in time; but what is
///   safe to do with a reference to it must not use what it borrows. No method which is added to
///   such a type may either: one of `pci::Bar` that takes `&self` and uses its device, say, makes
///   the implementation for it unsound.
pub unsafe trait Mapping: Send + Sync {
    /// Returns the registers.
    ///
    /// # Errors
    ///
    /// - `EINVAL` if they are mapped for another device than `dev` and do not stay mapped as long
    ///   as that is bound
    /// - `ENXIO` if they are not mapped any more, since the device was unbound meanwhile
    fn region(&self, dev: &Device<Bound>) -> Result<MmioRaw<Region>>;
}

// SAFETY: The requirements are those of `M`, which is not dropped before `self`, nor moved or
// exchanged while it is shared. It is all that `self` gives access to.
unsafe impl<M: Mapping> Mapping for Arc<M> {
    #[inline]
    fn region(&self, dev: &Device<Bound>) -> Result<MmioRaw<Region>> {
        M::region(self, dev)
    }
}

/// Returns what a view of MMIO covers.
#[cfg(CONFIG_HAS_IOMEM)]
fn region<'a, T>(io: T) -> Result<MmioRaw<Region>>
where
    T: IoBase<'a, Backend = MmioBackend>,
    T::Target: KnownSize,
{
    let start = MmioBackend::as_ptr(io.as_view());

    MmioRaw::new_region(start.addr(), io.size())
}

/// Implements [`Mapping`] for an owned mapping, and for its device-managed variant.
#[cfg(CONFIG_HAS_IOMEM)]
macro_rules! impl_mapping {
    ($owned:ty, $devres:ty) => {
        // SAFETY:
        // - The region is that of a mapping, on which safe code may do any access.
        // - It stays mapped until `self` is dropped, and does not change.
        // - The region is all that a reference gives access to: the device is used by `Drop` and by
        //   what consumes `self`. There is no other method which takes `&self` outside of its own
        //   module.
        unsafe impl<const SIZE: usize> Mapping for $owned {
            fn region(&self, _dev: &Device<Bound>) -> Result<MmioRaw<Region>> {
                region(self)
            }
        }

        // SAFETY:
        // - The region is that of a mapping, on which safe code may do any access.
        // - It stays mapped until `self` is dropped, or released together with the other resources
        //   of its device. That is `dev`, or `access` fails, and `self` is older than the call.
        // - `self` borrows nothing.
        unsafe impl<const SIZE: usize> Mapping for $devres {
            fn region(&self, dev: &Device<Bound>) -> Result<MmioRaw<Region>> {
                // That of an earlier binding is gone, which `access` does not look at.
                self.try_access_with(|_| ()).ok_or(ENXIO)?;
                region(self.access(dev)?)
            }
        }
    };
}

#[cfg(CONFIG_HAS_IOMEM)]
impl_mapping!(IoMem<'_, SIZE>, DevresIoMem<SIZE>);
#[cfg(CONFIG_HAS_IOMEM)]
impl_mapping!(ExclusiveIoMem<'_, SIZE>, DevresExclusiveIoMem<SIZE>);
#[cfg(CONFIG_PCI)]
impl_mapping!(pci::Bar<'_, SIZE>, pci::DevresBar<SIZE>);

/// A message store which is a plain linear table in MMIO.
///
/// The C side does the accesses, so a driver only says where the registers are. The mapping belongs
/// to the table, and is there as long as one of its vectors.
///
/// ```
/// # #![cfg(CONFIG_PCI)]
/// use kernel::{
///     device::Bound,
///     msi::{
///         Layout,
///         Mmio,
///         Table, //
///     },
///     pci,
///     prelude::*,
///     sync::Arc, //
/// };
///
/// type Registers<'bound> = Arc<pci::Bar<'bound, 0x1000>>;
///
/// fn ims<'bound>(
///     pdev: &'bound pci::Device<Bound>,
/// ) -> Result<(Registers<'bound>, Table<'bound, Mmio<Registers<'bound>>>)> {
///     let bar = Arc::new(pdev.iomap_region_sized(0, c"mmio")?, GFP_KERNEL)?;
///     let layout = Layout {
///         base: 0x800,
///         ..Layout::MSIX
///     };
///     let table = Table::mmio(pdev.as_ref(), c"mmio", 16, Mmio::new(layout, bar.clone()))?;
///
///     Ok((bar, table))
/// }
/// ```
pub struct Mmio<M, C: ForeignOwnable + 'static = ()> {
    layout: Layout,
    mapping: M,
    bits: Option<fn(C::Borrowed<'_>) -> u32>,
}

impl<M, C: ForeignOwnable + 'static> Sealed for Mmio<M, C> {
    type Bus = ();

    fn new_bus() -> impl PinInit<Self::Bus> {}
}

impl<M: Mapping, C: ForeignOwnable + Send + Sync + 'static> Backing for Mmio<M, C> {
    type Cookie = C;
}

impl<M> Mmio<M> {
    /// A store of this layout in `mapping`.
    #[inline]
    pub const fn new(layout: Layout, mapping: M) -> Self {
        Self {
            layout,
            mapping,
            bits: None,
        }
    }

    /// Lets its vectors carry a `C` for the driver, see
    /// [`Request::cookie`](super::Request::cookie).
    ///
    /// This comes before [`Mmio::with_control_bits`], whose bits may depend on the cookie: what was
    /// said there is forgotten.
    ///
    /// # Examples
    ///
    /// ```
    /// # #![cfg(any(not(CONFIG_INDIRECT_IOMEM), CONFIG_INDIRECT_IOMEM_FALLBACK))]
    /// use kernel::msi::{
    ///     fake::{
    ///         fake_device,
    ///         Registers, //
    ///     },
    ///     Layout,
    ///     Mmio,
    ///     Request,
    ///     Table, //
    /// };
    ///
    /// let dev = fake_device!(c"msi_mmio_cookies", 8);
    /// let store = Mmio::new(Layout::MSIX, Registers::new(64, 0)?).with_cookies::<KBox<u32>>();
    /// let table = Table::mmio(dev.as_ref(), c"mmio", 4, store)?;
    ///
    /// let vector = table.alloc(Request::at(2).cookie(KBox::new(7, GFP_KERNEL)?))?;
    /// assert_eq!(*vector.cookie(), 7);
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub fn with_cookies<C: ForeignOwnable + 'static>(self) -> Mmio<M, C> {
        Mmio {
            layout: self.layout,
            mapping: self.mapping,
            bits: None,
        }
    }
}

impl<M, C: ForeignOwnable + 'static> Mmio<M, C> {
    /// Lets the other bits of the control register be those which `bits` says for a vector, for
    /// example a PASID which its cookie has.
    ///
    /// They are written together with the mask, by [`Table::restore`] as well. Without this, and in
    /// slots without a vector, they are left as they are.
    ///
    /// `bits` is called in atomic context, with a raw spinlock held.
    ///
    /// # Examples
    ///
    /// ```
    /// # #![cfg(any(not(CONFIG_INDIRECT_IOMEM), CONFIG_INDIRECT_IOMEM_FALLBACK))]
    /// use kernel::msi::{
    ///     fake::{
    ///         fake_device,
    ///         Registers, //
    ///     },
    ///     Layout,
    ///     Mmio,
    ///     Request,
    ///     Table, //
    /// };
    ///
    /// let dev = fake_device!(c"msi_mmio_bits", 8);
    /// let store = Mmio::new(Layout::MSIX, Registers::new(64, 0)?)
    ///     .with_cookies::<KBox<u32>>()
    ///     .with_control_bits(|pasid| *pasid << 12);
    /// let table = Table::mmio(dev.as_ref(), c"mmio", 4, store)?;
    ///
    /// let vector = table.alloc(Request::at(2).cookie(KBox::new(7, GFP_KERNEL)?))?;
    /// assert_eq!(table.store().mapping().read(2 * 16 + 12), 7 << 12 | 1);
    /// # drop(vector);
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub fn with_control_bits(mut self, bits: fn(C::Borrowed<'_>) -> u32) -> Self {
        self.bits = Some(bits);
        self
    }

    /// Returns how the store looks like.
    #[inline]
    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Returns the mapping.
    #[inline]
    pub fn mapping(&self) -> &M {
        &self.mapping
    }
}

impl<M: Mapping, C: ForeignOwnable + Send + Sync + 'static> Mmio<M, C> {
    /// Returns what to tell the C side about a store of `size` labels.
    ///
    /// This fails with `EINVAL` if it is not inside the mapping.
    fn to_raw(&self, dev: &Device<Bound>, size: u32) -> Result<bindings::msi_mmio_layout> {
        let region = self.mapping.region(dev)?;
        let layout = &self.layout;

        let end = (layout.stride as usize)
            .checked_mul(size as usize)
            .and_then(|bytes| bytes.checked_add(layout.base));
        if end.is_none_or(|end| end > region.size()) || layout.base % size_of::<u32>() != 0 {
            return Err(EINVAL);
        }

        Ok(bindings::msi_mmio_layout {
            base: core::ptr::without_provenance_mut(region.addr() + layout.base),
            stride: layout.stride,
            address_lo: layout.address_lo,
            address_hi: layout.address_hi,
            data: layout.data,
            control: layout.control,
            mask: layout.mask,
            bits: if self.bits.is_some() {
                Some(Self::bits)
            } else {
                None
            },
        })
    }

    /// # Safety
    ///
    /// Must only be called by the C side, for a vector of a table which `Table::mmio` has created
    /// of a `Self`.
    unsafe extern "C" fn bits(vector: *const bindings::msi_vector) -> u32 {
        // SAFETY:
        // - The C side passes a valid vector, whose table is valid.
        // - `Table::mmio` gave the table its data, which was initialized before. The handles own
        //   it, and drop it after the table is freed; if they are leaked, so is it. What the
        //   mapping borrows is not used here.
        let data: &Data<Self> =
            unsafe { &*bindings::msi_table_data(bindings::msi_vector_table(vector)).cast() };
        // SAFETY: The vector is valid during the call, which is as long as it is borrowed. It is
        // one of a table of `Self`, and its cookie a foreign-owned `C`, which is there from before
        // the first until after the last call for the vector.
        let vector: &VectorRef<Self> = unsafe { VectorRef::from_raw(vector.cast_mut()) };

        data.store.bits.map_or(0, |bits| bits(vector.cookie()))
    }
}

impl<'a, M, C> Table<'a, Mmio<M, C>>
where
    M: Mapping,
    C: ForeignOwnable + Send + Sync + 'static,
{
    /// Creates the table of a store which is a plain linear table in MMIO.
    ///
    /// Like [`Table::new`], without a [`Store`](super::Store) to implement.
    ///
    /// # Errors
    ///
    /// - `EINVAL` if the layout makes no sense, or is not inside the mapping, or if there is no
    ///   size
    /// - another error of [`Table::new`], or of [`Mapping::region`]
    ///
    /// # Examples
    ///
    /// ```
    /// # #![cfg(any(not(CONFIG_INDIRECT_IOMEM), CONFIG_INDIRECT_IOMEM_FALLBACK))]
    /// use kernel::msi::{
    ///     fake::{
    ///         fake_device,
    ///         Registers, //
    ///     },
    ///     Layout,
    ///     Mmio,
    ///     Table, //
    /// };
    ///
    /// let dev = fake_device!(c"msi_mmio", 8);
    /// let store = Mmio::new(Layout::MSIX, Registers::new(64, 0)?);
    /// let table = Table::mmio(dev.as_ref(), c"mmio", 4, store)?;
    ///
    /// // The control register of a vector without a handler.
    /// let vector = table.alloc(2)?;
    /// assert_eq!(table.store().mapping().read(2 * 16 + 12), 1);
    /// # drop(vector);
    ///
    /// let store = Mmio::new(Layout::MSIX, Registers::new(64, 0)?);
    /// let res = Table::mmio(dev.as_ref(), c"more", 5, store);
    /// assert_eq!(res.err(), Some(EINVAL));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn mmio(
        dev: &'a Device<Bound>,
        name: &CStr,
        options: impl Into<Options>,
        store: Mmio<M, C>,
    ) -> Result<Self> {
        let options = options.into();

        let create = |data: *mut Data<Mmio<M, C>>| {
            let info = options.to_info(name)?;
            // SAFETY: `data` is initialized, and nobody else knows of it before there is a table.
            let layout = unsafe { &(*data).store }.to_raw(dev, info.size)?;
            let info = bindings::msi_table_info {
                mmio: &layout,
                data: data.cast(),
                ..info
            };

            // SAFETY:
            // - `dev` is valid and bound.
            // - `info`, its name and the layout are valid, and are not used after the call. Its
            //   parent is, if there is one, by the safety requirements of `Options::parent`.
            // - The registers are inside the region of the mapping: `to_raw` has checked that all
            //   `size` blocks are, and the C side refuses offsets which are not inside a block, and
            //   what is not aligned.
            // - By the safety requirements of `Mapping` any access to them is fine, and they stay
            //   mapped until the mapping is dropped, which the handles own and `Inner` drops after
            //   the table; or until older resources of `dev` are released, which frees the table
            //   before. The handlers of a table which is leaked may use the mapping all the same.
            // - If the layout has `bits`, then that is for a table whose data is the `Data` of this
            //   store.
            Ok(unsafe { bindings::msi_allocate_table(dev.as_raw(), &info) })
        };

        // SAFETY: This creates a table on `dev`, and makes what it gets the data of the table. That
        // has operations of the C side, which do not use it, and `bits`, which expects it.
        unsafe { Self::create(dev, store, create) }
    }
}

impl<M: Mapping, C: ForeignOwnable + 'static> fmt::Debug for Mmio<M, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mmio")
            .field("layout", self.layout())
            .finish_non_exhaustive()
    }
}
