// SPDX-License-Identifier: GPL-2.0

//! MSI table sample: one entry of an MSI-X table, and a pool of others.
//!
//! The device is QEMU's `igb`, an Intel 82576, whose MSI-X table has 10 entries. The driver takes
//! entry 3 by its label, as one does for an event which the hardware signals on that entry, and
//! any 4 of the entries 5 to 9. No other entry gets an interrupt. It registers a handler on each,
//! and has the device raise each a number of times.

use core::ops::RangeInclusive;
use kernel::{
    device::{
        Bound,
        Core, //
    },
    io::{
        poll::read_poll_timeout,
        Io, //
    },
    irq::{
        Flags,
        Handler,
        IrqReturn, //
    },
    msi,
    pci,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    time::Delta, //
};

const IGB_DEVICE_ID: u32 = 0x10c9;

mod regs {
    /// How interrupts are sent.
    pub(super) const GPIE: usize = 0x1514;

    /// One bit for each entry of the MSI-X table: raise, enable, disable, clear as soon as the
    /// interrupt is sent, clear by reading.
    pub(super) const EICS: usize = 0x1520;
    pub(super) const EIMS: usize = 0x1524;
    pub(super) const EIMC: usize = 0x1528;
    pub(super) const EIAC: usize = 0x152c;
    pub(super) const EICR: usize = 0x1580;

    /// The same, for the pending bits of MSI-X.
    pub(super) const PBACLR: usize = 0x5b68;

    pub(super) const END: usize = 0x5b6c;

    /// `GPIE`: reading `EICR` clears all of it.
    pub(super) const GPIE_NSICR: u32 = 1 << 0;
    /// `GPIE`: MSI-X with several entries.
    pub(super) const GPIE_MSIX_MODE: u32 = 1 << 4;
    /// `GPIE`: an entry which is sent is not pending any more.
    pub(super) const GPIE_PBA: u32 = 1 << 31;
}

type Bar0<'bound> = pci::Bar<'bound, { regs::END }>;

/// The device. It sends no interrupts any more when this is dropped.
struct Igb<'bound>(Bar0<'bound>);

impl<'bound> Igb<'bound> {
    fn new(pdev: &'bound pci::Device<Bound>) -> Result<Self> {
        let igb = Self(pdev.iomap_region_sized::<{ regs::END }>(0, c"rust_msix_pool")?);

        igb.stop();
        igb.0.write32(
            regs::GPIE_NSICR | regs::GPIE_MSIX_MODE | regs::GPIE_PBA,
            regs::GPIE,
        );
        igb.0.write32(!0, regs::EIAC);
        igb.0.write32(!0, regs::PBACLR);
        Ok(igb)
    }

    fn stop(&self) {
        self.0.write32(!0, regs::EIMC);
        self.0.read32(regs::EICR);
    }

    /// Raises an interrupt `times` times, and returns how many arrived.
    fn raise(&self, irq: &Interrupt<'_>, times: u32) -> u32 {
        let bit = 1 << irq.vector().label();
        let count = || irq.handler().0.load(Relaxed);

        self.0.write32(bit, regs::EIMS);
        for n in 1..=times {
            self.0.write32(bit, regs::EICS);

            // Two which are raised at once are sent as one.
            let arrived = read_poll_timeout(
                || Ok(count()),
                |count| *count >= n,
                Delta::from_micros(100),
                Delta::from_secs(1),
            );
            if arrived.is_err() {
                break;
            }
        }
        count()
    }
}

impl Drop for Igb<'_> {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Handler which counts. The device has nothing to acknowledge.
struct Counter(Atomic<u32>);

impl Counter {
    fn new() -> Self {
        Self(Atomic::new(0))
    }
}

impl Handler for Counter {
    fn handle(&self) -> IrqReturn {
        self.0.fetch_add(1, Relaxed);
        IrqReturn::Handled
    }
}

type Interrupt<'bound> = msi::Interrupt<'bound, Counter>;

// Nothing in here refers to its neighbour.
struct Driver<'bound> {
    // Dropped first, before the entries become somebody else's.
    igb: Igb<'bound>,
    _table: msi::Table<'bound>,
    three: Interrupt<'bound>,
    pool: KVec<Interrupt<'bound>>,
    // For later: it has no handler yet.
    _spare: msi::Vector<'bound>,
}

impl<'bound> Driver<'bound> {
    const THREE: u32 = 3;
    const POOL: RangeInclusive<u32> = 5..=9;
    const POOL_SIZE: u32 = 4;

    fn pool(table: &msi::Table<'bound>) -> Result<KVec<Interrupt<'bound>>> {
        let vectors = table.alloc_many(Self::POOL, Self::POOL_SIZE..=Self::POOL_SIZE)?;
        let mut pool = KVec::with_capacity(vectors.len(), GFP_KERNEL)?;

        for vector in vectors {
            let irq =
                vector.request_irq(Flags::TRIGGER_NONE, c"rust_msix_pool-any", Counter::new())?;

            pool.push(irq, GFP_KERNEL)?;
        }
        Ok(pool)
    }

    fn new(pdev: &'bound pci::Device<Core<'_>>) -> Result<Self> {
        pdev.enable_device_mem()?;
        pdev.set_master();

        let igb = Igb::new(pdev)?;
        let table = pdev.msi_table(msi::Kind::MsiX)?;
        let three = table.alloc(Self::THREE)?.request_irq(
            Flags::TRIGGER_NONE,
            c"rust_msix_pool-three",
            Counter::new(),
        )?;
        let this = Self {
            igb,
            three,
            pool: Self::pool(&table)?,
            _spare: table.alloc(Self::POOL)?,
            _table: table,
        };

        this.run();
        Ok(this)
    }

    fn run(&self) {
        let times = *module_parameters::count.value_ref();
        let total = times.saturating_mul(1 + Self::POOL_SIZE);
        let mut delivered = self.igb.raise(&self.three, times);

        for irq in &self.pool {
            delivered += self.igb.raise(irq, times);
        }
        pr_info!("{} of {} interrupts delivered\n", delivered, total);
    }
}

struct MsixPool;

kernel::pci_device_table!(
    PCI_TABLE,
    <MsixPool as pci::Driver>::IdInfo,
    [(
        pci::DeviceId::from_id(pci::Vendor::INTEL, IGB_DEVICE_ID),
        ()
    )]
);

impl pci::Driver for MsixPool {
    type IdInfo = ();
    type Data<'bound> = Driver<'bound>;

    const ID_TABLE: pci::IdTable<Self::IdInfo> = &PCI_TABLE;

    fn probe<'bound>(
        pdev: &'bound pci::Device<Core<'_>>,
        _info: Option<&'bound Self::IdInfo>,
    ) -> impl PinInit<Self::Data<'bound>, Error> + 'bound {
        Driver::new(pdev)
    }
}

kernel::module_pci_driver! {
    type: MsixPool,
    name: "rust_msix_pool",
    authors: ["The msi_table developers"],
    description: "MSI table sample: one entry of an MSI-X table, and a pool of others",
    license: "GPL v2",
    params: {
        count: u32 {
            default: 10,
            description: "How often to raise each interrupt",
        },
    },
}
