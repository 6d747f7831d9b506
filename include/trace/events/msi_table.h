/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM msi_table

#if !defined(_TRACE_MSI_TABLE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_MSI_TABLE_H

#include <linux/device.h>
#include <linux/irq.h>
#include <linux/msi_table_core.h>
#include <linux/tracepoint.h>

DECLARE_EVENT_CLASS(msi_table,
	TP_PROTO(const struct msi_table *table),
	TP_ARGS(table),
	TP_STRUCT__entry(
		__string(	device,	dev_name(table->dev)	)
		__string(	table,	table->name		)
		__field(	u32,	size			)
	),
	TP_fast_assign(
		__assign_str(device);
		__assign_str(table);
		__entry->size = table->size;
	),
	TP_printk("device=%s table=%s size=%u", __get_str(device), __get_str(table),
		  __entry->size)
);

DEFINE_EVENT(msi_table, msi_table_create,
	TP_PROTO(const struct msi_table *table),
	TP_ARGS(table)
);

DEFINE_EVENT(msi_table, msi_table_destroy,
	TP_PROTO(const struct msi_table *table),
	TP_ARGS(table)
);

DECLARE_EVENT_CLASS(msi_vector,
	TP_PROTO(const struct msi_vector *vector),
	TP_ARGS(vector),
	TP_STRUCT__entry(
		__string(	device,		dev_name(vector->table->dev)	)
		__string(	table,		vector->table->name		)
		__field(	u32,		label				)
		__field(	unsigned int,	irq				)
	),
	TP_fast_assign(
		__assign_str(device);
		__assign_str(table);
		__entry->label = vector->label;
		__entry->irq = msi_vector_irq(vector);
	),
	TP_printk("device=%s table=%s label=%u irq=%u", __get_str(device), __get_str(table),
		  __entry->label, __entry->irq)
);

DEFINE_EVENT(msi_vector, msi_vector_alloc,
	TP_PROTO(const struct msi_vector *vector),
	TP_ARGS(vector)
);

DEFINE_EVENT(msi_vector, msi_vector_free,
	TP_PROTO(const struct msi_vector *vector),
	TP_ARGS(vector)
);

/* What was missing: free labels, or something of the parent, which may be memory */
TRACE_EVENT(msi_vector_alloc_failed,
	TP_PROTO(const struct msi_table *table, const struct msi_vector_request *req,
		 unsigned int min, bool parent, int error),
	TP_ARGS(table, req, min, parent, error),
	TP_STRUCT__entry(
		__string(	device,		dev_name(table->dev)	)
		__string(	table,		table->name		)
		__field(	u32,		lowest			)
		__field(	u32,		highest			)
		__field(	unsigned int,	min			)
		__field(	bool,		parent			)
		__field(	int,		error			)
	),
	TP_fast_assign(
		__assign_str(device);
		__assign_str(table);
		__entry->lowest = req->lowest;
		__entry->highest = req->highest;
		__entry->min = min;
		__entry->parent = parent;
		__entry->error = error;
	),
	TP_printk("device=%s table=%s lowest=%u highest=%u min=%u missing=%s error=%d",
		  __get_str(device), __get_str(table), __entry->lowest, __entry->highest,
		  __entry->min, __entry->parent ? "parent" : "labels", __entry->error)
);

/* The CPU which it is on then, be it one that was asked for or not */
TRACE_EVENT(msi_vector_request,
	TP_PROTO(const struct msi_vector *vector, int error),
	TP_ARGS(vector, error),
	TP_STRUCT__entry(
		__string(	device,		dev_name(vector->table->dev)	)
		__string(	table,		vector->table->name		)
		__field(	u32,		label			)
		__field(	unsigned int,	irq			)
		__field(	unsigned int,	cpu			)
		__field(	int,		error			)
	),
	TP_fast_assign(
		__assign_str(device);
		__assign_str(table);
		unsigned int irq = msi_vector_irq(vector);
		const struct cpumask *mask = irq_get_effective_affinity_mask(irq);

		__entry->label = vector->label;
		__entry->irq = irq;
		__entry->cpu = mask ? cpumask_first(mask) : nr_cpu_ids;
		__entry->error = error;
	),
	TP_printk("device=%s table=%s label=%u irq=%u cpu=%u error=%d", __get_str(device),
		  __get_str(table), __entry->label, __entry->irq, __entry->cpu, __entry->error)
);

TRACE_EVENT(msi_vector_write_msg,
	TP_PROTO(const struct msi_table *table, u32 label, unsigned int irq,
		 const struct msi_msg *msg),
	TP_ARGS(table, label, irq, msg),
	TP_STRUCT__entry(
		__string(	device,		dev_name(table->dev)	)
		__string(	table,		table->name		)
		__field(	u32,		label			)
		__field(	unsigned int,	irq			)
		__field(	u64,		address			)
		__field(	u32,		data			)
	),
	TP_fast_assign(
		__assign_str(device);
		__assign_str(table);
		__entry->label = label;
		__entry->irq = irq;
		__entry->address = msi_msg_address(msg);
		__entry->data = msg->data;
	),
	TP_printk("device=%s table=%s label=%u irq=%u address=0x%llx data=0x%x",
		  __get_str(device), __get_str(table), __entry->label, __entry->irq,
		  __entry->address, __entry->data)
);

TRACE_EVENT(msi_vector_mask,
	TP_PROTO(const struct msi_table *table, u32 label, unsigned int irq, bool masked),
	TP_ARGS(table, label, irq, masked),
	TP_STRUCT__entry(
		__string(	device,		dev_name(table->dev)	)
		__string(	table,		table->name		)
		__field(	u32,		label			)
		__field(	unsigned int,	irq			)
		__field(	bool,		masked			)
	),
	TP_fast_assign(
		__assign_str(device);
		__assign_str(table);
		__entry->label = label;
		__entry->irq = irq;
		__entry->masked = masked;
	),
	TP_printk("device=%s table=%s label=%u irq=%u masked=%d", __get_str(device),
		  __get_str(table), __entry->label, __entry->irq, __entry->masked)
);

#endif /* _TRACE_MSI_TABLE_H */

#include <trace/define_trace.h>
