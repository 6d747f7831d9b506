// SPDX-License-Identifier: GPL-2.0

//! What vectors are asked for with.
//!
//! C header: [`include/linux/msi_table.h`](srctree/include/linux/msi_table.h)

use super::{
    Affinity,
    Spread, //
};
use crate::{
    bindings,
    fmt, //
};
use core::{
    num::NonZeroU32,
    ops::{
        Bound,
        RangeBounds,
        RangeFrom,
        RangeFull,
        RangeInclusive, //
    },
    ptr, //
};

/// Which vector to allocate from a [`Table`](super::Table).
///
/// A label and a range of labels convert into it. A batch of vectors is asked for in the same way,
/// see [`Table::alloc_many`](super::Table::alloc_many).
///
/// # Examples
///
/// ```
/// use kernel::{
///     msi::{
///         fake::fake_device,
///         Message,
///         Request,
///         Store,
///         Table,
///         VectorRef, //
///     },
///     prelude::*,
///     sync::Arc, //
/// };
///
/// struct Named;
///
/// #[vtable]
/// impl Store for Named {
///     type Cookie = Arc<&'static str>;
///
///     fn write_msg(&self, _vector: &VectorRef<Self>, _msg: Message) {}
///     fn mask(&self, _vector: &VectorRef<Self>) {}
///     fn unmask(&self, _vector: &VectorRef<Self>) {}
/// }
///
/// let dev = fake_device!(c"msi_request", 8);
/// let table = Table::new(dev.as_ref(), c"ims", 4, Named)?;
/// let name = Arc::new("rx", GFP_KERNEL)?;
///
/// let rx = table.alloc(Request::at(3).cookie(name.clone()))?;
/// assert_eq!(*rx.cookie(), "rx");
///
/// // The cookie goes with a failed request.
/// assert_eq!(table.alloc(Request::at(3).cookie(name)).err(), Some(EBUSY));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy)]
#[must_use = "nothing is allocated before the request is passed to `Table::alloc`"]
pub struct Request<'r, C = ()> {
    lowest: u32,
    highest: u32,
    pub(super) cookie: C,
    pub(super) affinities: Option<&'r [Affinity]>,
    spread: Option<&'r Spread>,
}

impl<'r> Request<'r> {
    /// The vector of this label.
    #[inline]
    pub const fn at(label: u32) -> Self {
        Self {
            lowest: label,
            highest: label,
            cookie: (),
            affinities: None,
            spread: None,
        }
    }

    /// The vector of the lowest free label in `range`. A range without an end goes to the end of
    /// the table. [`u32::MAX`] is no label.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::msi::{
    ///     fake::{
    ///         fake_device,
    ///         Recorder, //
    ///     },
    ///     Request,
    ///     Table, //
    /// };
    ///
    /// let dev = fake_device!(c"msi_request_range", 8);
    /// let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
    ///
    /// let vector = table.alloc(Request::range(8..12))?;
    /// assert_eq!(vector.label(), 8);
    /// assert_eq!(table.alloc(Request::range(..=8))?.label(), 0);
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub fn range(range: impl RangeBounds<u32>) -> Self {
        let lowest = match range.start_bound() {
            Bound::Included(&label) => Some(label),
            Bound::Excluded(&label) => label.checked_add(1),
            Bound::Unbounded => Some(0),
        };
        let highest = match range.end_bound() {
            Bound::Included(&bindings::MSI_LABEL_ANY) => None,
            Bound::Included(&label) => Some(label),
            Bound::Excluded(&label) => label.checked_sub(1),
            Bound::Unbounded => Some(bindings::MSI_LABEL_ANY),
        };

        // A range which ends before its begin is how to say empty to the C side.
        let (lowest, highest) = lowest.zip(highest).unwrap_or((1, 0));

        Self {
            lowest,
            highest,
            cookie: (),
            affinities: None,
            spread: None,
        }
    }

    /// The vector of the lowest free label of the table.
    #[inline]
    pub fn any() -> Self {
        Self::range(..)
    }

    /// Gives the vector a cookie, which it owns from then on.
    #[inline]
    pub fn cookie<C>(self, cookie: C) -> Request<'r, C> {
        Request {
            lowest: self.lowest,
            highest: self.highest,
            cookie,
            affinities: self.affinities,
            spread: self.spread,
        }
    }

    /// Gives each vector of [`Table::alloc_many`](super::Table::alloc_many) a cookie.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{
    ///     msi::{
    ///         fake::fake_device,
    ///         Message,
    ///         Request,
    ///         Store,
    ///         Table,
    ///         VectorRef, //
    ///     },
    ///     prelude::*,
    ///     sync::Arc, //
    /// };
    ///
    /// struct Numbered;
    ///
    /// #[vtable]
    /// impl Store for Numbered {
    ///     type Cookie = Arc<u32>;
    ///
    ///     fn write_msg(&self, _vector: &VectorRef<Self>, _msg: Message) {}
    ///     fn mask(&self, _vector: &VectorRef<Self>) {}
    ///     fn unmask(&self, _vector: &VectorRef<Self>) {}
    /// }
    ///
    /// let dev = fake_device!(c"msi_cookies", 8);
    /// let table = Table::new(dev.as_ref(), c"ims", 16, Numbered)?;
    ///
    /// let queues = [Arc::new(40, GFP_KERNEL)?, Arc::new(41, GFP_KERNEL)?];
    /// let request = Request::range(8..).cookies(queues.iter().cloned());
    ///
    /// // There is no third cookie.
    /// let vectors = table.alloc_many(request, 1..=3)?;
    /// assert_eq!(vectors.len(), 2);
    /// assert_eq!((vectors[1].label(), *vectors[1].cookie()), (9, 41));
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub fn cookies<I: IntoIterator>(self, cookies: I) -> Request<'r, Each<I::IntoIter>> {
        self.cookie(Each(cookies.into_iter()))
    }
}

