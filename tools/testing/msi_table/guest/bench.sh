# SPDX-License-Identifier: GPL-2.0
#
# The benchmark, or BENCH= a part of it: all figures are in the kernel log.
echo "${BENCH:-all}" >/sys/module/msi_table_bench/parameters/run
