// SPDX-License-Identifier: GPL-2.0

//! How handles are shown. What is shown takes no lock, and has no pointers.

use super::{
    Affinity,
    Backing,
    Disabled,
    Interrupt,
    Lent,
    LentInterrupt,
    LentRef,
    Mapping,
    Mmio,
    Options,
    Pci,
    Request,
    Spread,
    Table,
    Vector,
    VectorRef,
    Watch,
    Watchable, //
};
use crate::{
    fmt::{
        Debug,
        Formatter,
        Result, //
    },
    types::ForeignOwnable, //
};

impl Debug for Options {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Options")
            .field("size", &self.size)
            .field("flags", &self.flags)
            .field("parent", &self.parent.is_some())
            .finish()
    }
}

impl<B: Backing> Debug for Table<'_, B> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Table")
            .field("size", &self.size())
            .field("is_dynamic", &self.is_dynamic())
            .finish_non_exhaustive()
    }
}

impl<B: Backing> Debug for VectorRef<B> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("VectorRef")
            .field("label", &self.label())
            .field("irq", &self.irq())
            .finish_non_exhaustive()
    }
}

impl<B: Backing> Debug for Vector<'_, B> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Vector")
            .field("label", &self.label())
            .field("irq", &self.irq())
            .finish_non_exhaustive()
    }
}

impl<T, B: Backing> Debug for Interrupt<'_, T, B> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Interrupt")
            .field("vector", self.vector())
            .finish_non_exhaustive()
    }
}

impl<T, B: Backing> Debug for Disabled<'_, '_, T, B> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_tuple("Disabled").field(self.interrupt()).finish()
    }
}

// The vector of a `Lent` is behind a mutex.
impl<B: Backing + 'static> Debug for Lent<B> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Lent").finish_non_exhaustive()
    }
}

impl<B: Backing + 'static> Debug for LentRef<'_, B> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("LentRef")
            .field("label", &self.label())
            .field("irq", &self.irq())
            .finish_non_exhaustive()
    }
}

impl<T, B: Backing + 'static> Debug for LentInterrupt<T, B> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("LentInterrupt").finish_non_exhaustive()
    }
}

impl<W, V: Watchable + Debug> Debug for Watch<W, V> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Watch")
            .field("target", self.target())
            .finish_non_exhaustive()
    }
}

impl<C> Debug for Request<'_, C> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Request")
            .field("labels", &self.labels())
            .finish_non_exhaustive()
    }
}

impl<C> Debug for Pci<C> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Pci").finish()
    }
}

impl<M: Mapping, C: ForeignOwnable + 'static> Debug for Mmio<M, C> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Mmio")
            .field("layout", self.layout())
            .finish_non_exhaustive()
    }
}

impl Debug for Affinity {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Affinity")
            .field("is_managed", &self.is_managed())
            .finish_non_exhaustive()
    }
}

impl Debug for Spread {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Spread").finish_non_exhaustive()
    }
}