impl<'r, C> Request<'r, C> {
    /// Gives the interrupt of the vector an affinity.
    #[inline]
    pub fn affinity(self, affinity: &'r Affinity) -> Self {
        self.affinities(core::slice::from_ref(affinity))
    }

    /// Gives the interrupt of each vector of [`Table::alloc_many`](super::Table::alloc_many) an
    /// affinity.
    #[inline]
    pub fn affinities(mut self, affinities: &'r [Affinity]) -> Self {
        self.affinities = Some(affinities);
        self
    }

    /// Spreads the vectors of [`Table::alloc_many`](super::Table::alloc_many) over the CPUs.
    ///
    /// This is instead of [`Request::affinities`].
    #[inline]
    pub fn spread(mut self, spread: &'r Spread) -> Self {
        self.spread = Some(spread);
        self
    }

    /// Returns the lowest and the highest label.
    #[inline]
    pub(super) fn labels(&self) -> RangeInclusive<u32> {
        self.lowest..=self.highest
    }

    /// Returns what to tell the C side, but for cookies.
    #[inline]
    pub(super) fn to_raw(&self) -> bindings::msi_vector_request {
        bindings::msi_vector_request {
            lowest: self.lowest,
            highest: self.highest,
            affinity: self
                .affinities
                .map_or(ptr::null(), |affinities| affinities.as_ptr().cast()),
            spread: self.spread.map_or(ptr::null(), Spread::as_raw),
            ..pin_init::zeroed()
        }
    }

    /// Returns how many vectors there can be at most, in a table of `size` labels or without a
    /// size.
    pub(super) fn limit(&self, size: Option<NonZeroU32>) -> u32 {
        let last = size.map_or(bindings::MSI_LABEL_ANY - 1, |size| size.get() - 1);
        let labels = self
            .highest
            .min(last)
            .saturating_sub(self.lowest)
            .saturating_add(1);

        labels.min(self.affinities.map_or(u32::MAX, |affinities| {
            u32::try_from(affinities.len()).unwrap_or(u32::MAX)
        }))
    }
}

pub(super) mod private {
    /// Keeps others from calling the methods of a trait which seals a public one: they can not name
    /// it.
    pub struct Token;

    /// Seals [`Cookies`](super::Cookies).
    pub trait NextCookie<C> {
        /// Returns the cookie for the next vector, if there is one.
        fn next_cookie(&mut self, token: Token) -> Option<C>;
    }

    impl NextCookie<()> for () {
        #[inline]
        fn next_cookie(&mut self, _: Token) -> Option<()> {
            Some(())
        }
    }

    impl<I: Iterator> NextCookie<I::Item> for super::Each<I> {
        #[inline]
        fn next_cookie(&mut self, _: Token) -> Option<I::Item> {
            self.0.next()
        }
    }
}

/// The cookies of a batch of vectors: `()` when they carry none, or an [`Each`].
///
/// This trait can not be implemented directly.
///
/// # Examples
///
/// ```
/// use kernel::{
///     msi::{
///         Backing,
///         Cookies,
///         Request,
///         Table,
///         Vector, //
///     },
///     prelude::*, //
/// };
///
/// /// Eight vectors, or as many as there can be.
/// fn eight<'a, B: Backing, K: Cookies<B::Cookie>>(
///     table: &Table<'a, B>,
///     request: Request<'_, K>,
/// ) -> Result<KVVec<Vector<'a, B>>> {
///     table.alloc_many(request, 1..=8)
/// }
/// ```
pub trait Cookies<C>: private::NextCookie<C> {}

impl<C, T: private::NextCookie<C>> Cookies<C> for T {}

/// Cookies for vectors, one for each. Made by [`Request::cookies`].
#[derive(Clone, Copy, Debug)]
pub struct Each<I>(I);

impl From<u32> for Request<'_> {
    #[inline]
    fn from(label: u32) -> Self {
        Self::at(label)
    }
}

impl From<RangeInclusive<u32>> for Request<'_> {
    #[inline]
    fn from(range: RangeInclusive<u32>) -> Self {
        Self::range(range)
    }
}

impl From<RangeFrom<u32>> for Request<'_> {
    #[inline]
    fn from(range: RangeFrom<u32>) -> Self {
        Self::range(range)
    }
}

impl From<RangeFull> for Request<'_> {
    #[inline]
    fn from(range: RangeFull) -> Self {
        Self::range(range)
    }
}

impl<C> fmt::Debug for Request<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("labels", &self.labels())
            .finish_non_exhaustive()
    }
}
