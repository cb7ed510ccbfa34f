package wire

import "encoding/binary"

// remembered is how many frames of batches the receiving end knows again. A network repeats what it sent a moment ago.
const remembered = 64

// ReceivingConfig is what the receiving end is made of.
type ReceivingConfig struct {
	Lane
	Credits       int // batches under way: sent, and not yet Taken
	CreditBytes   int // as at the sender: while so many bytes are under way, no further batch may come
	BatchBytesMax int // of an encoded batch
}

// Receiving is the receiving end of a lane. One goroutine uses it.
type Receiving struct {
	end
	c ReceivingConfig

	seq      uint64 // newest batch that is whole
	part     []byte // pieces of the next
	total    uint32 // what all its pieces are; 0: none has come
	taken    uint64
	limit    uint64 // newest that was granted
	sizes    []int  // of the batches that were not taken
	bytes    int    // of these, and of those taken since the last grant
	freed    int    // of the latter
	repeated uint64
	recent   [remembered]seen
	at       int
	small    [GrantBytes]byte
}

// seen is a frame of a batch by its content.
type seen struct {
	seq         uint64
	offset, sum uint32
}

// Arrival is what a frame brought.
type Arrival struct {
	Seq   uint64 // of the batch that is whole now; 0: none is
	Body  []byte // of that batch, valid until the next Receive and as long as that frame
	Probe uint64 // the probe to be answered with a Grant; 0: none
}

// NewReceiving makes the receiving end.
func NewReceiving(c ReceivingConfig) *Receiving { return &Receiving{end: newEnd(c.Lane), c: c} }

// Repeated is how many frames came again and were dropped.
func (r *Receiving) Repeated() uint64 { return r.repeated }

// Receive is told what came from the sending end.
func (r *Receiving) Receive(data []byte) (Arrival, error) {
	f, ok, err := r.read(data)
	switch {
	case err != nil || !ok:
		return Arrival{}, err
	case f.kind == kindBatch:
		return r.batch(f)
	case f.kind == kindProbe:
		if f.seq > r.seq {
			return Arrival{}, r.errorf(ErrLost, "%d batches were sent, %d and %d bytes have come", f.seq, r.seq, len(r.part))
		}
		return Arrival{Probe: f.probe}, nil
	}
	return Arrival{}, r.errorf(ErrForeign, "a frame of kind %d came to the receiving end", f.kind)
}

func (r *Receiving) batch(f frame) (Arrival, error) {
	next, have := r.seq+1, uint32(len(r.part))
	switch {
	case f.seq < next, f.seq == next && f.offset < have:
		return Arrival{}, r.again(f)
	case f.seq > next, f.offset > have:
		return Arrival{}, r.errorf(ErrLost, "batch %d from byte %d came, batch %d from byte %d was due", f.seq, f.offset, next, have)
	case f.seq > r.limit:
		return Arrival{}, r.errorf(ErrCredit, "batch %d came, credit goes to %d", f.seq, r.limit)
	case r.bytes >= r.c.CreditBytes:
		return Arrival{}, r.errorf(ErrCredit, "batch %d came while %d bytes were under way, credit is for %d", f.seq, r.bytes, r.c.CreditBytes)
	case int64(f.total) > int64(r.c.BatchBytesMax):
		return Arrival{}, r.errorf(ErrTooLarge, "batch %d takes %d bytes, the limit is %d", f.seq, f.total, r.c.BatchBytesMax)
	case have > 0 && f.total != r.total:
		return Arrival{}, r.errorf(ErrDamaged, "batch %d is of %d bytes and of %d", f.seq, r.total, f.total)
	}
	r.recent[r.at] = seen{f.seq, f.offset, f.sum}
	r.at = (r.at + 1) % remembered
	body := f.piece
	if len(body) < int(f.total) {
		r.part, r.total = append(r.part, f.piece...), f.total
		if len(r.part) < int(f.total) {
			return Arrival{}, nil
		}
		body = r.part
		r.part, r.total = r.part[:0], 0
	}
	r.seq = f.seq
	r.sizes, r.bytes = append(r.sizes, len(body)), r.bytes+len(body)
	return Arrival{Seq: f.seq, Body: body}, nil
}

// again drops a frame that has come before.
func (r *Receiving) again(f frame) error {
	for _, s := range r.recent {
		if s == (seen{f.seq, f.offset, f.sum}) {
			r.repeated++
			return nil
		}
	}
	return r.errorf(ErrRepeated, "batch %d from byte %d came, batch %d from byte %d was due", f.seq, f.offset, r.seq+1, len(r.part))
}

// Taken says that the consumer's lane has one more batch, and whether a grant is due: when a quarter of the credit, in batches or bytes, can be
// given anew. A grant for each batch would cost as much as a small batch does.
func (r *Receiving) Taken() (grant bool) {
	r.taken++
	r.freed += r.sizes[0]
	r.sizes = r.sizes[:copy(r.sizes, r.sizes[1:])]
	return r.taken+uint64(r.c.Credits) >= r.limit+uint64(max(1, r.c.Credits/4)) || r.freed >= r.c.CreditBytes/4
}

// Grant is a grant to be sent, valid until the next: first of all, so that the sender may begin; when Taken says so; and in answer to a
// probe.
func (r *Receiving) Grant(probe uint64) []byte {
	r.limit = r.taken + uint64(r.c.Credits)
	r.bytes, r.freed = r.bytes-r.freed, 0
	f := r.small[:]
	r.head(f, kindGrant)
	for i, n := range [...]uint64{r.seq, r.taken, r.limit, probe} {
		binary.BigEndian.PutUint64(f[restAt+8*i:], n)
	}
	seal(f)
	return f
}
