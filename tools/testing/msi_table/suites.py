# SPDX-License-Identifier: GPL-2.0
"""The suites of make test: what each boots, and what has to run there."""
import pathlib
import shutil

from machine import (AMD, AMD_APPEND, GICV2M, IMSIC, IMSIC_VIRT, INTEL, INTEL_CM, ITS, ITS_EL2,
                     ITS_SMMU, LOGS, NOMSI_BUILD, PLAIN)

# KUnit suites, and single tests, which have to run: one that nobody built, or
# which finds no device, passes for silence. Those on a fake parent need no machine.
C_SUITES = [
    'msi_table_create', 'msi_table_alloc', 'msi_table_irq', 'msi_table_free',
    'msi_table_threads', 'msi_table_batch', 'msi_table_slow', 'msi_table_mmio',
    'msi_table_watch', 'msi_table_power', 'msi_table_aux', 'msi_table_look',
    'msi_table_recycle', 'msi_table_fail', 'msi_table_fail_mmio',
]
RUST_SUITES = [
    'rust_kernel_msi', 'rust_kernel_msi_batch', 'rust_kernel_msi_stores',
    'rust_kernel_msi_mmio', 'rust_kernel_msi_lent', 'rust_kernel_msi_auxiliary',
    'rust_kernel_msi_watch',
]
FAKE_SUITES = ['irq_test_cases', 'rust_doctests_kernel', *C_SUITES, *RUST_SUITES]
# Those which access memory as MMIO, which user mode Linux can not
MMIO_SUITES = {'msi_table_mmio', 'msi_table_fail_mmio', 'rust_kernel_msi_mmio'}
# Wherever there is a PCI bus
PCI_ANYWHERE = [
    'msi_table_pci', 'msi_table_pci_vectors', 'msi_table_pci_affinity',
    'msi_table_pci_kind', 'msi_table_pci_intx', 'msi_table_pci_state',
    'msi_table_pci_store', 'msi_table_pci_room', 'msi_table_pm',
]
X86_SUITES = [
    *PCI_ANYWHERE, 'msi_table_doorbell.msi_table_doorbell_hostile',
    'msi_table_doorbell.msi_table_doorbell_cpu_vectors',
]
PCI_SUITES = [
    *X86_SUITES, 'rust_kernel_msi_pci', 'msi_table_pci_fake', 'msi_table_pci_recycle',
    'msi_table_multi', 'msi_table_doorbell.msi_table_doorbell_ntb',
]
PLAIN_SUITES = [*X86_SUITES, 'msi_table_doorbell.msi_table_doorbell_peer']
PCI_ELSEWHERE = [
    *PCI_ANYWHERE, 'msi_table_pci_fake', 'msi_table_multi',
    'msi_table_doorbell.msi_table_doorbell_ntb',
]
# What suspends the machine, and what takes a CPU away, when it is told to. QEMU's igb and
# its CPU are not always as before after that, so these come last.
OFF = 'msi_table_pci_kunit.hotplug=1 msi_table_pci_kunit.suspend='
OFF_TESTS = ['msi_table_pm.msi_table_pm_suspend',
             'msi_table_pci_affinity.pci_affinity_cpu_off',
             'msi_table_pci_affinity.pci_affinity_cpu_off_firing']
# The one test that takes more than 65536 vectors, for many minutes
MANY_TEST = 'msi_table_look.look_at_many'
# Those which let everything fail in turn
FAIL_SUITE, MACHINE_FAIL_SUITES = 'msi_table_fail', ['msi_table_fail_mmio',
                                                     'msi_table_pci_fail']

