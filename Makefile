# SPDX-License-Identifier: GPL-2.0
#
#: make run      build all, boot QEMU, run both timer drivers, show what they did
#: make test     all test suites; SUITE=name for one of them
#: make bench    what a vector costs, beside the MSI core of the kernel; figures
#:               and plots in build/bench
#: make torture  random changes against a model, cards pulled, CPUs taken away;
#:               DURATION= seconds (900), SEED= to repeat one, KCSAN=1
#: make check    checkpatch, W=1, sparse, clippy, kernel-doc, rustfmt, rustdoc
#: make docs     the guides as HTML; a warning is a failure
#: make build    the kernel, its modules and the initramfs
#: make shell    a prompt in the guest; leaving it powers off
#: make apply    lay overlay and patches over the Linux 7.3 tree KDIR=
#: make clean    remove what was built, keep build root and kernel source
#: make distclean  remove the whole cache
#:
#: Suites: tools config rust-errors kunit kunit-plain suspend-intel
#:   suspend-plain hotplug-intel hotplug-plain fail look-intel look-plain pool
#:   timer-intel timer-intel-cm timer-amd timer-plain, and by name only: many
#:   (65536 vectors and more)
#: Suites of make torture: plant model model-smp hotplug-acpi hotplug-native
#:   igb-intel igb-plain rebind suspend, and with KCSAN=1 model-kcsan igb-kcsan
#:
#: Variables:
#:   KDIR=             a Linux 7.3 tree of yours, used with your own toolchain
#:                     instead of a build root and source made here
#:   MSI_TABLE_CACHE=  where build root, source and builds live
#:                     (~/.cache/msi_table)
#:   MIRROR=           Debian archive to make the build root from
#:                     (default: the one of this machine's apt)
#:   SECURITY_MIRROR=  the same for the security archive
#:   LINUX_SOURCE=     package of the kernel source (linux-source-7.3)
#:   DURATION=         how long make torture has, in seconds, without the time
#:                     to boot (900; CI takes 120)
#:   SEED=             where its random choices begin (default: anywhere)
#:   KCSAN=1           make torture: with a kernel which looks for data races
#:                     instead; without KASAN and Rust
#:   KVM=1             boot with KVM rather than TCG
#:   V=1               show the output of every step

T := tools/testing/msi_table

ifeq ($(MSI_TABLE_CACHE),)
MSI_TABLE_CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/msi_table
endif
export MSI_TABLE_CACHE KDIR LINUX_SOURCE MIRROR SECURITY_MIRROR SUITE KVM V
export DURATION SEED KCSAN

help:
	@sed -n 's/^#: \{0,1\}//p' Makefile

run build test bench torture check docs shell apply clean distclean:
	@sh $(T)/harness.sh $@

.PHONY: help run build test bench torture check docs shell apply clean distclean
