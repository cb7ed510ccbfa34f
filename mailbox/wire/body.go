package wire

import (
	"encoding/binary"

	"github.com/millrace-io/millrace/flow"
	"github.com/millrace-io/millrace/mailbox"
)

const (
	allBits     = flow.HasWatermark | flow.HasBarrier | flow.HasEnd | flow.HasIdle | flow.HasTrigger
	barrierBits = flow.HasBarrier | flow.HasTrigger
)

// AppendBody appends the mark of b, as far as it says something, and its records.
func AppendBody[T any](dst []byte, values mailbox.ValueCodec[T], b *flow.Batch[T]) []byte {
	m := b.Mark
	dst = append(dst, byte(m.Has))
	if m.Has&flow.HasWatermark != 0 {
		dst = binary.BigEndian.AppendUint64(dst, uint64(m.WatermarkNS))
	}
	if m.Has&flow.HasBarrier != 0 {
		dst = binary.BigEndian.AppendUint64(dst, uint64(m.Epoch))
	}
	if m.Has&flow.HasTrigger != 0 {
		dst = binary.BigEndian.AppendUint64(dst, uint64(m.Batch))
	}
	return mailbox.AppendRecords(dst, values, b)
}

// DecodeBody reads into b, which is empty, what AppendBody wrote. After an error b holds a part of it.
func DecodeBody[T any](src []byte, values mailbox.ValueCodec[T], b *flow.Batch[T]) error {
	if len(src) == 0 {
		return mailbox.ErrDamaged
	}
	m := flow.Mark{Has: flow.MarkBits(src[0])}
	src = src[1:]
	if m.Has&^allBits != 0 || m.Has&barrierBits == flow.HasTrigger {
		return mailbox.ErrDamaged
	}
	whole := true
	number := func(has flow.MarkBits) int64 {
		if m.Has&has == 0 {
			return 0
		}
		if len(src) < 8 {
			whole = false
			return 0
		}
		n := int64(binary.BigEndian.Uint64(src))
		src = src[8:]
		return n
	}
	m.WatermarkNS = number(flow.HasWatermark)
	m.Epoch = flow.Epoch(number(flow.HasBarrier))
	m.Batch = number(flow.HasTrigger)
	if !whole {
		return mailbox.ErrDamaged
	}
	b.Mark = m
	return mailbox.DecodeRecords(src, values, b, nil)
}