# The devices, what to tell the kernel, what has to run, and whether a test may
# be skipped. In user mode Linux there is no device, nor lockdep, kmemleak, MMIO or
# a second CPU; but it is fast, and has KASAN. Suites on a fake parent run once
# where those are, and need not run a second time.
UML = None
# Whether stores are for whoever asks, which this test is told
IMS, OPT_IN = 'msi_table_pci_kunit.ims', 'msi_table_pci_store.pci_store_opt_in'
# Whoever waits for a test does so uninterruptibly.
PATIENT = 'sysctl.kernel.hung_task_timeout_secs=0'
KUNIT_X86 = {
    'kunit': (INTEL, f'RUN=kunit {IMS}=1 {OFF}mem',
              [*FAKE_SUITES, *PCI_SUITES, OPT_IN, *OFF_TESTS], True),
    'uml': (UML, 'RUN=kunit', sorted({*FAKE_SUITES} - MMIO_SUITES), True),
    'uml-fail': (UML, f'RUN=fail FAIL={FAIL_SUITE} kunit.autorun=0',
                 [FAIL_SUITE], False),
    'fail': (INTEL, f'RUN=fail FAIL={",".join(MACHINE_FAIL_SUITES)} '
             f'kunit.autorun=0 {PATIENT}', MACHINE_FAIL_SUITES, False),
    'kunit-plain': (PLAIN, f'RUN=kunit kunit.filter_glob=msi_table_[dmp]* {IMS}=0 {OFF}mem',
                    [*PLAIN_SUITES, OPT_IN, *OFF_TESTS], True),
    'many': ([*PLAIN, '-m', '3G'],
             f'RUN=kunit kunit.filter_glob={MANY_TEST} msi_table_kunit.many=1 '
             f'{PATIENT} kunit.timeout=3600',
             [MANY_TEST], False),
}
# With what changes where registers are, and without x2APIC or with more CPUs than there
# are to emulate them
ONE_THREADED = ['kunit-plain', 'drivers', 'drivers-vfio', 'drivers-nomsi', 'drivers-intx']
# Suites which take long, in seconds, and those which are not for every day
TIMEOUTS = {'kunit': 2400, 'fail': 2400, 'drivers': 2400, 'drivers-vfio': 2400,
            'many': 3600, 'kunit-its': 2400, 'pci-imsic': 3600, 'pci-imsic-virt': 3600,
            'kunit-imsic': 7200, 'guest-imsic': 3600}
BY_NAME = ['many', 'drivers-intx']
# What is written to it is gone with the boot.
DISK = LOGS / 'disk.img'


def disks(device, *properties):
    """The controllers which differ in that, each with a disk of its own."""
    for number, more in enumerate(properties):
        name = f'{device.partition("-")[0]}{number}'
        yield from ['-drive', f'file={DISK},snapshot=on,if=none,id={name},format=raw',
                    '-device', f'{device},drive={name},serial={name}{more}']


def networks(*properties):
    """Network cards, each of which can load busybox from the host."""
    folder = pathlib.Path(shutil.which('busybox')).parent
    for number, more in enumerate(properties, 1):
        yield from ['-netdev', f'user,id=net{number},net=10.0.{number}.0/24,'
                    f'restrict=on,tftp={folder}',
                    '-device', f'virtio-net-pci,netdev=net{number},romfile={more}']


CPUS = ['-smp', '4']
# Each in an IOMMU group of its own
FUNCTIONS = ['-device', 'pcie-root-port,id=port1,chassis=1', '-device', 'igb,bus=port1',
             '-device', 'nec-usb-xhci,msi=on,msix=off']

# The devices, which scripts of guest/ to run, whether a device-specific store is
# granted to whoever asks, and what the kernel log has to say. Caching mode (AMD:
# NpCache, always set by QEMU) is what a hypervisor shows its guest: it would not
# see a message written to a store that it does not know. What takes CPUs away
# comes last. VFIO has a boot of its own: QEMU's igb has no virtual function any more
# when it was asleep, InitialVFs not being TotalVFs (-EIO).
GUEST_X86 = {
    'drivers': ([*INTEL, *CPUS, *disks('nvme', '', ',msix_qsize=3', ',msix_qsize=1'),
                 *disks('virtio-blk-pci,num-queues=4', '', ',vectors=2', ',vectors=0'),
                 *networks('', ',vectors=2', ',vectors=0')],
                'RUN=nvme,queues,virtio MSI=yes', 'Enabled IRQ remapping'),
    'drivers-vfio': ([*INTEL, *CPUS, *FUNCTIONS, '-m', '3G'],
                     'RUN=vfio MSI=yes', 'Enabled IRQ remapping'),
    'drivers-nomsi': ([*PLAIN, *CPUS, *disks('nvme', ''),
                       *disks('virtio-blk-pci,num-queues=4', '', '', ''),
                       *networks('', '', '')],
                      'RUN=nvme,virtio MSI=no pci=nomsi', ''),
    'drivers-intx': ([*CPUS, *disks('nvme', ''),
                      *disks('virtio-blk-pci,num-queues=4', '', '', '')],
                     'RUN=nvme,virtio MSI=no', ''),
    'guest-intel': ([*INTEL, '-device', 'igb'],
                    'RUN=timer,pool,look REMAP=yes', 'Enabled IRQ remapping'),
    'guest-plain': (PLAIN, 'RUN=timer,look REMAP=no', ''),
    'guest-intel-cm': (INTEL_CM, 'RUN=timer REMAP=no', 'Enabled IRQ remapping'),
    'guest-amd': (AMD, f'RUN=timer REMAP=no {AMD_APPEND}',
                  'AMD-Vi: Interrupt remapping enabled'),
}
# Those which have a kernel of their own: one without PCI_MSI
GUEST_BUILDS = {'drivers-intx': NOMSI_BUILD}

