// SPDX-License-Identifier: GPL-2.0

//! MSI table sample: a timer with an interrupt message store.
//!
//! The device is QEMU's `edu`. Its DMA engine copies between memory and a buffer of the device and
//! takes 100 ms for it, which makes it a timer: writing the data of a message to the address of the
//! message is an interrupt.
//!
//! The message store is one slot in memory, from where the device reads the message into its
//! buffer. That it has done so is signalled by the one PCI MSI of the device, so the driver has two
//! tables:
//!
//! - load: slot to buffer, then "loaded" by PCI MSI
//! - arm: buffer to message address, then "expired" by IMS
//!
//! A message which has been loaded is armed again and again, until it changes.
//!
//! QEMU must be run with `-device edu,dma_mask=0xffffffff`, and with interrupt remapping or the
//! parameter `unremapped=1`.

use kernel::{
    device::{
        Bound,
        Core, //
    },
    dma::Coherent,
    io::{
        io_read,
        io_write,
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
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Full,
            Relaxed,
            Release, //
        },
        barrier::{
            smp_mb,
            Read, //
        },
        Arc, //
    },
    time::Delta, //
};

const EDU_VENDOR_ID: u16 = 0x1234;
const EDU_DEVICE_ID: u16 = 0x11e8;
const EDU_CLASS: u32 = 0x00ff00;

mod regs {
    /// Status of the interrupt, and where to acknowledge it.
    pub(super) const IRQ_STATUS: usize = 0x24;
    pub(super) const IRQ_ACK: usize = 0x64;

    /// The DMA engine. Writing half of an address clears the other half.
    pub(super) const DMA_SOURCE: usize = 0x80;
    pub(super) const DMA_DESTINATION: usize = 0x88;
    pub(super) const DMA_COUNT: usize = 0x90;
    pub(super) const DMA_COMMAND: usize = 0x98;

    pub(super) const END: usize = 0xa0;

    /// `DMA_COMMAND`: start; cleared when the transfer is done.
    pub(super) const COMMAND_RUN: u32 = 1 << 0;
    /// `DMA_COMMAND`: from the buffer to memory, not the other way.
    pub(super) const COMMAND_TO_MEMORY: u32 = 1 << 1;
    /// `DMA_COMMAND`: raise `STATUS_DMA` when the transfer is done.
    pub(super) const COMMAND_IRQ: u32 = 1 << 2;

    /// DMA address of the device's buffer.
    pub(super) const BUFFER: u64 = 0x40000;
}

type Bar0 = pci::DevresBar<{ regs::END }>;

/// The timer, as its store and its handlers see it.
///
/// Transfers come one after the other: whoever is told by an interrupt that one is done starts the
/// next. `busy` is set meanwhile.
struct Timer {
    bar: Bar0,
    /// The message store, read by the device: address, in two words, and data.
    slot: Coherent<[u32; 4]>,
    /// Counts the changes of the message, twice each: odd while it is being written.
    version: Atomic<u32>,
    /// The version which is being loaded, and the one in the buffer of the device.
    loading: Atomic<u32>,
    loaded: Atomic<u32>,
    delivered: Atomic<u32>,
    busy: Atomic<bool>,
    stopped: Atomic<bool>,
}

impl Timer {
    /// Where in the slot the data of the message is.
    const DATA: u32 = 8;

    fn new(pdev: &pci::Device<Bound>) -> Result<Self> {
        let bar = pdev.iomap_region_sized::<{ regs::END }>(0, c"rust_ims_timer")?;

        Ok(Self {
            bar: bar.into_devres()?,
            // The DMA mask stays what it is for PCI, 32 bits, which `edu` has been told to reach.
            slot: Coherent::zeroed(pdev.as_ref(), GFP_KERNEL)?,
            version: Atomic::new(0),
            loading: Atomic::new(0),
            loaded: Atomic::new(0),
            delivered: Atomic::new(0),
            busy: Atomic::new(false),
            stopped: Atomic::new(false),
        })
    }

    fn write_slot(&self, msg: msi::Message) {
        self.version.fetch_add(1, Full);
        // CAST: The two halves of the address.
        io_write!(self.slot, [build: 0], (msg.address as u32).to_le());
        io_write!(self.slot, [build: 1], ((msg.address >> 32) as u32).to_le());
        io_write!(self.slot, [build: 2], msg.data.to_le());
        self.version.fetch_add(1, Release);
    }

    /// Returns the address of the message, and the version which it belongs to.
    fn read_slot(&self) -> (u64, u32) {
        loop {
            // Whoever writes has interrupts disabled, so this does not take long.
            let version = self.version.load(Acquire);
            let low = u32::from_le(io_read!(self.slot, [build: 0]));
            let high = u32::from_le(io_read!(self.slot, [build: 1]));

            smp_mb(Read);
            if version % 2 == 0 && self.version.load(Relaxed) == version {
                return (u64::from(high) << 32 | u64::from(low), version);
            }
        }
    }

    fn start_dma(&self, source: u64, destination: u64, command: u32) -> Option<()> {
        let source = u32::try_from(source).ok()?;
        let destination = u32::try_from(destination).ok()?;

        self.bar.try_access_with(|bar| {
            bar.write32(source, regs::DMA_SOURCE);
            bar.write32(destination, regs::DMA_DESTINATION);
            bar.write32(4, regs::DMA_COUNT);
            bar.write32(regs::COMMAND_RUN | command, regs::DMA_COMMAND);
        })
    }

