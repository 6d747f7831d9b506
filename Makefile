# SPDX-License-Identifier: GPL-2.0
#: make run       build a kernel, boot it, run the timer in C and in Rust
#: make test      all test suites; SUITE= one of them, TEST= one test of it
#: make torture   random changes and removal against a model; DURATION= SEED=
#: make coverage  which lines and branches the tests reach
#: make mutants   plant faults, and see which tests notice; N= SEED=
#: make bench     what a vector costs, beside the MSI core of the kernel
#: make check     checkpatch, W=1, sparse, clippy, kernel-doc, rustfmt, rustdoc
#: make docs      the guides as HTML
#: make shell     a prompt in the guest; leaving it powers off
#: make series    mails for git am, in build/series; CHECK=1 builds and tests each
#: make apply     lay overlay and patches over the Linux 7.3 tree KDIR=
#: make build     the kernel for make test, its modules and the initramfs
#: make clean     remove what was built; make distclean the whole cache
#: make help-all  all suites and variables
##
## Suites of make test: uml uml-fail kunit kunit-plain fail drivers drivers-vfio
##   drivers-nomsi guest-intel guest-plain guest-intel-cm guest-amd rust-errors tools
##   config, and by name only: many (65536 vectors and more), drivers-intx (a kernel
##   without PCI_MSI)
##   arm64: kunit-its pci-its pci-its-el2 pci-its-smmu pci-gicv2m, and guest- of the
##   same; riscv64: kunit-imsic pci-imsic pci-imsic-virt, ... Without ARCH= make test has
##   pci-its pci-its-el2 guest-gicv2m pci-imsic guest-imsic and guest-imsic-virt of these.
## Suites of make torture: plant model model-smp hotplug-acpi hotplug-native
##   igb-intel igb-plain rebind suspend, and with KCSAN=1 model-kcsan igb-kcsan;
##   arm64: igb-its igb-its-el2 igb-its-smmu igb-gicv2m rebind-gicv2m; riscv64:
##   igb-imsic igb-imsic-virt rebind-imsic
##
## Variables:
##   ARCH=             x86, arm64 or riscv64, for make run, test, build, shell and
##                     torture; without it make test has a little of all three.
##                     make check compiles for i386, arm, arm64, riscv64, loongarch,
##                     powerpc and s390, or all of them, with W=1
##   KDIR=             a Linux 7.3 tree of yours, used with your own toolchain
##                     instead of a build root and source made here
##   MSI_TABLE_CACHE=  where build root, source and builds live
##                     (~/.cache/msi_table)
##   MIRROR=           Debian archive to make the build root from
##                     (default: the one of this machine's apt)
##   SECURITY_MIRROR=  the same for the security archive
##   LINUX_SOURCE=     package of the kernel source (linux-source-7.3)
##   TEST=             of the SUITE= of KUnit, suite.test, * and ? allowed
##   DURATION=         how long make torture has, in seconds, without the time
##                     to boot (900; CI takes 120)
##   N=                how many mutants are tried (100), 0 for all
##   SEED=             where random choices begin (default: anywhere)
##   QUICK=1           make bench: few rounds, to see that it works
##   CHECK=1           make series: apply, check and compile each mail, with MSI tables and
##                     without; the KUnit tests at the end of each part
##   KCSAN=1           make torture: with a kernel which looks for data races
##                     instead; without KASAN and Rust
##   KVM=1, KVM=0      boot with KVM, or without it. Unless told, make run and
##                     make shell use it where a guest of it really works, and
##                     everything else does not.
##   V=1               show the output of every step

T := tools/testing/msi_table

ifeq ($(MSI_TABLE_CACHE),)
MSI_TABLE_CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/msi_table
endif
export ARCH MSI_TABLE_CACHE KDIR LINUX_SOURCE MIRROR SECURITY_MIRROR SUITE TEST KVM V
export DURATION N SEED QUICK KCSAN CHECK

help:
	@sed -n 's/^#: //p' Makefile

help-all:
	@sed -n 's/^#[:#] \{0,1\}//p' Makefile

targets := run build test coverage mutants bench torture check docs shell series apply \
	   clean distclean
$(targets):
	@sh $(T)/harness.sh $@

.PHONY: help help-all $(targets)