# Machines of other architectures. Nobody but a driver vouches for stores on one which
# may be a hypervisor's. The messages that the edu writes by DMA have no DeviceID for an
# ITS, so the timers are not for that.
ARM64 = {'its': ITS, 'its-el2': ITS_EL2, 'its-smmu': ITS_SMMU, 'gicv2m': GICV2M}
RISCV = {'imsic': IMSIC, 'imsic-virt': IMSIC_VIRT}
ELSEWHERE = {**ARM64, **RISCV}
OPTED_IN = ['its-el2', 'imsic']
TIMERS = {
    'gicv2m': 'RUN=timer,pool,look REMAP=no',
    'imsic-virt': 'RUN=timer REMAP=no',
    'imsic': 'RUN=timer,pool,look REMAP=yes',
}
# What can be skipped elsewhere, and must not be here: the room which an ITS has, stores
# behind a slow bus, peers which the machine lets in
ITS_TESTS = [
    *(f'msi_table_pci_room.room_{name}' for name in
      ('msix_idle', 'two_stores', 'large_store', 'virtfn', 'aliases')),
    'msi_table_pci_store.pci_store_slow', 'msi_table_multi.msi_table_multi_churn',
]
PCI_TESTS = {
    'its': ITS_TESTS, 'its-el2': ITS_TESTS, 'its-smmu': ITS_TESTS,
    'gicv2m': ['msi_table_doorbell.msi_table_doorbell_peer',
               'msi_table_pci_store.pci_store_slow',
               'msi_table_multi.msi_table_multi_churn'],
    'imsic': ['msi_table_doorbell.msi_table_doorbell_peer',
              'msi_table_pci_room.room_two_stores', 'msi_table_platform'],
    'imsic-virt': ['msi_table_platform'],
}
# What needs no device runs once for each architecture.
ONCE = ['its', 'imsic']
KUNIT_ELSEWHERE = {
    **{f'kunit-{name}': (ELSEWHERE[name],
                         'RUN=kunit kunit.filter=module!=msi_table_pci_kunit',
                         [*FAKE_SUITES, 'rust_kernel_msi_pci'], True)
       for name in ONCE},
    **{f'pci-{name}': (devices, f'RUN=kunit kunit.filter_glob=msi_table_[dmp]* '
                       f'{IMS}={int(name in OPTED_IN)} {OFF}freeze',
                       [*PCI_ELSEWHERE, *PCI_TESTS.get(name, []), OPT_IN, *OFF_TESTS], True)
       for name, devices in ELSEWHERE.items()},
}
GUEST_ELSEWHERE = {
    f'guest-{name}': ([*devices, '-device', 'igb'], TIMERS.get(name, 'RUN=pool'), '')
    for name, devices in ELSEWHERE.items()
}
KUNIT_BOOTS = {**KUNIT_X86, **KUNIT_ELSEWHERE}
GUEST_SUITES = {**GUEST_X86, **GUEST_ELSEWHERE}
# Of other architectures, what make test runs which is not told one
SHORT = ['pci-its', 'pci-its-el2', 'guest-gicv2m', 'pci-imsic', 'guest-imsic',
         'guest-imsic-virt']


def arch_of(suite):
    """The architecture of the machine which a suite boots."""
    machine = suite.partition('-')[2]
    return 'arm64' if machine in ARM64 else 'riscv' if machine in RISCV else 'x86'


def chosen(suites, arch):
    """Of all suites those to run: of an architecture, or where that is not told"""
    return [name for name in suites if name not in BY_NAME and
            (arch_of(name) == arch if arch else arch_of(name) == 'x86' or name in SHORT)]