    /// Arms the timer, after loading the message if need be, unless it has been stopped.
    fn arm(&self) {
        let (address, version) = self.read_slot();

        let started = if self.stopped.load(Acquire) || address == 0 {
            None
        } else if self.loaded.load(Relaxed) == version {
            self.start_dma(regs::BUFFER, address, regs::COMMAND_TO_MEMORY)
        } else {
            self.loading.store(version, Relaxed);
            self.start_dma(
                self.slot.dma_address() + u64::from(Self::DATA),
                regs::BUFFER,
                regs::COMMAND_IRQ,
            )
        };

        if started.is_none() {
            self.busy.store(false, Release);
        }
    }

    fn is_busy(&self) -> bool {
        self.busy.load(Acquire)
    }
}

/// The message store.
struct Slot(Arc<Timer>);

#[vtable]
impl msi::Store for Slot {
    type Cookie = ();

    fn write_msg(&self, _vector: &msi::VectorRef<Self>, msg: msi::Message) {
        self.0.write_slot(msg);
    }

    fn clear_msg(&self, _vector: &msi::VectorRef<Self>) {
        self.0.write_slot(msi::Message::default());
    }
}

/// Handler of the PCI MSI: the device has loaded its message.
struct Loaded(Arc<Timer>);

impl Handler for Loaded {
    fn handle(&self) -> IrqReturn {
        let timer = &self.0;

        timer.bar.try_access_with(|bar| {
            bar.write32(bar.read32(regs::IRQ_STATUS), regs::IRQ_ACK);
        });
        timer.loaded.store(timer.loading.load(Relaxed), Relaxed);
        timer.arm();
        IrqReturn::Handled
    }
}

/// Handler of the IMS interrupt: the timer has expired.
struct Expired(Arc<Timer>);

impl Handler for Expired {
    fn handle(&self) -> IrqReturn {
        let total = *module_parameters::count.value_ref();
        let delivered = self.0.delivered.fetch_add(1, Relaxed) + 1;

        if delivered < total {
            self.0.arm();
        } else {
            pr_info!("{} of {} expirations delivered\n", delivered, total);
            self.0.busy.store(false, Release);
        }
        IrqReturn::Handled
    }
}

/// Stops the timer when it is dropped, and waits: an armed timer still sends its message.
struct Running<'bound> {
    pdev: &'bound pci::Device<Bound>,
    timer: Arc<Timer>,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.timer.stopped.store(true, Release);

        let idle = read_poll_timeout(
            || Ok(self.timer.is_busy()),
            |busy| !busy,
            Delta::from_millis(1),
            Delta::from_secs(3),
        );
        if idle.is_err() {
            dev_err!(self.pdev, "an interrupt is missing\n");
        }
    }
}

struct Driver<'bound> {
    // Dropped first, before the message of an armed timer becomes somebody else's.
    _running: Running<'bound>,
    _expired: msi::Interrupt<'bound, Expired, Slot>,
    _loaded: msi::Interrupt<'bound, Loaded>,
}

impl<'bound> Driver<'bound> {
    fn new(pdev: &'bound pci::Device<Core<'_>>) -> Result<Self> {
        // There is no constant for the vendor, so the table matches the class.
        if pdev.vendor_id().as_raw() != EDU_VENDOR_ID || pdev.device_id() != EDU_DEVICE_ID {
            return Err(ENODEV);
        }

        pdev.enable_device_mem()?;
        pdev.set_master();

        let timer = Arc::new(Timer::new(pdev)?, GFP_KERNEL)?;

        let mut options = msi::Options::indexed(1);
        if *module_parameters::unremapped.value_ref() {
            options = options.unremapped();
        }

        let msi = pdev.msi_table(msi::Kind::Msi)?;
        let ims = msi::Table::new(pdev.as_ref(), c"timer", options, Slot(timer.clone()))?;

        let loaded = msi.alloc(0)?.request_irq(
            Flags::TRIGGER_NONE,
            c"rust_ims_timer-loaded",
            Loaded(timer.clone()),
        )?;
        let expired = ims.alloc_any()?.request_irq(
            Flags::TRIGGER_NONE,
            c"rust_ims_timer-expired",
            Expired(timer.clone()),
        )?;

        timer.busy.store(true, Relaxed);
        timer.arm();
        Ok(Self {
            _running: Running { pdev, timer },
            _expired: expired,
            _loaded: loaded,
        })
    }
}

struct ImsTimer;

kernel::pci_device_table!(
    PCI_TABLE,
    <ImsTimer as pci::Driver>::IdInfo,
    [(pci::DeviceId::from_class(EDU_CLASS, 0xffffff), ())]
);

impl pci::Driver for ImsTimer {
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
    type: ImsTimer,
    name: "rust_ims_timer",
    authors: ["The msi_table developers"],
    description: "MSI table sample: a timer with an interrupt message store",
    license: "GPL v2",
    params: {
        unremapped: bool {
            default: false,
            description: "Work without interrupt remapping: edu is fully emulated",
        },
        count: u32 {
            default: 10,
            description: "Number of expirations to wait for",
        },
    },
}
